import asyncio

import pytest
from msgspec.structs import replace

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.errors import IdempotencyConflict, NotFound, QueueFull, WrongState
from tendred.fs import SystemFs
from tendred.queue import claim as claiming
from tendred.queue.machine import CancelAsked, EngineDied, Finished
from tendred.queue.pages import JobQuery
from tendred.queue.store import NewJob, Queue
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.store.database import Database
from tendred.testing.clock import ManualClock

IDS = Ids(SystemClock(), SystemRng())


HERE = Origin(door="rpc")
BROKEN = ErrorInfo(kind="engine_died", message="m", path=None, next="n", detail={}, ref="r")


def new(lane="normal", key=None, key_hash=b"h", origin=HERE, retry_of=None):
    return NewJob(
        id=IDS.new("job"), kind="still", lane=lane, request={"prompt": "x"}, asked={"prompt": "x"},
        origin=origin, reviewed=Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m"),
        removed=[], retry_of=retry_of, key=key, key_hash=key_hash,
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


async def test_a_sheet_is_cancelled_with_its_cells_and_one_that_is_forgotten_is_left_out(queue, database):
    first, gone, last, finished = (new() for _ in range(4))
    cells = [{"job_id": one.id} for one in (first, gone, last, finished, last)] + [{"job_id": None}]
    sheet = replace(new(), kind="sheet", request={"cells": cells})
    await queue.add([finished])
    await claiming.claim(database, queue)
    await queue.apply(finished.id, Finished())
    await queue.add([first, gone, last])
    assert (await claiming.claim(database, queue)).job.id == first.id
    await queue.add([sheet])
    await queue.apply(gone.id, CancelAsked())
    await database.write(lambda tx: tx.run("DELETE FROM job WHERE id = ?", gone.id))
    for _ in range(2):
        assert [(job.id, job.state) for job in await queue.cancel(sheet.id)] == [
            (sheet.id, "cancelled"), (first.id, "cancelling"), (last.id, "cancelled"), (finished.id, "succeeded"),
        ]  # fmt: skip
    assert [job.id for job in await queue.cancel(finished.id)] == [finished.id]
    with pytest.raises(NotFound):
        await queue.cancel(gone.id)


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
    page = await queue.page(JobQuery(state=["queued"], kind="still", limit=2))
    assert [job.id for job in page] == [jobs[4].id, jobs[3].id]
    assert [job.position for job in page] == [4, 3]
    rest = await queue.page(JobQuery(limit=10, cursor=page[-1].id))
    assert [job.id for job in rest] == [jobs[2].id, jobs[1].id, jobs[0].id]


async def test_a_client_has_a_limit_of_its_own_and_is_told_when_to_come_back(database):
    queue = Queue(database, limit=10, client_limit=2)
    krita, blender = Origin(door="rpc", client="krita/5.3"), Origin(door="rpc", client="blender/4.1")
    await queue.add([new(origin=krita), new(origin=krita)])
    with pytest.raises(QueueFull) as caught:
        await queue.add([new(origin=Origin(door="rpc", client="krita/6.0"))])
    assert (caught.value.variant, caught.value.detail) == ("client", {"queued": 2, "limit": 2, "retry_after_s": 30})
    assert len(await queue.add([new(origin=blender)])) == 1
    assert (await queue.counts()).clients == {"rpc:krita": 2, "rpc:blender": 1}


async def test_when_to_come_back_is_told_from_what_jobs_took(tmp_path):
    clock = ManualClock()
    database = Database(
        tmp_path / "slow.db", clock=clock, committed=SystemFs().committed, boot_id="b", publish=lambda _: None
    )
    database.open()
    queue = Queue(database, limit=1)
    await queue.add([new()])
    taken = await claiming.claim(database, queue)
    clock.advance(12.5)
    await queue.apply(taken.job.id, Finished())
    await queue.add([new()])
    with pytest.raises(QueueFull) as caught:
        await queue.add([new()])
    assert caught.value.detail["retry_after_s"] == 13
    database.close()


async def test_a_retry_is_a_new_job_once_and_a_parked_one_is_seen_to(queue, database, published):
    [(job, _)] = await queue.add([new()])
    with pytest.raises(WrongState) as caught:
        await queue.retry(new(retry_of=job.id))
    assert caught.value.detail["state"] == "queued"
    for _ in range(2):
        await claiming.claim(database, queue)
        await queue.apply(job.id, EngineDied(BROKEN))
    made, deduplicated = await queue.retry(new(retry_of=job.id))
    again, same = await queue.retry(new(retry_of=job.id))
    assert (made.retry_of, made.state, deduplicated) == (job.id, "queued", False)
    assert (again.id, same) == (made.id, True)
    before = await queue.get(job.id)
    assert (before.state, before.error) == ("cancelled", BROKEN)
    assert [event.topic for event in published][-3:] == ["job.parked", "job.queued", "job.cancelled"]
    await queue.apply(made.id, CancelAsked())
    once_more, deduplicated = await queue.retry(new(retry_of=job.id))
    assert (once_more.id != made.id, deduplicated) == (True, False)


async def test_what_a_client_wrote_can_be_read_again(queue):
    [(job, _)] = await queue.add([new()])
    assert await queue.asked(job.id) == {"prompt": "x"}
    with pytest.raises(NotFound):
        await queue.asked("job_nope")
