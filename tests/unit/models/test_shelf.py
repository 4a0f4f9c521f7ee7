import asyncio
import os

import pytest

from tendred.errors import InvalidParams, ModelRefused, NotFound
from tendred.models.shelf import PACKAGED, Shelf
from tendred.schema.weights import file_sha256
from tendred.testing.headers import compact, header, sparse, vae
from tendred.testing.loras import layers, mira, shapes, write


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
    write(roots[1] / "upscalers" / "drawn-x2.safetensors", compact(2, features=4), about={"family": "compact"})
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
        "both": ("ready", ""), "old": ("refused", "pickle"), "broken": ("refused", "pickle"),
        "pipe": ("refused", "header"), "gone": ("refused", "header"),
    }  # fmt: skip
    for name in ("old", "broken", "pipe", "gone"):
        with pytest.raises(ModelRefused) as caught:
            await shelf.lora(name, "loras[1].name")
        assert (caught.value.variant, caught.value.path) == ("lora", "loras[1].name")


async def test_a_file_is_added_where_it_is(shelf, roots, tmp_path):
    file = write(tmp_path / "elsewhere" / "ink.safetensors")
    file.with_suffix(".json").write_text("[another program's]")
    added = await shelf.add(str(file), None)
    assert (added.name, added.kind, added.path, added.sha256) == ("ink", "lora", str(file), file_sha256(file))
    assert (await shelf.lora("ink")).path == str(file)
    assert await shelf.add(str(file), None) == added
    assert not roots[1].exists()
    file.unlink()
    [gone] = await shelf.list()
    assert (gone.state, gone.reason) == ("missing", "its file is gone")
    with pytest.raises(ModelRefused):
        await shelf.lora("ink")
    [place] = await shelf.find("ink")
    await shelf.forget(place)
    assert await shelf.list() == []


async def test_one_name_asked_for_twice_at_once_is_given_once(shelf, tmp_path):
    """Both look before either has its row: hashing comes in between."""
    files = [write(tmp_path / name / "ink.safetensors") for name in ("a", "b")]
    told = await asyncio.gather(*(shelf.add(str(file), None) for file in files), return_exceptions=True)
    [refused] = [one for one in told if isinstance(one, InvalidParams)]
    [added] = [one for one in told if one is not refused]
    assert refused.path == "name"
    [place] = await shelf.find("ink")
    assert str(place.path) == added.path


async def test_every_kind_has_its_place(shelf, roots, tmp_path):
    sparse(roots[1] / "vaes" / "fine.safetensors", vae())
    added = await shelf.add(str(sparse(tmp_path / "x2.safetensors", compact())), "double")
    assert (added.kind, added.family) == ("upscaler", "compact")
    assert [(one.name, one.kind, one.family) for one in await shelf.list()] == [
        ("double", "upscaler", "compact"), ("fine", "vae", "sd15|sdxl"),
    ]  # fmt: skip
    sparse(roots[1] / "upscalers" / "wrong.safetensors", vae())
    [wrong] = [one for one in await shelf.list() if one.name == "wrong"]
    assert (wrong.state, wrong.reason) == ("refused", "family: it is an autoencoder, not an upscaler")


async def test_names_are_taken_once(shelf, roots, tmp_path):
    write(roots[1] / "loras" / "ink.safetensors")
    other = str(write(tmp_path / "elsewhere" / "ink.safetensors", seed=3))
    with pytest.raises(InvalidParams) as caught:
        await shelf.add(other, None)
    assert caught.value.path == "name"
    assert (await shelf.add(other, "ink 2")).path == other
    for name in ("x" * 129, "a\nb"):
        with pytest.raises(InvalidParams):
            await shelf.add(other, name)


@pytest.mark.parametrize("path", ["relative.safetensors", "/no/such.safetensors"])
async def test_bad_paths(shelf, path):
    with pytest.raises(InvalidParams) as caught:
        await shelf.add(path, None)
    assert caught.value.path == "path"


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason"),
    [
        ("renamed.safetensors", b"\x80\x04\x95pickle", None, "pickle"),
        ("old.pt", b"\x80\x04", None, "pickle"),
        ("huge.safetensors", (200 << 20).to_bytes(8, "little") + b"{}", None, "header"),
        ("overlap.safetensors", b"OVERLAP", None, "header"),
        ("cut.safetensors", header(compact())[:-1], None, "header"),
        ("compact.safetensors", None, "lora", "family"),
    ],
)
async def test_bad_files_are_refused_and_nothing_is_kept(shelf, tmp_path, name, content, kind, reason):
    if content == b"OVERLAP":
        text = (
            b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}'
        )
        content = len(text).to_bytes(8, "little") + text + bytes(6)
    if content is None:
        sparse(tmp_path / name, compact())
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelRefused) as caught:
        await shelf.add(str(tmp_path / name), None, kind)
    assert caught.value.detail["reason"] == reason
    assert await shelf.list() == []


async def test_a_lora_of_rank_0_is_refused(shelf, tmp_path):
    layer, (wide, high) = next(iter(layers().items()))
    keys = {f"unet.{layer}.lora_A.weight": [0, wide], f"unet.{layer}.lora_B.weight": [high, 0]}
    with pytest.raises(ModelRefused) as caught:
        await shelf.add(str(write(tmp_path / "none.safetensors", keys)), None)
    assert "rank" in caught.value.detail["problem"]


async def test_a_lora_with_values_that_are_no_numbers_is_refused_for_as_long_as_it_has_them(shelf, roots):
    file = write(roots[1] / "loras" / "ink.safetensors", shapes(layers()))
    good = file.read_bytes()
    file.write_bytes(good[:-4] + b"\x00\x00\xc0\x7f")
    [listed] = await shelf.list()
    assert listed.state == "ready"  # its header is: only reading all of it tells
    for _ in range(2):
        with pytest.raises(ModelRefused) as caught:
            await shelf.lora("ink", "loras[0].name")
        assert (caught.value.detail["reason"], caught.value.path) == ("values", "loras[0].name")
    [listed] = await shelf.list()
    assert (listed.state, listed.sha256) == ("refused", None)
    assert "no numbers" in listed.reason
    file.write_bytes(good)
    assert (await shelf.lora("ink")).sha256 == file_sha256(file)


async def test_the_last_use_is_kept(shelf, roots, tmp_path, database, clock):
    write(roots[1] / "loras" / "ink.safetensors")
    await shelf.add(str(write(tmp_path / "far.safetensors", seed=2)), None)
    loras = [await shelf.lora(name) for name in ("ink", "far")]
    assert [one.last_used_at for one in await shelf.list()] == [None, None]
    await database.write(lambda tx: shelf.used_in(tx, loras))
    assert all(one.last_used_at for one in await shelf.list())
    assert (await shelf.lora("far")).path == str(tmp_path / "far.safetensors")


async def test_what_the_package_holds_is_in_order(database):
    """Holds while nothing ships, too."""
    for one in await Shelf(database, [PACKAGED]).list():
        assert (one.state, bool(one.licence), bool(one.source)) == ("ready", True, True), one
        if one.kind == "lora":
            about = (await Shelf(database, [PACKAGED]).lora(one.name)).adapter.about
            assert (about.name, about.base) == (one.name, "starter")
