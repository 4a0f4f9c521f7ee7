import pytest

from tendred.library.index import Index
from tendred.library.usage import Usage, enough
from tendred.schema.cache import Advice

from .test_index import asset


@pytest.fixture
async def index(database, tmp_path):
    index = Index(database, tmp_path)
    for number in range(4):
        made = asset(tmp_path, number, bytes=100 + number, tags=["fav"] if number == 0 else [])
        await database.write(lambda tx, made=made: index.add_in(tx, made, "x"))
    return index


async def test_sizes_are_added_up_once_and_then_as_they_come(database, index, tmp_path):
    usage = Usage(database)
    assert await usage.bytes() == 406
    await database.write(lambda tx: index.add_in(tx, asset(tmp_path, 9, bytes=1000), "x"))
    assert await usage.bytes() == 1406
    assert await Usage(database).bytes() == 1406


async def test_what_was_removed_could_go_first_then_the_oldest_without_a_tag(database, index):
    await index.set_state(f"ast_{3:026d}", "removed", "asset.removed")
    usage = Usage(database)
    assert [one.name[-1] for one in await usage.advice(1_000, 20)] == ["3", "1", "2"]
    assert [one.name[-1] for one in await usage.advice(104, 20)] == ["3", "1"]
    assert [one.bytes for one in await usage.advice(103, 20)] == [103]
    assert await usage.advice(0, 20) == await usage.advice(-5, 20) == []


def test_enough_is_no_more_than_it_takes():
    advice = [Advice(name=str(number), kind="lora", bytes=10, last_used_at=None) for number in range(5)]
    assert len(enough(advice, 11, 5)) == 2
    assert len(enough(advice, 99, 3)) == 3
