import asyncio

import pytest

from tendred.bus import Bus
from tendred.core.waiting import Waiting
from tendred.errors import NotFound
from tendred.fs import SystemFs
from tendred.queue.claim import claim
from tendred.queue.machine import CancelAsked, EngineDied, Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.store.database import Database

BROKEN = ErrorInfo(kind="engine_died", message="", path=None, next="", detail={}, ref="")


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def database(tmp_path, clock, bus):
    database = Database(
        tmp_path / "tendred.db", clock=clock, committed=SystemFs().committed, boot_id="boot_1", publish=bus.publish
    )
    database.open()
    yield database
    database.close()


@pytest.fixture
def queue(database):
    return Queue(database, limit=1000)


@pytest.fixture
def enqueue(queue, ids):
    async def one():
        sealed = Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m")
        new = NewJob(
            id=ids.new("job"), kind="still", lane="normal", request={}, asked={}, origin=Origin(door="rpc"),
            reviewed=sealed, removed=[], retry_of=None, key=None, key_hash=b"",
        )  # fmt: skip
        [(job, _)] = await queue.add([new])
        return job.id

    return one


@pytest.fixture
def wait(bus, queue):
    """`wait(job_id)`: a task that ends when the waiting does."""

    def begin(job_id, timeout_s=20):
        return asyncio.ensure_future(Waiting(bus).until_done(job_id, timeout_s, queue))

    return begin


async def test_a_job_that_has_ended_is_not_waited_for(queue, enqueue, wait):
    job_id = await enqueue()
    await queue.apply(job_id, CancelAsked())
    await asyncio.wait_for(wait(job_id), 10)


async def test_an_end_wakes_everybody_who_waits_for_it_and_nobody_else(database, queue, enqueue, wait):
    mine, other = await enqueue(), await enqueue()
    waiting = [wait(mine), wait(mine), wait(other)]
    await claim(database, queue)
    await queue.apply(mine, Finished())
    await asyncio.wait_for(asyncio.gather(*waiting[:2]), 10)
    assert not waiting[2].done()
    waiting[2].cancel()


async def test_a_parked_job_is_the_end_of_the_waiting(database, queue, enqueue, wait):
    job_id = await enqueue()
    waiting = wait(job_id)
    for _ in range(2):
        await claim(database, queue)
        await queue.apply(job_id, EngineDied(BROKEN))
    await asyncio.wait_for(waiting, 10)


async def test_patience_ends_without_a_failure(enqueue, wait, bus):
    await asyncio.wait_for(wait(await enqueue(), timeout_s=0.05), 10)
    assert bus._subscriptions == []


async def test_unknown_jobs_are_told(wait):
    with pytest.raises(NotFound):
        await wait("job_nope")


async def test_whoever_lags_behind_a_thousand_ends_looks_again(queue, enqueue, wait, bus):
    job_id = await enqueue()
    waiting = wait(job_id)
    async with asyncio.timeout(10):
        while not bus._subscriptions:
            await asyncio.sleep(0)
    others = [await enqueue() for _ in range(300)]
    # All in one transaction: their ends are told in one go, more than a listener's queue holds.
    await queue._database.write(lambda tx: [queue.apply_in(tx, other, CancelAsked()) for other in [*others, job_id]])
    await asyncio.wait_for(waiting, 10)
