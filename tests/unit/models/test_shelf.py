import os

import pytest

from tendred.errors import ModelRefused, NotFound
from tendred.models.shelf import PACKAGED, Shelf
from tendred.schema.weights import file_sha256
from tendred.testing.loras import mira, write


@pytest.fixture
def roots(tmp_path):
    return [tmp_path / "package", tmp_path / "mine"]


@pytest.fixture
def shelf(database, roots):
    return Shelf(database, roots)


async def test_nothing_is_there_without_folders(shelf):
    assert await shelf.list() == []
    with pytest.raises(NotFound) as caught:
        await shelf.lora("mira", "loras[0].name")
    assert (caught.value.path, caught.value.detail["noun"], caught.value.detail["near"]) == (
        "loras[0].name",
        "LoRA",
        [],
    )


async def test_what_ships_and_what_is_the_users(shelf, roots):
    file = mira(roots[0])
    write(roots[1] / "loras" / "ink.safetensors")
    write(roots[1] / "upscalers" / "drawn-x2.safetensors", {"body.0.weight": [4, 3, 3, 3]}, about={"family": "compact"})
    assert [(one.name, one.kind, one.state) for one in await shelf.list()] == [
        ("drawn-x2", "upscaler", "ready"), ("ink", "lora", "ready"), ("mira", "lora", "ready"),
    ]  # fmt: skip
    [upscaler] = await shelf.list("upscaler")
    assert upscaler.family == "compact"
    assert [one.name for one in await shelf.list("lora")] == ["ink", "mira"]
    assert await shelf.list("vae") == []
    assert [(await shelf.lora(name)).ships for name in ("mira", "ink")] == [True, False]
    listed = next(one for one in await shelf.list("lora") if one.name == "mira")
    assert (listed.family, listed.licence, listed.source) == ("sdxl", "Apache-2.0", "made by a test")
    assert (listed.path, listed.bytes, listed.sha256) == (str(file), file.stat().st_size, file_sha256(file))


async def test_a_users_file_never_takes_the_place_of_what_ships(shelf, roots):
    file = mira(roots[0])
    write(roots[1] / "loras" / "mira.safetensors", seed=1)
    assert [one.path for one in await shelf.list()] == [str(file)]
    assert (await shelf.lora("mira")).sha256 == file_sha256(file)


async def test_missing_names_offer_near_ones(shelf, roots):
    for name in ("ink", "paper"):
        write(roots[1] / "loras" / f"{name}.safetensors")
    with pytest.raises(NotFound) as caught:
        await shelf.lora("inc")
    assert caught.value.detail["near"] == ["ink"]


async def test_a_file_or_a_note_that_changed_is_looked_at_again(shelf, roots):
    file = write(roots[1] / "loras" / "ink.safetensors")
    first = await shelf.lora("ink")
    write(file, seed=1, about={"base": "starter"})
    second = await shelf.lora("ink")
    assert first.sha256 != second.sha256 == file_sha256(file)
    assert second.adapter.about.base == "starter"
    file.with_suffix(".json").unlink()
    assert (await shelf.lora("ink")).adapter.about.base is None


async def test_what_can_not_be_used_is_listed_with_the_reason(shelf, roots):
    folder = roots[1] / "loras"
    write(folder / "both.safetensors")
    for name in ("old.pt", "both.ckpt", "broken.safetensors"):
        (folder / name).write_bytes(b"\x80\x04")
    os.mkfifo(folder / "pipe.safetensors")
    (folder / "gone.safetensors").symlink_to("/nonexistent")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.safetensors").write_bytes(b"")
    listed = {one.name: (one.state, (one.reason or "").partition(":")[0]) for one in await shelf.list()}
    assert listed == {
        "both": ("ready", ""), "old": ("refused", "pickle"), "broken": ("refused", "header"),
        "pipe": ("refused", "header"), "gone": ("refused", "header"),
    }  # fmt: skip
    for name in ("old", "broken", "pipe", "gone"):
        with pytest.raises(ModelRefused) as caught:
            await shelf.lora(name, "loras[1].name")
        assert (caught.value.variant, caught.value.path) == ("lora", "loras[1].name")


async def test_what_the_package_holds_is_in_order(database):
    """Holds while nothing ships, too."""
    for one in await Shelf(database, [PACKAGED]).list():
        assert (one.state, bool(one.licence), bool(one.source)) == ("ready", True, True), one
        if one.kind == "lora":
            about = (await Shelf(database, [PACKAGED]).lora(one.name)).adapter.about
            assert (about.name, about.base) == (one.name, "starter")
