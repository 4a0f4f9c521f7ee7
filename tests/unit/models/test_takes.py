"""What a model takes: everything a request can ask of one is in the form, or refused by name."""

import json
import shutil

import pytest

from tendred.models.catalog import STARTER_PATH
from tendred.models.folder import FAMILIES, inspect
from tendred.models.takes import OF_THE_DAEMON, parameters, schedulers, weight
from tendred.schema.model import ModelDefaults
from tendred.schema.still import StillRequest


def form(folder):
    return {one.name: one for one in parameters(folder)}


@pytest.fixture
def of(tmp_path):
    """A folder of a family: the starter's parts under another name."""

    def make(pipeline, scheduler):
        folder = shutil.copytree(STARTER_PATH, tmp_path / pipeline, copy_function=shutil.copyfile)
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": pipeline}))
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": scheduler}))
        return inspect(folder, "m")

    return make


def test_the_starters_form():
    takes = form(inspect(STARTER_PATH, "starter"))
    width, steps = takes["width"], takes["steps"]
    assert (width.default, width.minimum, width.maximum, width.multiple) == (128, 64, 1024, 8)
    assert (steps.type, steps.default, steps.minimum, steps.maximum) == ("integer", 20, 1, 200)
    assert takes["guidance"].type == "number"
    assert takes["scheduler"].choices == ["ddim", "dpmpp_2m", "dpmpp_sde", "euler", "euler_a", "heun", "pndm", "unipc"]
    assert takes["seed"].default is None
    assert all(one.description for one in takes.values())


@pytest.mark.parametrize("pipeline", sorted(FAMILIES))
def test_every_field_is_taken_refused_or_none_of_a_models_business(of, pipeline):
    folder = of(pipeline, "FlowMatchEulerDiscreteScheduler")
    taken = set(form(folder))
    assert taken | set(folder.lacks) | OF_THE_DAEMON == set(StillRequest.__struct_fields__)
    assert not taken & set(folder.lacks)


def test_flux_has_no_negative_prompt_and_one_scheduler(of):
    folder = of("FluxPipeline", "FlowMatchEulerDiscreteScheduler")
    assert folder.lacks == ("negative_prompt",)
    assert form(folder)["scheduler"].choices == ["flow_euler"]


@pytest.mark.parametrize(("own", "fit"), [("euler", 8), ("DDPMScheduler", 9), ("SomethingScheduler", 1), ("lcm", 1)])
def test_a_models_own_scheduler_always_fits(own, fit):
    found = schedulers(ModelDefaults(width=8, height=8, steps=1, guidance=0, scheduler=own, multiple=8))
    assert own in found
    assert len(found) == fit


def test_a_loras_weight():
    one = weight()
    assert (one.name, one.default, one.minimum, one.maximum) == ("weight", 1.0, -4, 4)
