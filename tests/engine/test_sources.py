"""Stills from stills in the real process: what diffusers alone draws from the same picture, and nothing that wasn't judged."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from PIL import Image, ImageDraw, ImageOps

from tendred.engine.worker.brush import painted
from tendred.errors import Internal, ModelRefused, StillNotOurs, UnsupportedParameter
from tendred.library.strokes import document as library_document
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.source import ControlUse, Mask, PartUse, Rect, SourceUse
from tendred.schema.stroke import Stroke
from tendred.schema.weights import any_sha256
from tendred.schema.work import Output

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]
WORDS = Conditioning(prompt=[Span(text="red hills")], negative=[], anchor=None)
SIDE = 64
CALL = {"prompt": "red hills", "num_inference_steps": 4, "guidance_scale": 4.0}
SIZED = {**CALL, "width": SIDE, "height": SIDE}
HALF = Mask(rects=[Rect(x=0, y=0, width=32, height=64)], width=SIDE, height=SIDE)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A picture with something in it, of the size that is made."""
    file = tmp_path_factory.mktemp("pictures") / "own.png"
    drawing = Image.new("RGB", (SIDE, SIDE), (200, 180, 40))
    pen = ImageDraw.Draw(drawing)
    dice = random.Random(1)
    for _ in range(12):
        at = [dice.randrange(SIDE) for _ in range(4)]
        pen.line(at, fill=tuple(dice.randrange(256) for _ in range(3)), width=3)
    drawing.save(file)
    return file


def source(file, strength=0.5):
    return SourceUse(asset_id="ast_1", sha256=any_sha256(file), strength=strength)


def use(net, file, **changes):
    values = {"scale": 1.0, "start": 0.0, "end": 1.0, **changes}
    return ControlUse(asset_id="ast_1", sha256=any_sha256(file), model=net.name, model_sha256=any_sha256(net), **values)


@pytest_asyncio.fixture(loop_scope="session")
async def made(studio, tiny, families):
    """`await made(image=..., parts={...})`: what comes of an order for a tiny model, four steps, guidance 4."""
    studio.paths |= {**tiny, **families}

    async def make(model="sdxl", **changes):
        changes = {"width": SIDE, "height": SIDE, "steps": 4, "guidance": 4.0, **changes}
        order = studio.order(WORDS, model=model, **changes)
        (out,) = [report async for report in studio.engine.run(order) if isinstance(report, Output)]
        return out

    return make


async def test_image_to_image_is_that_of_diffusers_alone(made, tiny, families, picture, bare):
    cases = [
        ("sdxl", "StableDiffusionXLImg2ImgPipeline", "euler", CALL),
        ("sd15", "StableDiffusionImg2ImgPipeline", "euler", CALL),
        ("sd35", "StableDiffusion3Img2ImgPipeline", "flow_euler", SIZED),
        ("flux", "FluxImg2ImgPipeline", "flow_euler", SIZED),
        ("zimage", "ZImageImg2ImgPipeline", "flow_euler", SIZED),
        ("chroma", "ChromaImg2ImgPipeline", "flow_euler", SIZED),
    ]
    jobs = [
        {"folder": {**tiny, **families}[family], "class": kind, "seed": 7, "call": {**call, "strength": 0.5},
         "images": {"image": picture}}
        for family, kind, _, call in cases
    ]  # fmt: skip
    qwen = {"prompt": "red hills", "negative_prompt": " ", "true_cfg_scale": 4.0, "num_inference_steps": 4}
    cases.append(("qwen-image", "QwenImageImg2ImgPipeline", "flow_euler", qwen))
    jobs.append(
        {"folder": families["qwen-image"], "class": "QwenImageImg2ImgPipeline", "seed": 7,
         "call": {**qwen, "width": SIDE, "height": SIDE, "strength": 0.5}, "images": {"image": picture}}
    )  # fmt: skip
    for (family, _, scheduler, _), expected in zip(cases, bare(*jobs), strict=True):
        out = await made(family, image=source(picture), parts={"image": picture}, scheduler=scheduler)
        assert (family, out.pixels_sha256) == (family, expected)


async def test_nothing_is_left_of_one_kind_of_drawing_in_the_next(made, picture, extras):
    parts = {"image": picture}
    before = await made()
    await made(image=source(picture), parts=parts)
    await made(image=source(picture), mask=HALF, parts=parts)
    guided = {"control[0]": picture, "controlnet[0]": extras["lines"]}
    await made(control=[use(extras["lines"], picture)], parts=guided)
    await made(vae=PartUse(name="crisp", sha256=any_sha256(extras["crisp"])), parts={"vae": extras["crisp"]})
    assert (await made()).pixels_sha256 == before.pixels_sha256


async def test_strength_counts(made, picture):
    seen = [
        (await made(image=source(picture, strength), parts={"image": picture})).pixels_sha256
        for strength in (0.3, 0.6, 1.0)
    ]
    assert len({*seen, (await made()).pixels_sha256}) == 4


async def test_a_picture_of_another_size_is_cut_and_never_stretched(made, picture, tmp_path):
    wide, cut = tmp_path / "wide.png", tmp_path / "cut.png"
    with Image.open(picture) as own:
        canvas = Image.new("RGB", (SIDE * 2, SIDE))
        canvas.paste(own, (SIDE // 2, 0))
        canvas.save(wide)
        own.save(cut)
    outs = [await made(image=source(file), parts={"image": file}) for file in (wide, cut)]
    assert outs[0].pixels_sha256 == outs[1].pixels_sha256


async def test_what_is_arranged_and_painted_is_what_it_begins_from(made, picture, tmp_path):
    strokes = [
        Stroke(colour="#ff0000", width=3.0, points=[4, 4, 40, 50]),
        Stroke(colour="#00ff00", width=6.0, points=[32, 32]),
    ]
    document, sha256 = library_document(strokes)
    drawn = tmp_path / "strokes.json"
    drawn.write_bytes(document)
    use = replace(source(picture), crop=Rect(x=0, y=0, width=32, height=48), mirror=True, turn=90, strokes=sha256)
    got = await made(image=use, parts={"image": picture, "image.strokes": drawn})
    with Image.open(picture) as own:
        part = own.crop((0, 0, 32, 48)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).transpose(Image.Transpose.ROTATE_270)
        part = ImageOps.fit(part, (SIDE, SIDE), method=Image.Resampling.LANCZOS)
    by_hand = tmp_path / "by-hand.png"
    painted(part, document).save(by_hand)
    assert got.pixels_sha256 == (await made(image=source(by_hand), parts={"image": by_hand})).pixels_sha256
    drawn.write_bytes(document.replace(b"40", b"41"))
    with pytest.raises(StillNotOurs):
        await made(image=use, parts={"image": picture, "image.strokes": drawn})
    with pytest.raises(Internal):
        await made(image=use, parts={"image": picture})


def pixels(out):
    return Image.frombytes("RGB", (out.width, out.height), Path(out.path).read_bytes())


@pytest.mark.parametrize("family", ["sdxl", "sd15", "sd35", "flux", "zimage", "klein", "qwen-image"])
async def test_inpainting_changes_what_the_mask_says_and_not_a_bit_more(made, picture, family):
    scheduler = "euler" if family in {"sdxl", "sd15"} else "flow_euler"
    out = await made(family, image=source(picture, 0.9), mask=HALF, parts={"image": picture}, scheduler=scheduler)
    with Image.open(picture) as own:
        kept, anew = (32, 0, 64, 64), (0, 0, 32, 64)
        assert pixels(out).crop(kept).tobytes() == own.crop(kept).tobytes()
        assert pixels(out).crop(anew).tobytes() != own.crop(anew).tobytes()


async def test_what_is_painted_anew_is_that_of_diffusers_alone(made, tiny, families, picture, bare, tmp_path):
    # Everything is made anew: then nothing of the picture is laid over what comes.
    everything = Mask(runs=[0, SIDE * SIDE], width=SIDE, height=SIDE)
    mask = tmp_path / "all.png"
    Image.new("L", (SIDE, SIDE), 255).save(mask)
    cases = [
        ("sdxl", "StableDiffusionXLInpaintPipeline", "euler"),
        ("sd15", "StableDiffusionInpaintPipeline", "euler"),
        ("flux", "FluxInpaintPipeline", "flow_euler"),
        ("klein", "Flux2KleinInpaintPipeline", "flow_euler"),
    ]
    jobs = [
        {"folder": {**tiny, **families}[family], "class": kind, "seed": 7, "call": {**SIZED, "strength": 0.9},
         "images": {"image": picture, "mask_image": mask}}
        for family, kind, _ in cases
    ]  # fmt: skip
    for (family, _, scheduler), expected in zip(cases, bare(*jobs), strict=True):
        out = await made(
            family, image=source(picture, 0.9), mask=everything, parts={"image": picture}, scheduler=scheduler
        )
        assert (family, out.pixels_sha256) == (family, expected)


async def test_runs_say_what_rectangles_say_and_feather_softens(made, picture):
    runs = Mask(runs=[0, *[32, 32] * SIDE], width=SIDE, height=SIDE)
    outs = [
        await made(image=source(picture, 0.9), mask=mask, parts={"image": picture})
        for mask in (HALF, runs, Mask(rects=HALF.rects, width=SIDE, height=SIDE, feather=8))
    ]
    assert outs[0].pixels_sha256 == outs[1].pixels_sha256 != outs[2].pixels_sha256
    with Image.open(picture) as own:
        far = (56, 0, 64, 64)
        assert pixels(outs[2]).crop(far).tobytes() == own.crop(far).tobytes()
        near = (32, 0, 36, 64)
        assert pixels(outs[2]).crop(near).tobytes() != own.crop(near).tobytes()


async def test_controlnets_one_and_two_are_those_of_diffusers_alone(made, tiny, picture, extras, bare):
    one = {
        "folder": tiny["sdxl"], "class": "StableDiffusionXLControlNetPipeline", "seed": 7,
        "controlnets": [extras["lines"]], "images": {"image": picture},
        "call": {**SIZED, "controlnet_conditioning_scale": 0.7, "control_guidance_end": 0.5},
    }  # fmt: skip
    two = {
        **one, "controlnets": [extras["lines"], extras["depth"]], "images": {"image": [picture, picture]},
        "call": {**SIZED, "controlnet_conditioning_scale": [0.7, 1.2], "control_guidance_start": [0.0, 0.2]},
    }  # fmt: skip
    with_image = {
        **one, "class": "StableDiffusionXLControlNetImg2ImgPipeline",
        "images": {"image": picture, "control_image": picture},
        "call": {**SIZED, "strength": 0.5, "controlnet_conditioning_scale": 1.0},
    }  # fmt: skip
    small = {
        **one, "folder": tiny["sd15"], "class": "StableDiffusionControlNetPipeline", "controlnets": [extras["small"]],
        "call": {**SIZED, "controlnet_conditioning_scale": 1.0},
    }  # fmt: skip
    expected = bare(one, two, with_image, small)
    lines, depth = extras["lines"], extras["depth"]
    parts = {"control[0]": picture, "controlnet[0]": lines}
    both = {**parts, "control[1]": picture, "controlnet[1]": depth}
    seen = [
        await made(control=[use(lines, picture, scale=0.7, end=0.5)], parts=parts),
        await made(control=[use(lines, picture, scale=0.7), use(depth, picture, scale=1.2, start=0.2)], parts=both),
        await made(control=[use(lines, picture)], image=source(picture), parts={**parts, "image": picture}),
        await made("sd15", control=[use(extras["small"], picture)], parts={**parts, "controlnet[0]": extras["small"]}),
    ]
    assert [out.pixels_sha256 for out in seen] == expected


async def test_another_autoencoder_and_clip_skip_are_those_of_diffusers_alone(made, tiny, extras, bare):
    # diffusers reads what isn't wanted from the last layer all the same.
    unguided = {**SIZED, "guidance_scale": 1.0}
    expected = bare(
        {"folder": tiny["sdxl"], "seed": 7, "call": SIZED, "vae": extras["crisp"]},
        {"folder": tiny["sd15"], "seed": 7, "call": unguided, "layers": 1},
        {"folder": tiny["sd15"], "seed": 7, "call": unguided},
    )
    crisp = PartUse(name="crisp", sha256=any_sha256(extras["crisp"]))
    assert (await made(vae=crisp, parts={"vae": extras["crisp"]})).pixels_sha256 == expected[0]
    assert (await made("sd15", clip_skip=2, guidance=1.0)).pixels_sha256 == expected[1]
    # The last layer is the one that is read anyway.
    assert (await made("sd15", clip_skip=1, guidance=1.0)).pixels_sha256 == expected[2] != expected[1]


async def test_a_single_file_autoencoder_is_the_folders(made, extras, tmp_path):
    (weights,) = extras["crisp"].glob("*.safetensors")
    file = tmp_path / "crisp.safetensors"
    file.write_bytes(weights.read_bytes())
    outs = [
        await made(vae=PartUse(name="crisp", sha256=any_sha256(path)), parts={"vae": path})
        for path in (extras["crisp"], file)
    ]
    assert outs[0].pixels_sha256 == outs[1].pixels_sha256


async def test_what_was_not_judged_is_refused(studio, made, picture, extras, tmp_path):
    before = await made()
    copy = tmp_path / "copy.png"
    copy.write_bytes(picture.read_bytes())
    judged = source(copy)
    with Image.open(picture) as own:
        own.rotate(90).save(copy)
    with pytest.raises(StillNotOurs) as caught:
        await made(image=judged, parts={"image": copy})
    assert (caught.value.variant, caught.value.path) == ("changed", "image.asset_id")
    with pytest.raises(StillNotOurs) as caught:
        await made(image=judged, parts={"image": tmp_path / "nowhere.png"})
    assert caught.value.variant == "gone"
    for role, changes in (
        ("vae", {"vae": PartUse(name="crisp", sha256="0" * 64)}),
        ("controlnet[0]", {"control": [use(extras["lines"], picture)]}),
    ):
        parts = {role: extras["crisp"]} | ({"control[0]": picture} if role != "vae" else {})
        with pytest.raises(ModelRefused) as refused:
            await made(**changes, parts=parts)
        assert refused.value.variant == "part"
        assert "changed since" in refused.value.detail["problem"]
    # Parts that the seal says nothing of, or that the order leaves out.
    for changes in ({"parts": {"image": picture}}, {"image": source(picture)}):
        with pytest.raises(Internal):
            await made(**changes)
    assert (await made()).pixels_sha256 == before.pixels_sha256


async def test_parts_for_another_model_are_refused(made, picture, extras):
    with pytest.raises(ModelRefused) as caught:
        await made(
            control=[use(extras["small"], picture)],
            parts={"control[0]": picture, "controlnet[0]": extras["small"]},
        )  # fmt: skip
    assert (caught.value.variant, caught.value.path) == ("part", "control[0].model")
    assert "cross_attention_dim" in caught.value.detail["problem"]
    with pytest.raises(UnsupportedParameter) as lacking:
        await made("flux2", image=source(picture), parts={"image": picture}, scheduler="flow_euler")
    assert lacking.value.path == "image"


async def test_sharing_casts_nothing_and_keeps_the_settings(tiny):
    """The library's own `from_pipe` makes shared weights float32, and forgets nothing less important."""
    code = (
        "import sys, torch, diffusers\n"
        "from tendred.engine.worker.ways import sharing\n"
        "folder = sys.argv[1]\n"
        "own = diffusers.StableDiffusionXLPipeline.from_pretrained(\n"
        "    folder, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16, force_zeros_for_empty_prompt=False)\n"
        "for kind in (diffusers.StableDiffusionXLImg2ImgPipeline, diffusers.StableDiffusionXLInpaintPipeline):\n"
        "    made = sharing(kind, own)\n"
        "    assert made.unet is own.unet and made.vae is own.vae and made.scheduler is own.scheduler\n"
        "    assert made.unet.dtype == made.text_encoder.dtype == torch.bfloat16\n"
        "    assert made.config.force_zeros_for_empty_prompt is False\n"
        "    assert made.watermark is None\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tiny["sdxl"])], capture_output=True, check=False, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
