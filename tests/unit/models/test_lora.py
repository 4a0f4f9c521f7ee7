import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tendred.errors import ModelRefused
from tendred.models.lora import TAGS, WORDS, inspect, misfit
from tendred.testing.loras import layers, shapes, write
from tendred.testing.tiny import STARTER

LAYER = next(iter(layers()))


@pytest.fixture
def made(tmp_path):
    def make(keys=None, **more):
        return inspect(write(tmp_path / "ink.safetensors", keys, **more), "ink")

    return make


def refusal(make, *arguments, **more):
    with pytest.raises(ModelRefused) as caught:
        make(*arguments, **more)
    assert caught.value.variant == "lora"
    assert caught.value.detail["name"] == "ink"
    return caught.value.detail["reason"], caught.value.detail["problem"]


def test_a_lora_for_the_starter_fits_the_starter(made):
    adapter = made(about={"family": "sdxl", "licence": "CC0", "base": "starter"})
    assert (adapter.family, adapter.about.licence, adapter.about.base) == ("sdxl", "CC0", "starter")
    assert {layer.replace(".", "_"): sizes for layer, sizes in layers().items()} == adapter.parts["unet"]
    assert misfit(adapter, STARTER, "starter") is None


def test_the_headers_of_a_model_are_read_once_for_all_loras_of_a_request(made, tmp_path):
    shutil.copytree(STARTER / "unet", tmp_path / "model" / "unet", copy_function=shutil.copyfile)
    adapter, known = made(), {}
    assert misfit(adapter, tmp_path / "model", "mine", known) is None
    shutil.rmtree(tmp_path / "model")
    assert misfit(adapter, tmp_path / "model", "mine", known) is None
    assert "the model has none" in misfit(adapter, tmp_path / "model", "mine")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{}.lora_A.weight", "{}.lora_B.weight"),
        ("{}.lora.down.weight", "{}.lora.up.weight"),
        ("{}_lora.down.weight", "{}_lora.up.weight"),
        ("{}.lora_linear_layer.down.weight", "{}.lora_linear_layer.up.weight"),
    ],
)
def test_every_way_to_write_it_is_read(made, old, new):
    wide, high = layers()[LAYER]
    module = LAYER.replace("attn2.to_q", "attn2.processor.to_q") if "_lora." in old else LAYER
    adapter = made({old.format(f"unet.{module}"): [2, wide], new.format(f"unet.{module}"): [high, 2]})
    assert adapter.parts == {"unet": {LAYER.replace(".", "_"): (wide, high)}}
    assert misfit(adapter, STARTER, "starter") is None


def test_kohyas_way_with_alphas_and_text_encoders(made):
    wide, high = layers()[LAYER]
    unet, words = f"lora_unet_{LAYER.replace('.', '_')}", "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"
    keys = {
        f"{unet}.lora_down.weight": [2, wide], f"{unet}.lora_up.weight": [high, 2], f"{unet}.alpha": [],
        f"{words}.lora_down.weight": [2, 128], f"{words}.lora_up.weight": [128, 2],
    }  # fmt: skip
    adapter = made(keys)
    assert adapter.parts["text_encoder"] == {"encoder_layers_0_self_attn_q_proj": (128, 128)}
    assert misfit(adapter, STARTER, "starter") is None


@pytest.mark.parametrize(
    ("places", "prefix", "family"),
    [
        ({"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": (2048, 640)}, "unet.", "sdxl"),
        ({"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": (768, 320)}, "unet.", "sd15"),
        ({"encoder.layers.0.self_attn.q_proj": (1280, 1280)}, "text_encoder_2.", "sdxl"),
        ({"single_transformer_blocks.0.attn.to_q": (3072, 3072)}, "transformer.", "flux"),
        ({"double_blocks_0_img_attn_proj": (3072, 3072)}, "lora_unet_", "flux"),
        ({"transformer_blocks.0.attn.to_q": (1536, 1536)}, "transformer.", "other"),
        ({"mid_block.attentions.0.proj_in": (64, 64)}, "unet.", "unet"),
    ],
)
def test_the_family_is_told_by_keys_and_sizes(made, places, prefix, family):
    assert made(shapes(places, prefix)).family == family


def test_what_is_said_counts_only_where_keys_say_nothing(made):
    assert made(metadata={"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}).family == "sdxl"
    assert made(metadata={"ss_base_model_version": "sd_v1"}).family == "sd15"
    told = made(shapes({"mid_block.attn2.to_k": (768, 320)}), about={"family": "sdxl"})
    assert told.family == "sd15"


@pytest.mark.parametrize(
    ("places", "prefix", "words"),
    [
        ({"mid_block.attentions.9.to_q": (8, 8)}, "unet.", "has no such layer"),
        ({LAYER: (2048, 640)}, "unet.", "2048 x 640 in the LoRA"),
        ({"transformer_blocks.0.attn.to_q": (8, 8)}, "transformer.", "the model has none"),
    ],
)
def test_what_has_no_place_in_the_model_is_told(made, places, prefix, words):
    assert words in misfit(made(shapes(places, prefix)), STARTER, "starter")


@pytest.mark.parametrize(
    ("keys", "reason", "words"),
    [
        ({}, "header", "no layers"),
        ({"unet.a.alpha": []}, "header", "no layers"),
        ({"unet.a.weight": [2, 2]}, "family", "no part of a LoRA"),
        ({"unet.a.hada_w1_a": [2, 2]}, "family", "it is a LoHa"),
        ({"unet.a.lora_A.weight": [2, 8], "unet.a.dora_scale": [8, 1]}, "family", "it is a DoRA"),
        (shapes({"a": (8, 8)}, ""), "family", "names no part"),
        (shapes({"a": (8, 8)}, "diffusion_model."), "family", "names no part"),
        ({"unet.a.lora_A.weight": [2, 8]}, "header", "two halves"),
        ({"unet.a.lora_A.weight": [2, 8], "unet.a.lora_B.weight": [8, 3]}, "header", "two halves"),
        ({"unet.a.lora_A.weight": [0, 8], "unet.a.lora_B.weight": [8, 0]}, "header", "two halves"),
        ({"unet.a.lora_A.weight": [2], "unet.a.lora_B.weight": [2]}, "header", "two halves"),
        ({"unet.a.b.lora_A.weight": [2, 8], "unet.a_b.lora_A.weight": [2, 8]}, "header", "twice"),
    ],
)  # fmt: skip
def test_what_is_no_lora_is_refused(made, keys, reason, words):
    said = refusal(made, keys)
    assert said[0] == reason
    assert words in said[1]


def test_a_broken_file_and_a_broken_note_are_refused(tmp_path, made):
    file = tmp_path / "ink.safetensors"
    file.write_bytes(b"\x80\x04pickle")
    assert refusal(inspect, file, "ink")[0] == "pickle"
    file.write_bytes(b"nothing of the kind")
    assert refusal(inspect, file, "ink")[0] == "header"
    write(file)
    file.with_suffix(".json").write_text("[")
    assert refusal(inspect, file, "ink")[0] == "metadata"
    file.with_suffix(".json").write_text('{"family": 7}')
    assert refusal(inspect, file, "ink")[0] == "metadata"


PLAIN = {
    "unet.r": 2, "unet.lora_alpha": 8, "unet.target_modules": ["to_q", "to_out.0"], "unet.rank_pattern": {"^mid": 4},
    "unet.bias": "none", "unet.peft_type": "LORA", "unet.init_lora_weights": "gaussian", "unet.use_dora": False,
    "unet.modules_to_save": None, "unet.loftq_config": {}, "unet.lora_dropout": 0.1, "unet.new_in_peft_9": None,
}  # fmt: skip


def test_a_plain_configuration_is_taken(made):
    assert made(metadata={"lora_adapter_metadata": json.dumps(PLAIN)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("init_lora_weights", "pissa"),
        ("use_dora", True),
        ("bias", "all"),
        ("modules_to_save", ["conv_in"]),
        ("layer_replication", [[0, 4]]),
        ("target_modules", "(a+)+$"),
        ("target_modules", ["(a+)+$"]),
        ("rank_pattern", {"(a+)+$": 2}),
        ("new_in_peft_9", {"changes": "the base"}),
        ("r", [2]),
    ],
)
def test_one_that_would_touch_the_base_is_refused(made, field, value):
    config = json.dumps({**PLAIN, f"unet.{field}": value})
    reason, problem = refusal(made, metadata={"lora_adapter_metadata": config})
    assert reason == "metadata"
    assert field in problem


def test_a_configuration_that_is_none_is_refused(made):
    assert refusal(made, metadata={"lora_adapter_metadata": "[" * 5000})[0] == "metadata"


def test_what_it_says_of_itself_is_handed_on(made):
    tags = {"10_ink": {"a pond": 3, "a hill": 9}, "5_more": {"a pond": 9}}
    words = made(
        metadata={"modelspec.title": "Ink", "ss_output_name": "ink_v2", "ss_tag_frequency": json.dumps(tags)},
        about={"name": "ink", "trigger": "inked"},
    ).words  # fmt: skip
    assert words.split("\n") == ["ink", "inked", "Ink", "ink_v2", "10_ink", "5_more", "a pond", "a hill"]
    assert made(about={}).words == ""


def test_words_have_an_end_and_the_frequent_ones_come_first(made):
    tags = {f"tag {number}": number for number in range(TAGS * 2)}
    lines = made(metadata={"ss_tag_frequency": json.dumps({"d": tags})}).words.split("\n")
    assert (len(lines), lines[1]) == (TAGS + 1, f"tag {TAGS * 2 - 1}")
    assert len(made(metadata={"modelspec.description": "x" * 100_000}).words) == WORDS
    assert made(metadata={"ss_tag_frequency": "not {json"}).words == "not {json"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 1500))
def test_mutations_never_raise_anything_else(tmp_path_factory, noise, at):
    file = tmp_path_factory.mktemp("fuzz") / "ink.safetensors"
    tags = json.dumps({"set": {"a pond": 3}})
    write(file, metadata={"lora_adapter_metadata": json.dumps(PLAIN), "ss_tag_frequency": tags})
    good = file.read_bytes()
    file.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        assert misfit(inspect(file, "ink"), STARTER, "starter") is None or noise
    except ModelRefused as refused:
        assert refused.variant == "lora"
