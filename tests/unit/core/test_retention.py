import asyncio

import pytest

from tendred.core.retention import BATCH, DAY_S, EVERY_S, Retention
from tendred.queue.machine import CancelAsked
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed


@pytest.fixture
def end(database, ids):
    """`await end(5)`: so many jobs are cancelled."""
    queue = Queue(database, limit=10_000)

    def new():
        return NewJob(
            id=ids.new("job"), kind="still", lane="normal", request={}, asked={}, origin=Origin(door="rpc"),
            reviewed=Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m"), removed=[], retry_of=None,
            key=None, key_hash=b"",
        )  # fmt: skip

    def work(tx, count):
        for _ in range(count):
            queue.apply_in(tx, queue.add_in(tx, new())[0].id, CancelAsked())

    return lambda count: database.write(lambda tx: work(tx, count))


async def left(rows):
    return (await rows("SELECT count(*) FROM job"))[0][0]


@pytest.mark.parametrize(("days", "kept"), [(0, 6), (1, 1), (2, 3), (30, 6)])
async def test_days(database, clock, end, rows, days, kept):
    for count in (3, 2, 1):
        await end(count)
        clock.advance(DAY_S - 1)
    assert await Retention(database, clock, days=days, jobs=0).forget() == 6 - kept
    assert await left(rows) == kept


async def test_a_number_beyond_the_last_day(database, clock, end, rows):
    await end(5)
    clock.advance(DAY_S + 1)
    await end(4)
    assert await Retention(database, clock, days=0, jobs=6).forget() == 3
    assert await Retention(database, clock, days=0, jobs=2).forget() == 2
    assert await left(rows) == 4, "the last day's"


async def test_all_of_it_in_small_transactions(database, clock, end, rows):
    await end(2 * BATCH + 1)
    clock.advance(2 * DAY_S)
    assert await Retention(database, clock, days=1, jobs=0).forget() == 2 * BATCH + 1
    assert await rows("SELECT count(*) FROM event") == [(0,)]


async def test_it_looks_at_start_and_every_hour(database, clock, end, rows):
    await end(1)
    clock.advance(2 * DAY_S)
    running = asyncio.ensure_future(Retention(database, clock, days=1, jobs=0).run())
    await clock.somebody_sleeps()
    assert await left(rows) == 0
    await end(1)
    clock.advance(EVERY_S * 25)
    async with asyncio.timeout(10):
        while await left(rows):
            await asyncio.sleep(0)
    await clock.somebody_sleeps()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
