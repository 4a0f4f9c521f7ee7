import pytest

from tendred.core.loras import check_fit, path_of, resolved
from tendred.errors import InvalidParams, ModelRefused, NotFound
from tendred.models.catalog import Catalog
from tendred.models.shelf import Shelf
from tendred.schema.still import LoraUse
from tendred.testing.loras import shapes, write


@pytest.fixture
def shelf(database, tmp_path):
    return Shelf(database, [tmp_path / "package", tmp_path])


@pytest.fixture
def fit(shelf, tmp_path, database):
    """`await fit(keys, about)`: whether the starter takes it."""

    async def check(keys=None, about=None):
        write(tmp_path / "loras" / "ink.safetensors", keys, about=about or {})
        found = await resolved(shelf, [LoraUse(name="ink")])
        await check_fit(found, await Catalog(database).get("starter"), lambda number: f"here {number}")

    return check


async def test_files_come_in_the_order_of_the_names(shelf, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "loras" / f"{name}.safetensors")
    assert [lora.name for lora in await resolved(shelf, [LoraUse(name="b"), LoraUse(name="a")])] == ["b", "a"]
    with pytest.raises(InvalidParams) as twice:
        await resolved(shelf, [LoraUse(name="b"), LoraUse(name="b", weight=0.5)])
    assert twice.value.path == path_of(1) == "loras[1].name"
    with pytest.raises(NotFound) as missing:
        await resolved(shelf, [LoraUse(name="c")], lambda _: "character")
    assert missing.value.path == "character"


async def test_what_was_made_for_the_model_fits(fit):
    await fit()
    await fit(about={"family": "sdxl", "base": "starter"})


@pytest.mark.parametrize(
    ("keys", "about", "variant", "words"),
    [
        (shapes({"mid_block.attn2.to_k": (768, 320)}), None, "family", "made for sd15"),
        (shapes({"mid_block.attn2.to_k": (2048, 640)}), None, "family", "no such layer"),
        (shapes({"transformer_blocks.0.attn.to_q": (8, 8)}, "transformer."), None, "family", "the model has none"),
        (None, {"base": "other"}, "base", ""),
    ],
)
async def test_what_was_not_is_refused_before_anything_is_loaded(fit, keys, about, variant, words):
    with pytest.raises(ModelRefused) as caught:
        await fit(keys, about)
    assert (caught.value.variant, caught.value.path, caught.value.detail["reason"]) == (variant, "here 0", "family")
    assert words in str(caught.value.detail.get("problem", ""))
