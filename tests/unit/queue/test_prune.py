import pytest

from tendred.clock import Ids, SystemRng
from tendred.queue.claim import claim
from tendred.queue.machine import EngineDied, Finished
from tendred.queue.prune import prune
from tendred.queue.store import NewJob, Queue
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.testing.clock import START, ManualClock

BROKEN = ErrorInfo(kind="engine_died", message="m", path=None, next="n", detail={}, ref="r")
DONE = Finished()
FOR_EVER = 2e12


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def queue(database):
    return Queue(database, limit=1000)


@pytest.fixture
def ended(database, queue, clock):
    """`await ended(3)`: ids of so many jobs that ended, ten seconds apart."""
    ids = Ids(clock, SystemRng())

    async def make(count, happening=DONE):
        made = []
        for _ in range(count):
            new = NewJob(
                id=ids.new("job"), kind="still", lane="normal", request={}, asked={}, origin=Origin(door="rpc"),
                reviewed=Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m"), removed=[], retry_of=None,
                key=None, key_hash=b"",
            )  # fmt: skip
            await queue.add([new])
            await claim(database, queue)
            clock.advance(10)
            await queue.apply(new.id, happening)
            made.append(new.id)
        return made

    return make


@pytest.fixture
def forget(database):
    async def one(ended_before=None, keep=None, spare_after=FOR_EVER, limit=100):
        return await database.write(
            lambda tx: prune(tx, ended_before=ended_before, keep=keep, spare_after=spare_after, limit=limit)
        )

    return one


async def left(database):
    return await database.read(lambda c: [row["id"] for row in c.execute("SELECT id FROM job ORDER BY id")])


async def test_old_jobs_go_with_their_events_and_the_rest_stays(database, queue, ended, forget):
    jobs = await ended(4)
    assert await forget(ended_before=START + 25) == 2
    assert await left(database) == jobs[2:]
    told = await database.read(lambda c: {row["job_id"] for row in c.execute("SELECT job_id FROM event")})
    assert told == set(jobs[2:])
    assert (await queue.counts()).counts["succeeded"] == 2
    assert await forget(ended_before=START + 25) == 0


async def test_so_many_are_kept(database, ended, forget):
    jobs = await ended(5)
    assert await forget(keep=2) == 3
    assert await left(database) == jobs[3:]


async def test_in_small_steps(ended, forget):
    await ended(5)
    assert [await forget(keep=0, limit=2) for _ in range(4)] == [2, 2, 1, 0]


async def test_what_ended_a_moment_ago_is_spared(database, ended, forget):
    jobs = await ended(4)
    assert await forget(keep=0, ended_before=FOR_EVER, spare_after=START + 25) == 2
    assert await left(database) == jobs[2:]


async def test_what_waits_or_is_parked_has_not_ended(database, queue, ended, forget):
    [job_id] = await ended(1, EngineDied(BROKEN))
    assert await forget(keep=0, ended_before=FOR_EVER) == 0
    await claim(database, queue)
    await queue.apply(job_id, EngineDied(BROKEN))
    assert (await queue.get(job_id)).state == "parked"
    assert await forget(keep=0, ended_before=FOR_EVER) == 0


async def test_without_limits_nothing_goes(ended, forget):
    await ended(2)
    assert await forget() == 0
