import asyncio

import pytest

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.errors import IdempotencyConflict, NotFound, QueueFull
from tendred.queue import claim as claiming
from tendred.queue import store
from tendred.queue.machine import CancelAsked, Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed

IDS = Ids(SystemClock(), SystemRng())


def new(lane="normal", key=None, key_hash=b"h"):
    return NewJob(
        id=IDS.new("job"), kind="still", lane=lane, request={"prompt": "x"}, asked={"prompt": "x"},
        origin=Origin(door="rpc"), reviewed=Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m"),
        removed=[], retry_of=None, key=key, key_hash=key_hash,
    )  # fmt: skip


@pytest.fixture
def queue(database):
    return Queue(database, limit=1000)


async def test_enqueue_tells_and_counts(queue, published):
    [(job, deduplicated)] = await queue.add([new()])
    assert (job.state, job.rev, deduplicated) == ("queued", 1, False)
    assert [(event.topic, event.job_id) for event in published] == [("job.queued", job.id)]
    assert published[0].data["job"]["id"] == job.id
    counts = await queue.counts()
    assert counts.counts["queued"] == 1
    assert counts.lanes == {"interactive": 0, "normal": 1, "idle": 0}


async def test_lanes_then_age_decide_and_nobody_gets_a_job_twice(queue, database):
    jobs = [new("idle"), new("normal"), new("interactive"), new("normal")]
    await queue.add(jobs)
    taken = await asyncio.gather(*(claiming.claim(database, queue) for _ in range(6)))
    ids = [claim.job.id for claim in taken if claim is not None]
    assert ids == [jobs[2].id, jobs[1].id, jobs[3].id, jobs[0].id]
    assert taken[4:] == [None, None]
    assert taken[0].reviewed.request == b"r"


async def test_the_same_key_is_the_same_job_and_another_request_is_a_conflict(queue):
    first = (await queue.add([new(key="rpc:a:k")]))[0][0]
    again, deduplicated = (await queue.add([new(key="rpc:a:k")]))[0]
    assert (again.id, deduplicated) == (first.id, True)
    with pytest.raises(IdempotencyConflict) as caught:
        await queue.add([new(key="rpc:a:k", key_hash=b"other")])
    assert caught.value.detail == {"key": "k"}


async def test_several_are_taken_all_or_none(database):
    queue = Queue(database, limit=2)
    with pytest.raises(QueueFull):
        await queue.add([new(), new(), new()])
    assert (await queue.counts()).counts["queued"] == 0


async def test_cancel_twice_changes_nothing(queue, published):
    [(job, _)] = await queue.add([new()])
    first = await queue.apply(job.id, CancelAsked())
    told = len(published)
    second = await queue.apply(job.id, CancelAsked())
    assert first == second
    assert first.state == "cancelled"
    assert len(published) == told


async def test_unknown_jobs_are_not_found(queue):
    with pytest.raises(NotFound):
        await queue.get("job_nope")
    with pytest.raises(NotFound):
        await queue.apply("job_nope", Finished())


async def test_positions_and_pages(queue):
    jobs = [new() for _ in range(5)]
    await queue.add(jobs)
    assert [(await queue.get(job.id)).position for job in jobs] == [0, 1, 2, 3, 4]
    page = await queue.page(state=["queued"], kind="still", limit=2, before=None)
    assert [job.id for job in page] == [jobs[4].id, jobs[3].id]
    assert [job.position for job in page] == [4, 3]
    rest = await queue.page(state=None, kind=None, limit=10, before=page[-1].id)
    assert [job.id for job in rest] == [jobs[2].id, jobs[1].id, jobs[0].id]


async def test_the_claim_uses_the_partial_index(database):
    plan = await database.read(lambda c: [row["detail"] for row in c.execute(f"EXPLAIN QUERY PLAN {claiming.NEXT}")])
    assert plan == ["SCAN job USING INDEX job_claim"]
    assert store.RANKS["interactive"] < store.RANKS["normal"] < store.RANKS["idle"]
