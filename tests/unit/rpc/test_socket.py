"""WebSocket clients: real ones by aiohttp, and raw ones that don't read."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tendred.rpc import socket as rpc_socket
from tendred.testing.door import Door, until
from tendred.testing.raw import UPGRADE, connection, ended, read_answer, request


class Client:
    """A client that keeps answers and events apart."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = ws
        self.events: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._last = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        call_id = self._last
        await self.socket.send_json({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params})
        while call_id not in self._answers:
            await self.take()
        return self._answers.pop(call_id)

    async def take(self) -> dict[str, Any]:
        """The next frame."""
        message = await self.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        document = json.loads(message.data)
        if document.get("method") == "event":
            self.events.append(document["params"])
        else:
            self._answers[document["id"]] = document
        return document

    async def until(self, count: int) -> list[dict[str, Any]]:
        """The first `count` events."""
        while len(self.events) < count:
            await self.take()
        return self.events[:count]


@asynccontextmanager
async def client_of(door: Door, *, token: str | None = None, **headers: str) -> AsyncIterator[Client]:
    auth = {"Authorization": f"Bearer {door.token}"} if token is None else {}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{door.port}/ws", headers={**auth, **headers}) as ws,
    ):
        yield Client(ws)


def seqs(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def test_calls_are_answered(door: Door) -> None:
    async with client_of(door) as client:
        assert (await client.call("queue.status"))["result"]["paused"] is False
        assert (await client.call("no.such"))["error"]["code"] == -32601
        await client.socket.send_bytes(b'{"jsonrpc":"2.0","id":77,"method":"queue.status"}')
        assert (await client.take())["id"] == 77
        await client.socket.send_str("{")
        assert (await client.take())["error"]["code"] == -32700


async def test_calls_run_side_by_side(door: Door) -> None:
    async with client_of(door) as client:
        job = (await client.call("images.generate", prompt="a"))["result"]["job"]["id"]
        waiting = {"jsonrpc": "2.0", "id": "w", "method": "jobs.wait", "params": {"job_id": job, "timeout_s": 20}}
        await client.socket.send_json(waiting)
        assert (await client.call("queue.status"))["result"]
        await door.studio.finish(job)
        assert (await client.take())["result"]["state"] == "succeeded"


async def test_a_hello_in_the_first_frame_stands_for_the_header(door: Door) -> None:
    async with client_of(door, token="none") as client:
        hello = await client.call("system.hello", client="test", version="1", token=door.token)
        assert hello["result"]["boot_id"] == door.studio.boot_id
        assert (await client.call("queue.status"))["result"]
        await client.call("images.generate", prompt="a", idempotency_key="k")
    assert door.studio.submissions[0].key == "rpc:test:k"


@pytest.mark.parametrize(
    "frame",
    [
        '{"jsonrpc":"2.0","id":1,"method":"queue.status"}',
        '{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"client":"x","version":"1"}}',
        '{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"client":"x","version":"1","token":"wrong"}}',
        '{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"client":"x","version":"1","token":7}}',
        '[{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"client":"x","version":"1","token":"TOKEN"}}]',
        '{"jsonrpc":"2.0","id":1,"method":"queue.status","params":{"token":"TOKEN"}}',
        '{"method":"system.hello","params":{"token":"TOKEN"},"method":"queue.status"}',
        "{",
        "",
    ],
)
async def test_any_other_first_frame_ends_it_unanswered(door: Door, frame: str) -> None:
    async with client_of(door, token="none") as client:
        await client.socket.send_str(frame.replace("TOKEN", door.token))
        message = await client.socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


async def test_a_first_frame_that_is_too_long_is_not_even_parsed(door: Door) -> None:
    hello = {"client": "test", "version": "1", "token": door.token}
    frame = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "system.hello", "params": hello})
    async with client_of(door, token="none") as client:
        await client.socket.send_str(frame.ljust(rpc_socket.HELLO_BYTES + 1))
        message = await client.socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)
    async with client_of(door, token="none") as client:
        await client.socket.send_str(frame.ljust(rpc_socket.HELLO_BYTES))
        assert (await client.take())["result"]


async def test_calls_are_told_in_the_language_of_the_handshake(door: Door) -> None:
    async with client_of(door, **{"Accept-Language": "fr-CA,en;q=0.5"}) as french, client_of(door) as client:
        for _ in range(2):
            assert "méthode" in (await french.call("no.such"))["error"]["message"]
            assert "method" in (await client.call("no.such"))["error"]["message"]


def hurry(door: Door, **seconds: float) -> None:
    front = door.server.front
    front._hall = dataclasses.replace(front._hall, **seconds)


async def test_a_stranger_who_says_nothing_is_closed(door: Door) -> None:
    hurry(door, hello_s=0.1)
    async with client_of(door, token="none") as client:
        message = await client.socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


def test_a_stranger_has_five_seconds() -> None:
    assert rpc_socket.HELLO_S == 5


async def test_live_events_come_after_the_answer(door: Door) -> None:
    async with client_of(door) as client:
        told = (await client.call("events.subscribe"))["result"]
        assert (told["seq"], told["boot_id"]) == (0, door.studio.boot_id)
        job = (await client.call("images.generate", prompt="a"))["result"]["job"]
        (event,) = await client.until(1)
        assert event["subscription_id"] == told["subscription_id"]
        assert (event["seq"], event["topic"], event["job_id"]) == (1, "job.queued", job["id"])
        assert event["data"]["job"]["id"] == job["id"]
        assert set(event) == {"seq", "boot_id", "at", "topic", "job_id", "data", "subscription_id"}


async def test_the_past_is_replayed_in_pages_then_the_present(door: Door) -> None:
    for index in range(1200):
        door.studio.happen("job.queued", {"n": index})
    async with client_of(door) as client:
        await client.call("events.subscribe", since=100)
        door.studio.happen("job.started")
        assert seqs(await client.until(1102)) == list(range(100, 1202))


async def test_no_gap_and_no_duplicate_while_things_happen(door: Door) -> None:
    """Events happen all the time: before, during and after the subscription and its replay."""
    stop = asyncio.Event()

    async def busy() -> None:
        while not stop.is_set():
            for _ in range(7):
                door.studio.happen("job.queued")
            await asyncio.sleep(0)

    for _ in range(600):
        door.studio.happen("job.queued")
    task = door.tasks.spawn("busy", busy())
    async with client_of(door) as client, client_of(door) as other:
        await client.call("events.subscribe", since=1)
        told = (await other.call("events.subscribe"))["result"]
        stop.set()
        await task
        last = await door.studio.last_seq()
        assert seqs(await client.until(last)) == list(range(1, last + 1))
        door.studio.happen("job.failed")
        assert seqs(await client.until(last + 1))[-1] == last + 1
        wanted = last + 1 - told["seq"]
        assert seqs(await other.until(wanted)) == list(range(told["seq"] + 1, last + 2))


async def test_topics_are_prefixes(door: Door) -> None:
    door.studio.happen("job.queued")
    door.studio.happen("asset.kept")
    async with client_of(door) as client:
        await client.call("events.subscribe", since=0, topics=["asset.", "queue.paused"])
        door.studio.happen("job.started")
        door.studio.happen("queue.paused")
        assert [event["topic"] for event in await client.until(2)] == ["asset.kept", "queue.paused"]


async def test_progress_has_no_number_and_is_not_replayed(door: Door) -> None:
    door.studio.happen("job.progress", job_id="job_1")
    async with client_of(door) as client:
        await client.call("events.subscribe", since=0)
        door.studio.happen("job.progress", job_id="job_1")
        assert [event["seq"] for event in await client.until(1)] == [None]


async def test_what_is_forgotten_cannot_be_replayed(door: Door) -> None:
    for _ in range(10):
        door.studio.happen("job.queued")
    door.studio.oldest = 5
    async with client_of(door) as client:
        error = (await client.call("events.subscribe", since=1))["error"]
        assert (error["code"], error["data"]["detail"]) == (1016, {"oldest_seq": 5})
        assert (await client.call("events.subscribe", since=5))["result"]
    await until(lambda: not door.studio.bus._subscriptions)


async def test_unsubscribing_ends_one_subscription(door: Door) -> None:
    async with client_of(door) as client:
        first = (await client.call("events.subscribe", topics=["job."]))["result"]["subscription_id"]
        second = (await client.call("events.subscribe"))["result"]["subscription_id"]
        assert (await client.call("events.unsubscribe", subscription_id=first))["result"] == {}
        assert (await client.call("events.unsubscribe", subscription_id=first))["error"]["code"] == 1010
        door.studio.happen("job.queued")
        assert [event["subscription_id"] for event in await client.until(1)] == [second]


async def test_subscriptions_are_counted(door: Door) -> None:
    async with client_of(door) as client:
        for _ in range(rpc_socket.SUBSCRIPTIONS):
            assert "result" in await client.call("events.subscribe")
        assert (await client.call("events.subscribe"))["error"]["code"] == 1014
        assert len(door.studio.bus._subscriptions) == rpc_socket.SUBSCRIPTIONS
    await until(lambda: not door.studio.bus._subscriptions)


async def test_a_message_that_is_too_large_ends_it(door: Door) -> None:
    async with client_of(door) as client:
        await client.socket.send_str("x" * (1024 * 1024 + 1))
        message = await client.socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_a_client_that_falls_behind_is_dropped_with_a_reason_and_comes_back(door: Door) -> None:
    async with client_of(door) as client:
        await client.call("events.subscribe")
        for _ in range(400):  # more than the subscription's queue holds, in one turn of the loop
            door.studio.happen("job.queued")
        while (message := await client.socket.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            client.events.append(json.loads(message.data)["params"])
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4408)
        assert "since" in str(message.extra)
        seen = len(client.events)
    async with client_of(door) as client:
        await client.call("events.subscribe", since=seen + 1)
        assert seqs(await client.until(400 - seen)) == list(range(seen + 1, 401))


async def test_a_client_that_does_not_read_is_dropped_and_memory_stays_bounded(door: Door) -> None:
    import psutil

    hurry(door, send_s=1.0)
    process, big = psutil.Process(os.getpid()), {"text": "x" * 100_000}
    subscribe = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe"}).encode()
    async with connection(door.port) as (reader, writer), client_of(door) as good:
        writer.write(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE))
        assert (await read_answer(reader)).status == 101
        writer.write(b"\x81" + bytes([0x80 | len(subscribe)]) + bytes(4) + subscribe)
        await until(lambda: len(door.studio.bus._subscriptions) == 1)
        before = process.memory_info().rss
        peak = before
        for index in range(2000):  # 200 MB, if anybody kept them
            door.studio.bus.publish(door.studio.happen("job.progress", big, job_id=f"job_{index % 8}"))
            door.studio.happen("job.queued", {"n": index})
            await asyncio.sleep(0)
            peak = max(peak, process.memory_info().rss)
        assert peak - before < 40_000_000
        assert (await good.call("queue.status"))["result"]
        await until(lambda: not door.studio.bus._subscriptions)
        assert await ended(reader)


async def test_an_answer_that_nobody_takes_ends_the_connection(door: Door) -> None:
    hurry(door, send_s=0.2)
    discover = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}).encode()
    async with connection(door.port) as (reader, writer):
        writer.write(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE))
        assert (await read_answer(reader)).status == 101
        frame = b"\x81" + bytes([0x80 | len(discover)]) + bytes(4) + discover
        writer.write(frame * 400)  # 20 MB of answers, more than a socket's buffers hold
        await until(lambda: not door.server.front._sockets)
        assert await ended(reader)


async def test_the_other_side_may_vanish(door: Door) -> None:
    async with connection(door.port) as (reader, writer):
        writer.write(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE))
        assert (await read_answer(reader)).status == 101
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset instead of a goodbye
        writer.transport.abort()
    async with client_of(door) as client:
        assert (await client.call("queue.status"))["result"]
    await until(lambda: not door.server.front._sockets)
