import asyncio
import gc
import logging
import threading
from contextvars import ContextVar

import pytest

from tendred.tasks import Tasks, offload


async def test_a_failure_is_logged_once_with_its_name(caplog):
    tasks = Tasks()

    async def fail():
        raise KeyError("mine")

    task = tasks.spawn("one that fails", fail())
    with pytest.raises(KeyError):
        await task
    [record] = caplog.records
    assert "one that fails" in record.getMessage()
    assert record.exc_info[0] is KeyError


async def test_what_is_spawned_is_kept_until_it_ends():
    tasks, done = Tasks(), asyncio.Event()

    async def work():
        await asyncio.sleep(0)
        gc.collect()
        done.set()

    tasks.spawn("kept", work())
    await asyncio.wait_for(done.wait(), 5)


async def test_stop_ends_everything_even_what_starts_more_while_it_ends(caplog):
    caplog.set_level(logging.DEBUG)
    tasks, ended = Tasks(), []

    async def last():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("last")

    async def first():
        try:
            await asyncio.Event().wait()
        finally:
            tasks.spawn("last", last())
            await asyncio.sleep(0)
            ended.append("first")

    tasks.spawn("first", first())
    await asyncio.sleep(0)
    await tasks.stop()
    assert ended == ["first", "last"]
    assert caplog.records == []


async def test_stop_may_be_called_by_one_of_them():
    tasks = Tasks()
    other = tasks.spawn("other", asyncio.Event().wait())

    async def ends_all():
        await tasks.stop()
        return "still here"

    assert await tasks.spawn("ends all", ends_all()) == "still here"
    assert other.cancelled()


async def test_offload_runs_in_another_thread_and_hands_back_what_came_of_it():
    assert await offload(threading.get_ident) != threading.get_ident()
    assert await offload(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 7, 0)


async def test_a_cancelled_offload_waits_until_the_thread_is_done():
    started, go_on, finished = threading.Event(), threading.Event(), []

    def work():
        started.set()
        go_on.wait(10)
        finished.append(1)

    task = asyncio.ensure_future(offload(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    assert finished == []
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert finished == [1]


async def test_a_failure_after_the_cancel_is_not_lost_on_the_loop():
    started, go_on, complaints = threading.Event(), threading.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def work():
        started.set()
        go_on.wait(10)
        raise OSError("too late")

    task = asyncio.ensure_future(offload(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_what_a_call_starts_does_not_go_on_in_its_language():
    language, tasks = ContextVar("language", default="ours"), Tasks()
    language.set("theirs")

    async def speak():
        return language.get()

    assert await tasks.spawn("on its own", speak()) == "ours"
    assert await tasks.spawn("part of the call", speak(), inherit=True) == "theirs"
