import pytest

from tendred.clock import Ids, SystemRng, rfc3339
from tendred.queue.machine import CancelAsked
from tendred.queue.pages import JobQuery
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.testing.clock import START, ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def queue(database, clock):
    """Six jobs, a minute apart: a, b, a, b, a, b."""
    queue, ids = Queue(database, limit=1000), Ids(clock, SystemRng())
    for number in range(6):
        new = NewJob(
            id=ids.new("job"), kind="still", lane="normal", request={"model": "ab"[number % 2], "n": number}, asked={},
            origin=Origin(door="rpc"), reviewed=Reviewed(request=b"r", conditioning=b"c", policy="p", mac=b"m"),
            removed=[], retry_of=None, key=None, key_hash=b"",
        )  # fmt: skip
        # Judging takes its time: the row is younger than the id.
        clock.advance(5)
        await queue.add([new])
        clock.advance(55)
    return queue


async def found(queue, **query):
    return [job.request["n"] for job in await queue.page(JobQuery(**query))]


async def test_newest_first_in_pages(queue):
    first = await queue.page(JobQuery(limit=4))
    assert [job.request["n"] for job in first] == [5, 4, 3, 2]
    assert await found(queue, limit=4, cursor=first[-1].id) == [1, 0]


async def test_by_model_kind_and_state(queue):
    assert await found(queue, model="a") == [4, 2, 0]
    assert await found(queue, model="c") == []
    assert await found(queue, kind="clip") == []
    [newest] = await queue.page(JobQuery(limit=1))
    await queue.apply(newest.id, CancelAsked())
    assert await found(queue, state=["cancelled", "failed"]) == [5]
    assert await found(queue, state=["queued"], model="b") == [3, 1]


async def test_by_time_of_making_from_after_on_and_up_to_before(queue):
    assert await found(queue, after=START + 125) == [5, 4, 3, 2]
    assert await found(queue, after=START + 125.001) == [5, 4, 3]
    assert await found(queue, before=START + 125) == [1, 0]
    assert await found(queue, after=START + 60, before=START + 200, model="b") == [3, 1]
    [second] = await queue.page(JobQuery(before=START + 125, limit=1))
    assert second.created_at == rfc3339(START + 65)


@pytest.mark.parametrize("query", [{"after": -1e12}, {"before": 1e12}])
async def test_times_that_no_id_can_have(queue, query):
    assert len(await found(queue, **query)) == 6


async def test_a_page_reads_no_more_rows_than_it_needs(queue, database):
    sql = "EXPLAIN QUERY PLAN SELECT id FROM job WHERE model = 'a' AND id < 'job_2' ORDER BY id DESC LIMIT 5"
    plan = await database.read(lambda connection: [row["detail"] for row in connection.execute(sql)])
    assert plan == ["SEARCH job USING COVERING INDEX job_by_model (model=? AND id<?)"]
