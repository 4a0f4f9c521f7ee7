"""What a model takes: everything a request can ask of one is in the form, or refused by name."""

import pytest
from msgspec.structs import replace

from tendred.models.catalog import STARTER_PATH
from tendred.models.folder import FAMILIES, inspect
from tendred.models.takes import OF_THE_DAEMON, lacks, parameters, schedulers, weight
from tendred.schema.model import ModelDefaults
from tendred.schema.source import Source
from tendred.schema.still import StillRequest
from tendred.testing.headers import folder


def form(folder):
    return {one.name: one for one in parameters(folder)}


@pytest.fixture
def of(tmp_path):
    """What a folder of a family is."""

    def make(pipeline, scheduler):
        return inspect(folder(tmp_path / pipeline, {"w": [1]}, pipeline, scheduler), "m")

    return make


def test_the_starters_form():
    takes = form(inspect(STARTER_PATH, "starter"))
    width, steps = takes["width"], takes["steps"]
    assert (width.default, width.minimum, width.maximum, width.multiple) == (128, 64, 1024, 8)
    assert (steps.type, steps.default, steps.minimum, steps.maximum) == ("integer", 10, 1, 200)
    assert takes["guidance"].type == "number"
    assert takes["scheduler"].choices == [
        "ddim",
        "dpmpp_2m",
        "dpmpp_sde",
        "euler",
        "euler_a",
        "heun",
        "lcm",
        "pndm",
        "unipc",
    ]
    assert takes["seed"].default is None
    assert all(one.description for one in takes.values())


@pytest.mark.parametrize("pipeline", sorted(FAMILIES))
def test_every_field_is_taken_refused_or_none_of_a_models_business(of, pipeline):
    model = of(pipeline, "FlowMatchEulerDiscreteScheduler")
    taken = {name.partition(".")[0] for name in form(model)}
    assert taken | set(lacks(model)) | OF_THE_DAEMON == set(StillRequest.__struct_fields__)
    assert not taken & set(lacks(model))


def test_flux_has_no_negative_prompt_and_one_scheduler(of):
    model = of("FluxPipeline", "FlowMatchEulerDiscreteScheduler")
    assert lacks(model) == ["negative_prompt", "clip_skip"]
    assert form(model)["scheduler"].choices == ["flow_euler"]


@pytest.mark.parametrize(("own", "fit"), [("euler", 9), ("DDPMScheduler", 10), ("SomethingScheduler", 1), ("lcm", 1)])
def test_a_models_own_scheduler_always_fits(own, fit):
    found = schedulers(ModelDefaults(width=8, height=8, steps=1, guidance=0, scheduler=own, multiple=8))
    assert own in found
    assert len(found) == fit


def test_a_loras_weight():
    one = weight()
    assert (one.name, one.default, one.minimum, one.maximum) == ("weight", 1.0, 0, 4)


def test_what_begins_with_a_picture_and_how_far_the_encoder_is_read():
    takes = form(inspect(STARTER_PATH, "starter"))
    strength = takes["image.strength"]
    assert (strength.minimum, strength.maximum, strength.default) == (0.01, 1, Source(asset_id="a").strength)
    assert [*takes].index("image") + 1 == [*takes].index("image.strength")
    assert takes["clip_skip"].minimum == 1
    assert 1 <= takes["clip_skip"].maximum < 12


def test_what_a_family_lacks_is_told():
    starter = inspect(STARTER_PATH, "starter")
    assert lacks(replace(starter, pipeline="Flux2Pipeline")) == [
        "negative_prompt",
        "image",
        "mask",
        "control",
        "clip_skip",
    ]
    assert {"image", "mask"} <= set(form(replace(starter, pipeline="Flux2KleinPipeline")))
    assert lacks(replace(starter, guided=False)) == ["guidance"]
    other = replace(starter, pipeline="SomethingNewPipeline")
    assert set(form(other)).isdisjoint({"image", "mask", "control", "clip_skip"})
    assert "negative_prompt" in form(other)
