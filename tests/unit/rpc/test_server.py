from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tendred.errors import PortInUse
from tendred.testing.door import Door, Opener, until
from tendred.testing.raw import UPGRADE, connection, exchange, read_answer, request

PING = {"jsonrpc": "2.0", "id": 1, "method": "queue.status"}


async def test_the_unix_socket_is_the_same_door(door: Door) -> None:
    assert door.unix.stat().st_mode & 0o777 == 0o600
    assert door.unix.parent.stat().st_mode & 0o777 == 0o700
    answer = await exchange(door.unix, door.post(PING))
    assert (answer.status, answer.json()["result"]["paused"]) == (200, False)


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:65535"])
async def test_names_of_this_machine_get_in_by_the_unix_socket(door: Door, host: str) -> None:
    data = door.post(PING).replace(door.host.encode(), f"Host: {host}".encode())
    assert (await exchange(door.unix, data)).status == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "localhost:", "localhost:x", "LOCALHOST", "unix"]
)
async def test_other_names_do_not(door: Door, host: str) -> None:
    data = door.post(PING).replace(door.host.encode(), f"Host: {host}".encode())
    answer = await exchange(door.unix, data)
    assert (answer.status, answer.kind) == (421, "host_refused")


async def test_the_unix_socket_wants_the_token_too(door: Door) -> None:
    bare = door.post(PING).replace(door.auth.encode(), b"X: y")
    assert (await exchange(door.unix, bare)).kind == "unauthorized"
    host = door.host.encode() + b"\r\n"
    assert (await exchange(door.unix, door.post(PING).replace(host, b""))).kind == "host_refused"


async def test_a_taken_port_is_an_error_of_ours(open_door: Opener) -> None:
    first = await open_door()
    with pytest.raises(PortInUse) as caught:
        await open_door(port=first.port)
    assert caught.value.detail == {"port": first.port}


async def test_a_configured_port_is_taken(open_door: Opener) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert (await open_door(port=port)).port == port


async def test_nothing_is_left_when_it_cannot_start(open_door: Opener, tmp_path: Path) -> None:
    (tmp_path / "run0").write_text("a file where the directory should be")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(OSError, match="exists"):
        await open_door(port=port)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_stopping_answers_those_who_wait_and_removes_the_socket(door: Door) -> None:
    job = (await door.call("images.generate", prompt="a"))["result"]["job"]
    waiting = door.post({"jsonrpc": "2.0", "id": 1, "method": "jobs.wait", "params": {"job_id": job["id"]}})
    async with connection(door.port) as (reader, writer), connection(door.port) as (ws_reader, ws_writer):
        writer.write(waiting)
        ws_writer.write(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE))
        assert (await read_answer(ws_reader)).status == 101
        await until(lambda: bool(door.studio.bus._subscriptions))
        await door.server.stop()
        assert (await read_answer(reader)).json()["error"]["data"]["kind"] == "shutting_down"
        frame = await ws_reader.read(200)
        assert frame[0] == 0x88
        assert int.from_bytes(frame[2:4], "big") == 1001
    assert not door.unix.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", door.port)
    await door.server.stop()
