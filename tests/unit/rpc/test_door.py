from __future__ import annotations

import asyncio

import pytest

from tendred.errors import ShuttingDown, SlowDown
from tendred.rpc.door import WAITS, RpcDoor, Waits, client_name
from tendred.schema.job import Origin
from tendred.testing.door import Door, until
from tendred.testing.studio import FakeStudio


def door_of(client: str | None) -> RpcDoor:
    return RpcDoor(FakeStudio(), Waits(), dict, client=client)


@pytest.mark.parametrize(
    ("client", "name"),
    [("tendre/1.0", "cli"), ("tendre", "rpc"), ("tendred-krita/1", "rpc"), ("krita/5", "rpc"), (None, "rpc")],
)
def test_the_cli_is_known_by_its_name(client: str | None, name: str) -> None:
    assert door_of(client).origin == Origin(door=name, client=client)


def test_keys_belong_to_their_client_whatever_its_version() -> None:
    assert door_of("krita/5").scoped("k") == door_of("krita/6").scoped("k") == "rpc:krita:k"
    assert door_of(None).scoped("k") == "rpc:local:k"
    assert door_of("krita/5").scoped(None) is None


def test_no_two_clients_share_a_key() -> None:
    pairs = [("a", "b:c"), ("a:b", "c"), ("a:b:c", ""), ("a", "b:c:"), (None, "x:c"), ("local:x", "c")]
    keys = [door_of(client).scoped(key) for client, key in pairs]
    assert len(set(keys)) == len(pairs)
    hidden = str(door_of("a:b").scoped("c")).split(":")[1]
    assert door_of(hidden).scoped("c") not in keys


def test_a_clients_name_is_cut_down_to_what_a_log_can_hold() -> None:
    assert client_name(" krita/5.2\r\n\x1b[31m ") == "krita/5.2[31m"
    assert client_name("é\u202e\n") is None
    assert len(client_name("x" * 100) or "") == 64


async def test_one_wait_too_many_is_told_to_come_back(door: Door) -> None:
    job = (await door.call("images.generate", prompt="a"))["result"]["job"]["id"]
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(door.call("jobs.wait", job_id=job, timeout_s=20)) for _ in range(WAITS)]
        await until(lambda: len(door.studio.bus._subscriptions) == WAITS)
        error = (await door.call("jobs.wait", job_id=job))["error"]
        assert (error["code"], error["data"]["detail"]) == (1014, {"retry_after_s": 1})
        await door.studio.finish(job)
    assert {task.result()["result"]["state"] for task in waiting} == {"succeeded"}
    assert (await door.call("jobs.wait", job_id=job))["result"]["state"] == "succeeded"


async def test_a_wait_that_somebody_else_cancels_stays_cancelled() -> None:
    waits = Waits()
    task = asyncio.ensure_future(waits.hold(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waits.stop()
    with pytest.raises(ShuttingDown):
        await waits.hold(asyncio.Event().wait)


async def test_slots_are_given_back() -> None:
    waits = Waits()
    tasks = [asyncio.ensure_future(waits.hold(asyncio.Event().wait)) for _ in range(WAITS)]
    await asyncio.sleep(0)
    with pytest.raises(SlowDown):
        await waits.hold(asyncio.Event().wait)
    waits.stop()
    assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} == {ShuttingDown}
