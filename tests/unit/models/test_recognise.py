"""What a file is, by names and sizes alone. Layouts: tendred/testing/headers.py."""

import pytest

from tendred.models.header import read_header
from tendred.models.recognise import recognise
from tendred.testing import headers as made
from tendred.testing.headers import sparse


@pytest.fixture
def seen(tmp_path):
    def look(shapes, **more):
        return recognise(read_header(sparse(tmp_path / "x.safetensors", shapes), "x"), **more)

    return look


@pytest.mark.parametrize(
    ("shapes", "family", "detail"),
    [
        (made.flux(), "flux", "dev"),
        (made.flux(prefix=""), "flux", "dev"),
        (made.flux(guided=False), "flux", "schnell"),
        (made.flux(inputs=384), "flux", "fill"),
        (made.sd3(38), "sd35", "large"),
        (made.sd3(24, prefix="", dual=True), "sd35", "medium"),
        (made.sd3(24), "sd35", "3.0"),
        ({**made.flux(), "model.diffusion_model.distilled_guidance_layer.in_proj.bias": [8]}, "chroma", None),
        ({**made.flux(), "model.diffusion_model.single_stream_modulation.lin.weight": [8, 8]}, "flux2", None),
        ({"layers.0.adaLN_modulation.0.weight": [8, 8], "cap_embedder.0.weight": [8]}, "zimage", None),
        ({"cap_embedder.0.weight": [8]}, "lumina2", None),
    ],
)
def test_checkpoints_are_told_apart_and_wanted_as_folders(seen, shapes, family, detail):
    found = seen(shapes)
    assert (found.kind, found.family, found.detail) == ("model", family, detail)
    assert f"recognised as {family}" in found.refusal
    assert "folder" in found.refusal


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_what_loads_from_one_file_must_be_whole_and_plain(seen, family):
    shapes = getattr(made, family)
    plain = seen(shapes())
    assert (plain.kind, plain.family, plain.detail, plain.refusal) == ("model", family, None, None)
    bare = {key: shape for key, shape in shapes().items() if key.startswith(made.INSIDE)}
    assert "without text encoders" in seen(bare).refusal
    inpainting = seen(shapes(inputs=9))
    assert inpainting.detail == "inpainting"
    assert "only the plain one" in inpainting.refusal


def test_sd15_that_edits_by_instruction_is_told(seen):
    assert "for edits by instruction" in seen(made.sd15(inputs=8)).refusal


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"head.modulation": [1, 2, 8]}, "for clips (wan)"),
        ({"patchify_proj.weight": [8, 8]}, "for clips (ltx)"),
        ({"conv_in.weight": [320, 4, 3, 3], "time_embedding.linear_1.weight": [8, 8]}, "part of a folder"),
        ({"transformer_blocks.0.img_mod.1.weight": [8, 8]}, "part of a folder"),
    ],
)
def test_what_can_not_be_a_model_by_itself_says_so(seen, shapes, words):
    found = seen(shapes)
    assert found.kind == "model"
    assert words in found.refusal


@pytest.mark.parametrize(
    ("shapes", "family", "detail"),
    [
        (made.lora_kohya(), "", "LoRA"),
        ({"unet.mid_block.to_q.lora_A.weight": [4, 8], "unet.mid_block.to_q.lora_B.weight": [8, 4]}, "", "LoRA"),
        (
            {"unet.a.processor.to_q_lora.down.weight": [4, 8], "unet.a.processor.to_q_lora.up.weight": [8, 4]},
            "",
            "LoRA",
        ),
        ({"text_encoder_2.a.lora_A.weight": [4, 8]}, "sdxl", "LoRA"),
        ({"lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": [4, 8]}, "flux", "LoRA"),
        ({"diffusion_model.layers.0.attention.to_q.lora_A.weight": [4, 8]}, "zimage", "LoRA"),
    ],
)
def test_loras_of_every_writer(seen, shapes, family, detail):
    found = seen(shapes)
    assert (found.kind, found.family, found.detail, found.refusal) == ("lora", family, detail, None)


@pytest.mark.parametrize(
    ("endings", "name"),
    [
        (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "alpha"), "LoHa"),
        (("lokr_w1", "lokr_w2_a", "lokr_w2_b"), "LoKr"),
        (("lora_down.weight", "lora_up.weight", "dora_scale"), "DoRA"),
        (("lora_A.weight", "lora_B.weight", "lora_magnitude_vector"), "DoRA"),
        (("oft_blocks",), "OFT"),
        (("on_input", "weight"), "IA3"),
        (("diff", "diff_b"), "difference"),
    ],
)
def test_relatives_of_a_lora_are_refused_by_their_names(seen, endings, name):
    found = seen(made.relative(*endings))
    assert found.kind == "lora"
    assert name in found.refusal


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"emb_params": [8, 768]}, "sd15"),
        ({"emb_params": [8, 1024]}, "sd2"),
        ({"clip_l": [4, 768], "clip_g": [4, 1280]}, "sdxl"),
        ({"<cat-toy>": [768]}, "sd15"),
        ({"*": [1, 768]}, "sd15"),
    ],
)
def test_embeddings(seen, shapes, family):
    found = seen(shapes)
    assert (found.kind, found.family, found.refusal) == ("embedding", family, None)


@pytest.mark.parametrize(
    ("shapes", "kind", "family", "detail"),
    [
        (made.vae(), "vae", "sd15|sdxl", None),
        (made.vae(prefix="first_stage_model."), "vae", "sd15|sdxl", None),
        (made.vae(16), "vae", "flux|sd35|zimage|chroma", None),
        ({"decoder.layers.0.weight": [64, 4, 3, 3]}, "vae", "sd15|sdxl", "for previews (TAESD)"),
        (made.controlnet(), "controlnet", "sd15", None),
        (made.controlnet(2048), "controlnet", "sdxl", None),
        ({"controlnet_cond_embedding.conv_in.weight": [16, 3, 3, 3]}, "controlnet", "other", None),
        ({"controlnet_x_embedder.weight": [8, 8]}, "controlnet", "flux", None),
        (made.compact(2), "upscaler", "compact", "x2"),
        (made.compact(4), "upscaler", "compact", "x4"),
        (made.esrgan(2), "upscaler", "esrgan", "x4"),
        (made.esrgan(2, inputs=12), "upscaler", "esrgan", "x2"),
        (made.esrgan_old(2), "upscaler", "esrgan", "x4"),
        (made.esrgan_old(1), "upscaler", "esrgan", "x2"),
        ({"layers.0.residual_group.blocks.0.norm1.weight": [180], "upsample.0.weight": [256, 64, 3, 3]}, "upscaler",
         "swinir", "x2"),
        ({"layers.0.residual_group.blocks.0.norm1.weight": [180]}, "upscaler", "swinir", None),
    ],
)  # fmt: skip
def test_the_other_kinds(seen, shapes, kind, family, detail):
    found = seen(shapes)
    assert (found.kind, found.family, found.detail, found.refusal) == (kind, family, detail, None)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"text_model.encoder.layers.0.mlp.fc1.weight": [8, 8]}, "a text encoder"),
        ({"encoder.block.0.layer.0.SelfAttention.q.weight": [8, 8]}, "a text encoder"),
        ({"model.layers.0.self_attn.q_proj.weight": [8, 8]}, "a language model"),
        ({"image_proj.norm.weight": [8], "ip_adapter.1.to_k_ip.weight": [8, 8]}, "an IP-Adapter"),
    ],
)
def test_parts_that_are_no_use_by_themselves(seen, shapes, words):
    found = seen(shapes)
    assert found.kind is None
    assert words in found.refusal


@pytest.mark.parametrize("shapes", [{}, {"a": [2]}, {"weight": [2, 2]}, {"body.0.weight": [4, 3, 3, 3]}])
def test_anything_else_is_nothing(seen, shapes):
    assert seen(shapes) is None


@pytest.mark.parametrize("name", sorted(made.REAL))
def test_sizes_that_lie_are_taken_as_they_come(seen, name):
    """Names of a known kind with sizes of none: an answer or none, never a failure."""
    for shape in ([], [1], [1, 1, 1, 1, 1]):
        seen(dict.fromkeys(made.REAL[name](), shape))
