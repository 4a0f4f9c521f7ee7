import asyncio

import pytest

from tendred.core.indexing import FORGET_EVERY, RETRY_S, Indexing
from tendred.errors import DiskFull
from tendred.tasks import Tasks


class Index:
    """Assets that wait for their words; a full disk while `troubles` last."""

    def __init__(self):
        self.waiting = 0
        self.looks = 0
        self.troubles = 0

    async def index_some(self, limit):
        self.looks += 1
        if self.troubles:
            self.troubles -= 1
            raise DiskFull(folder="/data")
        done = min(limit, self.waiting)
        self.waiting -= done
        return done


class History:
    """Counts how often old events are dropped."""

    forgot = 0

    async def forget(self):
        self.forgot += 1


@pytest.fixture
async def room(clock):
    index, history, tasks = Index(), History(), Tasks()
    indexing = Indexing(index, history, clock)
    yield index, history, indexing, lambda: tasks.spawn("indexing", indexing.run())
    await tasks.stop()


async def until(there):
    async with asyncio.timeout(10):
        while not there():
            await asyncio.sleep(0)


async def test_what_a_crash_left_is_indexed_at_the_start_in_small_bites(room):
    index, history, _, start = room
    index.waiting = 450
    start()
    await until(lambda: index.waiting == 0)
    assert index.looks >= 3
    await until(lambda: history.forgot == 1)


async def test_new_assets_wake_it(room):
    index, _, indexing, start = room
    start()
    await until(lambda: index.looks == 1)
    index.waiting = 1
    indexing.wake()
    await until(lambda: index.waiting == 0)


async def test_old_events_are_looked_at_now_and_then_only(room):
    index, history, indexing, start = room
    start()
    for turn in range(1, FORGET_EVERY + 2):
        await until(lambda turn=turn: index.looks == turn)
        await asyncio.sleep(0)
        indexing.wake()
    await until(lambda: index.looks == FORGET_EVERY + 2)
    assert history.forgot == 2


async def test_a_full_disk_is_waited_for(room, clock):
    index, history, _, start = room
    index.waiting, index.troubles = 5, 2
    start()
    for looks in (1, 2):
        await until(lambda looks=looks: index.looks == looks)
        await clock.somebody_sleeps()
        assert index.waiting == 5
        clock.advance(RETRY_S)
    await until(lambda: index.waiting == 0 and history.forgot == 1)
