from msgspec.structs import replace

from tendred.models.catalog import STARTER_PATH
from tendred.models.folder import inspect
from tendred.models.takes import NATIVE_TIMES, takes
from tendred.schema.source import Source
from tendred.schema.still import StillRequest


def shown(**changes):
    return {one.name: one for one in takes(replace(inspect(STARTER_PATH, "starter"), **changes))}


def test_a_form_can_be_drawn_for_the_starter():
    fields = shown()
    assert [*fields][:4] == ["prompt", "negative_prompt", "width", "height"]
    width = fields["width"]
    assert (width.type, width.default, width.least, width.most, width.step) == ("int", 128, 64, 128 * NATIVE_TIMES, 8)
    assert (fields["steps"].default, fields["steps"].least, fields["steps"].most) == (20, 1, 200)
    assert (fields["guidance"].type, fields["guidance"].default, fields["guidance"].most) == ("float", 4.0, 50)
    assert fields["scheduler"].default == "euler"
    assert "flow_euler" not in fields["scheduler"].choices
    assert fields["clip_skip"].least == 1
    strength = fields["image.strength"]
    assert (strength.least, strength.most, strength.default) == (0.01, 1, Source(asset_id="a").strength)


def test_every_name_is_a_field_of_a_request():
    assert {name.partition(".")[0] for name in shown()} <= set(StillRequest.__struct_fields__)


def test_what_a_family_lacks_is_not_shown():
    flux2 = shown(pipeline="Flux2Pipeline")
    assert set(flux2).isdisjoint({"negative_prompt", "image", "mask", "control", "clip_skip"})
    assert set(shown(pipeline="Flux2KleinPipeline")) >= {"image", "mask"}
    assert "guidance" not in shown(guided=False)
    other = shown(pipeline="SomethingNewPipeline")
    assert set(other).isdisjoint({"image", "mask", "control"})
    assert "negative_prompt" in other


def test_a_model_of_flows_is_offered_their_schedulers():
    defaults = replace(inspect(STARTER_PATH, "starter").defaults, scheduler="flow_euler")
    assert shown(defaults=defaults)["scheduler"].choices == ["flow_euler"]
    own = replace(defaults, scheduler="SomethingNewScheduler")
    assert "SomethingNewScheduler" in shown(defaults=own)["scheduler"].choices
