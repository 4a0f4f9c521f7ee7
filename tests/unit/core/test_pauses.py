import asyncio
import shutil
from dataclasses import dataclass

import pytest

from tendred.core.pauses import RETRY_S, Pauses
from tendred.core.settings import Settings
from tendred.errors import DiskFull, FolderUnwritable
from tendred.queue.store import Queue
from tendred.schema.system import EngineState


@dataclass
class Residency:
    """An engine that is only looked at."""

    name: str = "idle"

    def state(self):
        return EngineState(state=self.name, device=None, model=None, pid=None)

    def loaded(self):
        return []

    async def unload(self, model):
        del model
        return []


@pytest.fixture
def residency():
    return Residency()


@pytest.fixture
def make(database, clock, residency, tmp_path):
    (tmp_path / "pictures").mkdir()

    def build(reserve_bytes=0):
        return Pauses(
            database=database, queue=Queue(database, limit=10), settings=Settings(database), residency=residency, clock=clock,
            pictures=tmp_path / "pictures", reserve_bytes=reserve_bytes,
        )  # fmt: skip

    return build


def told(published):
    return [(event.topic, event.data["queue"]["paused"], event.data["queue"]["reason"]) for event in published]


async def test_a_wish_is_told_once_and_outlives_the_daemon(make, published):
    pauses = make()
    await pauses.load()
    assert not await pauses.hold()
    await pauses.set_user(paused=True)
    await pauses.set_user(paused=True)
    assert await pauses.hold()
    assert told(published) == [("queue.paused", True, "user")]
    after = make()
    await after.load()
    assert after.reason == "user"
    await after.set_user(paused=False)
    assert told(published)[1:] == [("queue.resumed", False, None)]
    assert not await after.hold()


@pytest.mark.parametrize(
    ("start", "left", "reason", "events"),
    [
        ("last", False, None, []),
        ("last", True, "user", []),
        ("run", False, None, []),
        ("run", True, None, [("queue.resumed", False, None)]),
        ("paused", False, "start", [("queue.paused", True, "start")]),
        ("paused", True, "user", []),
    ],
)
async def test_a_start_goes_by_what_is_set(make, published, start, left, reason, events):
    await make().set_user(paused=left)
    published.clear()
    pauses = make()
    await pauses.load(start)
    assert (pauses.reason, told(published)) == (reason, events)
    assert await pauses.hold() == (reason is not None)
    after = make()
    await after.load("last")
    assert (after.reason is None) == (reason is None)


async def test_a_queue_that_started_paused_is_resumed_like_any(make, published):
    pauses = make()
    await pauses.load("paused")
    await pauses.set_user(paused=True)
    await pauses.set_user(paused=False)
    assert not await pauses.hold()
    assert [topic for topic, *_ in told(published)] == ["queue.paused", "queue.resumed"]


async def test_a_folder_that_is_gone_holds_the_queue_until_it_is_back(make, published, tmp_path):
    pauses = make()
    shutil.rmtree(tmp_path / "pictures")
    assert [await pauses.hold(), await pauses.hold()] == [True, True]
    assert pauses.reason == "folder_unwritable"
    assert pauses.disk().free_bytes == 0
    (tmp_path / "pictures").mkdir()
    assert not await pauses.hold()
    assert told(published) == [("queue.paused", True, "folder_unwritable"), ("queue.resumed", False, None)]


async def test_the_reserve_is_kept_free(make):
    pauses = make(reserve_bytes=2**62)
    assert await pauses.hold()
    assert pauses.reason == "disk_full"
    assert pauses.disk().reserve_bytes == 2**62
    assert pauses.disk().free_bytes > 0


async def test_an_unstable_engine_holds_the_queue(make, residency, published):
    pauses = make()
    residency.name = "unstable"
    assert await pauses.hold()
    residency.name = "off"
    assert not await pauses.hold()
    assert [reason for _, _, reason in told(published)] == ["engine_unstable", None]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [(DiskFull(folder="x"), "disk_full"), (FolderUnwritable(folder="x", problem="y"), "folder_unwritable")],
)
async def test_what_a_job_ran_into_stays_told_until_one_gets_through(make, clock, published, problem, reason):
    pauses = make()
    await pauses.begin(problem)
    assert [await pauses.hold(), pauses.reason] == [True, reason]
    clock.advance(RETRY_S)
    assert [await pauses.hold(), pauses.reason] == [False, reason], "a trial"
    await pauses.begin(problem)
    assert [await pauses.hold(), pauses.reason] == [True, reason]
    await pauses.passed()
    assert [await pauses.hold(), pauses.reason] == [False, None]
    assert told(published) == [("queue.paused", True, reason), ("queue.resumed", False, None)]


async def test_a_person_who_resumes_is_not_kept_waiting_for_a_trial(make):
    pauses = make()
    await pauses.begin(DiskFull(folder="x"))
    await pauses.set_user(paused=True)
    await pauses.set_user(paused=False)
    assert [await pauses.hold(), pauses.reason] == [False, None]


async def test_a_job_that_gets_through_does_not_end_what_is_still_seen(make):
    pauses = make(reserve_bytes=2**62)
    await pauses.begin(DiskFull(folder="x"))
    await pauses.passed()
    assert pauses.reason == "disk_full"


async def test_a_persons_wish_hides_an_obstacle_and_its_end_shows_it(make, residency, published):
    pauses = make()
    await pauses.set_user(paused=True)
    residency.name = "unstable"
    assert await pauses.hold()
    assert pauses.reason == "user"
    await pauses.set_user(paused=False)
    assert pauses.reason == "engine_unstable"
    assert told(published) == [("queue.paused", True, "user"), ("queue.paused", True, "engine_unstable")]


async def test_something_new_ends_the_waiting_at_once(make):
    pauses, wake = make(), asyncio.Event()
    waiting = asyncio.ensure_future(pauses.wait(wake))
    await asyncio.sleep(0)
    assert not waiting.done()
    wake.set()
    await asyncio.wait_for(waiting, 5)


async def test_a_retry_takes_its_moment_on_the_clock(make, clock):
    retry = asyncio.ensure_future(make().retry())
    await clock.somebody_sleeps()
    clock.advance(1.9)
    await asyncio.sleep(0)
    assert not retry.done()
    clock.advance(0.1)
    await asyncio.wait_for(retry, 5)
