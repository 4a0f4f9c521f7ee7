from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.config.schema import RpcSection
from tendred.rpc.server import RpcServer
from tendred.tasks import Tasks
from tendred.testing.door import TOKEN, Door, Opener, until
from tendred.testing.raw import UPGRADE, connection, ended, read_answer, request
from tendred.testing.studio import FakeStudio

PING = {"jsonrpc": "2.0", "id": 1, "method": "queue.status"}


async def test_half_a_header_is_answered_and_closed(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.2)
    async with connection(door.port) as (reader, writer):
        writer.write(b"POST /rpc HTTP/1.1\r\nHost: 127")
        answer = await read_answer(reader)
        assert (answer.status, answer.kind) == (408, "invalid_request")
        assert await ended(reader)


async def test_a_header_that_drips_has_no_more_time_than_one_that_stalls(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.3)
    async with connection(door.port) as (reader, writer):

        async def drip() -> None:
            while True:
                writer.write(b"X")
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip())
            writer.write(b"GET /health HTTP/1.1\r\n")
            assert (await read_answer(reader)).status in {0, 408}
            dripping.cancel()


async def test_silence_is_closed_without_a_word(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.2)
    async with connection(door.port) as (reader, _):
        assert await reader.read() == b""


async def test_half_a_body_is_answered_and_closed(open_door: Opener) -> None:
    door = await open_door(body_timeout_s=0.2)
    async with connection(door.port) as (reader, writer):
        writer.write(door.post(PING)[:-5])
        answer = await read_answer(reader)
        assert (answer.status, answer.kind) == (408, "invalid_request")
        assert await ended(reader)


async def test_half_a_body_that_ends_is_no_fault_of_ours(door: Door) -> None:
    async with connection(door.port) as (reader, writer):
        writer.write(door.post(PING)[:-5])
        writer.write_eof()
        assert (await read_answer(reader)).status in {0, 400}
    assert not door.studio.told


async def test_the_second_header_of_a_connection_has_a_deadline_too(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.2)
    async with connection(door.port) as (reader, writer):
        writer.write(door.post(PING) + b"POST /rpc HTTP/1.1\r\nHo")
        assert (await read_answer(reader)).status == 200
        assert await ended(reader)


async def test_a_second_header_that_starts_later_is_answered(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.2)
    async with connection(door.port) as (reader, writer):
        writer.write(door.post(PING))
        assert (await read_answer(reader)).status == 200
        writer.write(b"POST /rpc HTTP/1.1\r\nHo")
        assert (await read_answer(reader)).status == 408


async def test_a_call_may_take_longer_than_the_headers(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.1)
    made = (await door.call("images.generate", prompt="a"))["result"]["job"]
    waited = await door.call("jobs.wait", job_id=made["id"], timeout_s=0.4)
    assert waited["result"]["state"] == "queued"


async def test_a_websocket_has_no_header_deadline(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.1)
    async with connection(door.port) as (reader, writer):
        writer.write(request("GET /ws HTTP/1.1", door.host, door.auth, *UPGRADE))
        assert (await read_answer(reader)).status == 101
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await reader.read(1)


async def test_a_connection_over_the_cap_is_told_to_wait(open_door: Opener) -> None:
    door = await open_door(connections=4)
    async with AsyncExitStack() as stack:
        for _ in range(4):
            reader, writer = await stack.enter_async_context(connection(door.port))
            writer.write(door.post(PING))
            assert (await read_answer(reader)).status == 200
        async with connection(door.port) as (reader, _):
            answer = await read_answer(reader)
            assert (answer.status, answer.kind, answer.headers["retry-after"]) == (429, "slow_down", "1")
            assert await ended(reader)
    await until(lambda: not len(door.server.deadlines))
    assert (await door.send(door.post(PING))).status == 200


async def test_half_open_sockets_go_and_good_clients_stay(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.5, connections=60)
    async with AsyncExitStack() as stack:
        half = [await stack.enter_async_context(connection(door.port)) for _ in range(50)]
        for _, writer in half:
            writer.write(b"POST /rpc HTTP/1.1\r\nHost:")
        assert (await door.send(door.post(PING))).status == 200
        assert all(await asyncio.gather(*(ended(reader) for reader, _ in half)))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tendred-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


KNOCK = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(b"GET /health HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    got = s.recv(100)
except ConnectionError:
    got = b""
print(got.split(b"\\r\\n")[0].decode())
"""


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs another user to knock")
async def test_another_user_is_refused_even_where_the_file_lets_him_in(open_folder: Path) -> None:
    clock, tasks = SystemClock(), Tasks()
    server = RpcServer(
        FakeStudio(), token=TOKEN, config=RpcSection(), tasks=tasks, clock=clock, ids=Ids(clock, SystemRng())
    )
    path = open_folder / "tendred.sock"
    await server.start(path)
    path.chmod(0o777)
    try:
        heard = {
            user: await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-I", "-c", KNOCK, str(path), str(user)],
                capture_output=True,
                text=True,
                check=True,
            )
            for user in (0, 65534)
        }
    finally:
        await server.stop()
        await tasks.stop()
    assert heard[0].stdout.strip() == "HTTP/1.1 200 OK"
    assert heard[65534].stdout.strip() == ""
