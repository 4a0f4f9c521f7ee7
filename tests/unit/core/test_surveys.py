import asyncio
import os
import shutil

import pytest

from tendred.errors import InvalidParams
from tendred.models.places import Spot
from tendred.testing import headers as made
from tendred.testing.headers import sparse
from tendred.testing.loras import write

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def comfy(stock):
    """ComfyUI's folder with one of everything."""
    root = stock.root / "ComfyUI"
    write(root / "models" / "loras" / "ink.safetensors", metadata={"modelspec.license": "CC0"})
    sparse(root / "models" / "upscale_models" / "4x.safetensors", made.esrgan())
    sparse(root / "models" / "checkpoints" / "dreamy.safetensors", made.sd15())
    (root / "models" / "loras" / "old.ckpt").write_bytes(bytes(9000))
    shutil.copytree(stock.folder("mine"), root / "models" / "diffusers" / "mine")
    return root


def states(scan):
    return {found.name: (found.kind, found.state) for found in scan.found}


def files(check):
    return {file.file: file.state for file in check.files}


async def test_a_scan_only_tells(stock, comfy):
    stock.well_known = [Spot(comfy, "comfyui"), Spot(stock.root / "nowhere", "a1111")]
    scan = await stock.surveys.scan([], known_places=True, add=False)
    assert [(place.tool, place.state) for place in scan.places] == [("comfyui", "ok"), ("a1111", "missing")]
    assert states(scan) == {
        "ink": ("lora", "new"), "4x": ("upscaler", "new"), "dreamy": ("model", "new"), "old": (None, "refused"),
        "mine": ("model", "new"),
    }  # fmt: skip
    assert (scan.added, scan.whole) == ([], True)
    assert [model.name for model in await stock.catalog.list()] == ["starter"]
    assert await stock.shelf.list() == []


async def test_with_add_what_is_new_is_used_where_it_is(stock, comfy):
    write(stock.own / "loras" / "ink.safetensors", seed=9)
    scan = await stock.surveys.scan([str(comfy)], known_places=False, add=True)
    assert sorted((one.kind, one.name, one.state) for one in scan.added) == [
        ("lora", "ink-2", "ready"), ("model", "dreamy", "ready"), ("model", "mine", "ready"), ("upscaler", "4x", "ready"),
    ]  # fmt: skip
    assert all(one.path.startswith(str(comfy)) for one in scan.added)
    again = await stock.surveys.scan([str(comfy)], known_places=False, add=True)
    assert again.added == []
    assert {name: state for name, (_, state) in states(again).items() if state != "refused"} == {
        "ink": "known", "4x": "known", "mine": "known", "dreamy": "known",
    }  # fmt: skip


async def test_what_turns_out_bad_while_it_is_added_is_told(stock):
    file = write(stock.root / "far" / "ink.safetensors")
    file.write_bytes(file.read_bytes()[:-4] + b"\x00\x00\xc0\x7f")
    scan = await stock.surveys.scan([str(file.parent)], known_places=False, add=True)
    assert scan.added == []
    assert scan.found[0].state == "refused"
    assert "no numbers" in scan.found[0].reason


@pytest.mark.parametrize("path", ["relative", "/no/such/folder"])
async def test_bad_folders_are_named(stock, path):
    with pytest.raises(InvalidParams) as caught:
        await stock.surveys.scan([str(stock.root), path], known_places=False, add=False)
    assert caught.value.path == "folders[1]"


async def test_progress_is_told_and_never_stored(stock, comfy, rows):
    heard = stock.bus.subscribe(["model."])
    await stock.surveys.scan([str(comfy)], known_places=False, add=False)
    event = await asyncio.wait_for(heard.get(), 5)
    assert (event.topic, event.seq, event.data["progress"]["found"]) == ("model.scanning", None, 5)
    await stock.surveys.verify([], await stock.shelf.places(), all_of_it=False)
    assert await rows("SELECT * FROM event") == []


async def checked(stock, all_of_it=True):
    models = [model for model in await stock.catalog.list() if model.name != "starter"]
    return await stock.surveys.verify(models, await stock.shelf.places(), all_of_it=all_of_it)


def spoil(path):
    """Other bytes at the same size and times, as a bad disk would leave them: ctime alone tells, and is put back too."""
    seen = path.stat()
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"oops")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


async def test_files_that_are_as_they_were(stock):
    await stock.catalog.add(str(stock.folder("mine")), None)
    await stock.shelf.add(str(write(stock.root / "far" / "ink.safetensors")), None)
    told = await checked(stock)
    assert [(one.name, one.state) for one in told.models] == [("mine", "ok"), ("ink", "ok")]
    assert set(files(told.models[0]).values()) == {"ok"}
    assert told.bytes > 10_000
    assert told.orphans == []


async def test_a_file_that_changed_is_named_and_then_known(stock):
    folder = stock.folder("mine")
    await stock.catalog.add(str(folder), None)
    spoil(folder / WEIGHTS)
    [told] = (await checked(stock)).models
    assert told.state == "changed"
    assert [name for name, state in files(told).items() if state != "ok"] == [WEIGHTS]
    assert [one.state for one in (await checked(stock)).models] == ["ok"]


async def test_bytes_that_changed_by_themselves_are_damage_until_the_file_is_replaced(stock):
    folder = stock.folder("mine")
    await stock.catalog.add(str(folder), None)
    known = (await stock.hashes.last(folder))[str(folder / WEIGHTS)]
    # What a disk that loses bits leaves: the same file by every mark, and other bytes than were hashed.
    await stock.hashes.remember(folder / WEIGHTS, known.fingerprint, "0" * 64)
    for _ in range(2):
        [told] = (await checked(stock)).models
        assert (told.state, files(told)[WEIGHTS]) == ("damaged", "damaged")


async def test_missing_refused_and_truncated(stock):
    for name in ("gone", "code", "cut", "fewer"):
        await stock.catalog.add(str(stock.folder(name)), None)
    elsewhere = stock.root / "elsewhere"
    shutil.rmtree(elsewhere / "gone")
    (elsewhere / "code" / "run.py").write_text("x")
    os.truncate(elsewhere / "cut" / WEIGHTS, 1000)
    (elsewhere / "fewer" / "tokenizer" / "tokenizer_config.json").unlink()
    ink = write(stock.root / "far" / "ink.safetensors")
    await stock.shelf.add(str(ink), None)
    ink.unlink()
    told = {one.name: one for one in (await checked(stock)).models}
    assert {name: one.state for name, one in told.items()} == {
        "gone": "missing", "code": "refused", "cut": "refused", "fewer": "missing", "ink": "missing",
    }  # fmt: skip
    assert "run.py is code" in told["code"].reason
    assert files(told["fewer"])["tokenizer/tokenizer_config.json"] == "missing"


async def test_orphans_are_told_only_where_everything_is_looked_at(stock):
    write(stock.own / "loras" / "ink.safetensors", about={"licence": "CC0"})
    (stock.own / "loras" / "half.part").write_bytes(b"123")
    assert [(one.path, one.bytes) for one in (await checked(stock)).orphans] == [
        (str(stock.own / "loras" / "half.part"), 3)
    ]
    assert (await checked(stock, all_of_it=False)).orphans == []
