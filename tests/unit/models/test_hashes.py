from pathlib import Path

import pytest

from tendred.models.hashes import Hashes, Known
from tendred.schema.weights import file_fingerprint, file_sha256, weights_sha256

FILE = Path("/models/a")


async def test_a_hash_is_computed_once_for_as_long_as_nothing_changes(database):
    hashes, computed = Hashes(database), []

    def compute():
        computed.append(None)
        return f"hash {len(computed)}"

    assert await hashes.known(FILE, "one") is None
    assert [await hashes.of(FILE, "one", compute) for _ in range(2)] == ["hash 1", "hash 1"]
    assert await hashes.of(FILE, "two", compute) == "hash 2"
    assert [await Hashes(database).known(FILE, mark) for mark in ("one", "two")] == [None, "hash 2"]


async def test_what_can_not_be_computed_is_not_remembered(database):
    hashes = Hashes(database)

    def broken():
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        await hashes.of(FILE, "one", broken)
    assert await hashes.known(FILE, "one") is None


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    for name in ("unet/a.safetensors", "config.json", "old.bin", "tendred.json"):
        (folder / name).write_text(name)
    return folder


async def test_a_folder_hashes_to_what_the_child_finds_and_file_by_file(database, folder):
    hashes = Hashes(database)
    assert await hashes.of_folder(folder) == weights_sha256(folder)
    known = await hashes.last(folder)
    assert sorted(known) == [str(folder / "config.json"), str(folder / "unet" / "a.safetensors")]
    file = folder / "config.json"
    assert known[str(file)] == Known(file_fingerprint(file), file_sha256(file))


async def test_only_what_changed_is_read_again(database, folder):
    hashes = Hashes(database)
    await hashes.of_folder(folder)
    file = folder / "unet" / "a.safetensors"
    # Were it read again, this would show.
    await hashes.remember(folder / "config.json", file_fingerprint(folder / "config.json"), "0" * 64)
    file.write_text("other weights")
    changed = await hashes.of_folder(folder)
    assert changed != weights_sha256(folder)
    known = await hashes.last(folder)
    assert known[str(folder / "config.json")].sha256 == "0" * 64
    assert known[str(file)].sha256 == file_sha256(file)


async def test_the_same_path_on_another_device_or_inode_is_another_file(database, folder, tmp_path):
    file = folder / "config.json"
    before = file_fingerprint(file)
    twin = tmp_path / "config.json"
    twin.write_text("config.json")
    twin.replace(file)
    assert file_fingerprint(file) != before
