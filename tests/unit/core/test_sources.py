import pytest
from msgspec.structs import replace

from tendred.core.sources import Sources, check_abilities, settled_mask, sides, with_sources
from tendred.errors import InvalidParams, UnsupportedParameter
from tendred.models.catalog import STARTER_PATH, Model
from tendred.models.folder import inspect
from tendred.models.shelf import Part
from tendred.schema.sealed import OwnStill
from tendred.schema.source import Control, Mask, Rect, Source
from tendred.schema.still import StillRequest
from tendred.testing.orders import STILL

STARTER = Model(name="starter", path=str(STARTER_PATH), sha256="0" * 64, folder=inspect(STARTER_PATH, "starter"))
IMAGE = Source(asset_id="ast_1", strength=0.5)
MASK = Mask(rects=[Rect(x=0, y=0, width=8, height=8)])
GUIDE = Control(asset_id="ast_2", model="lines", scale=0.5)


def still(asset_id="ast_1", width=100, height=60, words="a woman"):
    return OwnStill(
        asset_id=asset_id, path=f"{asset_id}.png", sha256=asset_id, width=width, height=height, words=words, anchor=None
    )


def part(name):
    return Part(kind="vae", name=name, path=f"{name}.safetensors", sha256=name, ships=False)


def model(pipeline, **changes):
    return replace(STARTER, folder=replace(STARTER.folder, pipeline=pipeline, **changes))


def asked(**fields):
    return StillRequest(prompt="hills", **fields)


@pytest.mark.parametrize(
    ("pipeline", "fields"),
    [
        ("StableDiffusionXLPipeline", {"image": IMAGE, "mask": MASK, "control": [GUIDE], "clip_skip": 1}),
        ("FluxPipeline", {"image": IMAGE, "control": [GUIDE]}),
        ("Flux2KleinPipeline", {"image": IMAGE, "mask": MASK}),
        ("ZImagePipeline", {"image": IMAGE, "negative_prompt": "fog"}),
        ("SomethingNewPipeline", {"negative_prompt": "fog", "clip_skip": 1}),
    ],
)
def test_what_a_family_can_is_let_through(pipeline, fields):
    check_abilities(asked(**fields), model(pipeline))


@pytest.mark.parametrize(
    ("pipeline", "fields", "path", "variant"),
    [
        ("Flux2Pipeline", {"image": IMAGE}, "image", ""),
        ("Flux2KleinPipeline", {"image": IMAGE}, "image", ""),
        ("Flux2Pipeline", {"image": IMAGE, "mask": MASK}, "mask", ""),
        ("ChromaPipeline", {"control": [GUIDE]}, "control", ""),
        ("StableDiffusion3Pipeline", {"control": [GUIDE], "image": IMAGE}, "control", "together"),
        ("QwenImagePipeline", {"control": [GUIDE], "image": IMAGE, "mask": MASK}, "control", "together"),
        ("FluxPipeline", {"negative_prompt": "fog"}, "negative_prompt", ""),
        ("ZImagePipeline", {"clip_skip": 2}, "clip_skip", ""),
        ("SomethingNewPipeline", {"image": IMAGE}, "image", ""),
    ],
)
def test_what_it_lacks_is_refused_by_name(pipeline, fields, path, variant):
    with pytest.raises(UnsupportedParameter) as caught:
        check_abilities(asked(**fields), model(pipeline))
    assert (caught.value.path, caught.value.variant, caught.value.detail["model"]) == (path, variant, "starter")


def test_a_distilled_model_passes_over_no_guidance_in_silence():
    check_abilities(asked(), model("FluxPipeline", guided=False))
    with pytest.raises(UnsupportedParameter) as caught:
        check_abilities(asked(guidance=3.0), model("FluxPipeline", guided=False))
    assert caught.value.path == "guidance"


def test_a_layer_that_is_not_there_is_told():
    for layers, fits in ((12, [1, 11]), (0, [1, 12])):
        for skip in fits:
            check_abilities(asked(clip_skip=skip), model("StableDiffusionPipeline", clip_layers=layers))
    with pytest.raises(InvalidParams) as caught:
        check_abilities(asked(clip_skip=12), model("StableDiffusionPipeline", clip_layers=12))
    assert caught.value.path == "clip_skip"


def test_the_size_follows_the_image():
    assert sides(asked(), STARTER, None) == (None, None)
    assert sides(asked(), STARTER, still()) == (96, 64)
    assert sides(asked(width=256), STARTER, still()) == (256, None)
    assert sides(asked(), STARTER, still(width=9000, height=4100)) == (4096, 4096)


def test_what_was_found_goes_into_the_final_request_by_hash():
    request = asked(image=IMAGE, control=[GUIDE], clip_skip=2, vae="crisp")
    found = Sources(image=still(), controls=[still("ast_2")], nets=[part("lines")], vae=part("crisp"))
    final = with_sources(STILL, request, found, None)
    assert (final.image.asset_id, final.image.sha256, final.image.strength) == ("ast_1", "ast_1", 0.5)
    [one] = final.control
    assert (one.sha256, one.model, one.model_sha256, one.scale) == ("ast_2", "lines", "lines", 0.5)
    assert (final.vae.name, final.vae.sha256, final.clip_skip) == ("crisp", "crisp", 2)
    assert found.parents == ["ast_1", "ast_2"]
    assert {file.role: file.path for file in found.files()} == {
        "image": "ast_1.png", "vae": "crisp.safetensors", "control[0]": "ast_2.png", "controlnet[0]": "lines.safetensors",
    }  # fmt: skip
    assert found.names() == {
        "image.asset_id": "a woman", "control[0].asset_id": "a woman", "control[0].model": "lines", "vae": "crisp",
    }  # fmt: skip


@pytest.mark.parametrize(("steps", "least"), [(4, "0.25"), (30, "0.04"), (20, "0.05")])
def test_a_strength_that_leaves_no_step_is_told_with_the_least_that_does(steps, least):
    found = Sources(image=still())
    with pytest.raises(InvalidParams) as caught:
        with_sources(replace(STILL, steps=steps), asked(image=replace(IMAGE, strength=0.01)), found, None)
    assert caught.value.path == "image.strength"
    assert least in caught.value.detail["problem"]
    enough = replace(IMAGE, strength=float(least))
    assert with_sources(replace(STILL, steps=steps), asked(image=enough), found, None).image.strength == float(least)


async def test_a_mask_is_settled_to_the_stills_size():
    assert await settled_mask(None, 64, 64) is None
    assert (await settled_mask(MASK, 64, 32)).height == 32
