from pathlib import Path

import pytest

from tendred.models.hashes import Hashes

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
