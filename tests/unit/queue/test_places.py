import pytest

from tendred.clock import Ids, SystemRng
from tendred.queue.line import enter
from tendred.queue.pace import learn
from tendred.queue.places import NOWHERE, POSITIONS, Place, emptied_s, place, places
from tendred.testing.clock import ManualClock

JOB = (
    "INSERT INTO job(id, kind, state, lane, lane_rank, rev, request, asked, origin, sealed_request, conditioning, "
    "policy, mac, removed, attempts, engine_deaths, created_at) "
    "VALUES (?, 'still', 'queued', 'normal', 1, 1, x'', x'', x'', x'', x'', '', x'', x'', 0, 0, 0)"
)
IDS = Ids(ManualClock(), SystemRng())


@pytest.fixture
def wait(database):
    """`await wait((model, work), ...)`: ids of jobs that wait, in line order."""

    async def send(*jobs):
        def work(tx):
            ids = [IDS.new("job") for _ in jobs]
            for job_id, (model, amount) in zip(ids, jobs, strict=True):
                tx.run(JOB, job_id)
                enter(tx, job_id, "normal", "rpc:krita", model, amount)
            return ids

        return await database.write(work)

    return send


@pytest.fixture
def measured(database):
    async def learned(model, seconds):
        await database.write(lambda tx: learn(tx, model, 1, seconds))

    return learned


async def test_the_seconds_of_those_before_and_its_own(database, wait, measured):
    await measured("a", 2)
    await measured("b", 5)
    ids = await wait(("a", 1), ("b", 2), ("a", 3))
    told = [await database.read(lambda connection, job_id=job_id: place(connection, job_id)) for job_id in ids]
    assert told == [Place(0, 2), Place(1, 12), Place(2, 18)]
    assert await database.read(places) == dict(zip(ids, told, strict=True))
    assert await database.read(emptied_s) == 18


async def test_behind_a_model_that_was_never_measured_nobody_can_tell(database, wait, measured):
    await measured("a", 2)
    ids = await wait(("a", 1), ("new", 1), ("a", 1))
    assert [at.eta_s for at in (await database.read(places)).values()] == [2, None, None]
    assert await database.read(lambda connection: place(connection, ids[2])) == Place(2, None)
    assert await database.read(emptied_s) is None


async def test_nobody_counts_further_than_a_thousand(database, wait, measured):
    await measured("a", 1)
    ids = await wait(*[("a", 1)] * (POSITIONS + 1))
    for at, job_id in ((Place(POSITIONS - 1, POSITIONS), ids[-2]), (NOWHERE, ids[-1])):
        assert await database.read(lambda connection, job_id=job_id: place(connection, job_id)) == at
    assert len(await database.read(places)) == POSITIONS


async def test_who_does_not_wait_has_no_place(database):
    assert await database.read(lambda connection: place(connection, "job_nope")) == NOWHERE
    assert await database.read(emptied_s) == 0
