import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from tendred.core.again import engine_differences, recipe
from tendred.errors import StillNotOurs
from tendred.schema.asset import EngineInfo, Identity
from tendred.schema.still import Repeat, Variation
from tendred.testing.orders import STILL
from tendred.testing.studio import FakeStudio

THEN = EngineInfo(
    version="0.1", torch="2.13", diffusers="0.42", device="cpu", dtype="float32", threads=2, batch_size=1,
    hardware="a chip", libraries={"peft": "1", "numpy": "2"},
)  # fmt: skip
NOW = Identity(
    version="0.1", torch="2.13", diffusers="0.42", device="cpu", threads=2, hardware="a chip",
    libraries={"peft": "1", "numpy": "2"}, dtypes={"unet": "float32"},
)  # fmt: skip


@pytest.fixture
def asset(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    return replace(FakeStudio().add_asset(file), settings=to_builtins(STILL))


def test_a_recipe_is_the_request_that_was_settled(asset):
    assert recipe(asset) == STILL


def test_a_recipe_of_a_repetition_is_what_it_repeats(asset):
    step = Variation(asset_id="ast_1", seed=3, strength=0.5)
    made = replace(STILL, again=Repeat(asset_id="ast_2", pixels_sha256="", promised=True), variations=[step])
    assert recipe(replace(asset, settings=to_builtins(made))) == replace(made, again=None)


def test_what_an_older_version_did_not_write_down_is_left_as_it_was_then(asset):
    old = {name: value for name, value in asset.settings.items() if name not in {"again", "variations", "character"}}
    assert recipe(replace(asset, settings=old)) == STILL


@pytest.mark.parametrize("kind", ["sheet", "clip"])
def test_only_what_was_drawn_has_one(asset, kind):
    with pytest.raises(StillNotOurs) as caught:
        recipe(replace(asset, kind=kind))
    assert caught.value.detail["asset_id"] == asset.id


def test_the_same_engine_has_no_differences():
    assert engine_differences(THEN, NOW, "float32") == []


@pytest.mark.parametrize(
    ("then", "now", "dtype", "what"),
    [
        ({}, {"torch": "2.14"}, "float32", "torch"),
        ({}, {"diffusers": "0.43"}, "float32", "diffusers"),
        ({}, {"version": "0.2"}, "float32", "version"),
        ({}, {"device": "cuda"}, "float32", "device"),
        ({}, {"hardware": "another chip"}, "float32", "hardware"),
        ({}, {"threads": 1}, "float32", "threads"),
        ({}, {}, "float16", "dtype"),
        ({"batch_size": 4}, {}, "float32", "batch_size"),
        ({}, {"libraries": {"peft": "2", "numpy": "2"}}, "float32", "libraries.peft"),
        ({}, {"libraries": {"numpy": "2"}}, "float32", "libraries.peft"),
        ({}, {"libraries": {"peft": "1", "numpy": "2", "more": "1"}}, "float32", "libraries.more"),
        ({"hardware": ""}, {}, "float32", "hardware"),
    ],
)
def test_whatever_may_change_the_last_bits_is_one(then, now, dtype, what):
    [found] = engine_differences(replace(THEN, **then), replace(NOW, **now), dtype)
    assert found.what == what
    assert found.then != found.now


def test_what_was_not_written_down_is_null():
    [found] = engine_differences(replace(THEN, hardware=""), NOW, "float32")
    assert (found.then, found.now) == (None, "a chip")
    # Nobody can promise for chips that neither then nor now have a name.
    assert engine_differences(replace(THEN, hardware=""), replace(NOW, hardware=""), "float32")
