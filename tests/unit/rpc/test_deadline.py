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
from tendred.testing.raw import UPGRADE, connection, ended, exchange, read_answer, request
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


async def test_a_connection_over_the_cap_of_busy_ones_is_told_to_wait(open_door: Opener) -> None:
    door = await open_door(connections=4)
    job = (await door.call("images.generate", prompt="a"))["result"]["job"]["id"]
    waiting = {"jsonrpc": "2.0", "id": 1, "method": "jobs.wait", "params": {"job_id": job, "timeout_s": 20}}
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(connection(door.port)) for _ in range(4)]
        for _, writer in held:
            writer.write(door.post(waiting))
        await until(lambda: len(door.studio.bus._subscriptions) == 4)
        async with connection(door.port) as (reader, _):
            answer = await read_answer(reader)
            assert (answer.status, answer.kind, answer.headers["retry-after"]) == (429, "slow_down", "1")
            assert await ended(reader)
        assert (await exchange(door.unix, door.post(PING))).status == 200
        await door.studio.finish(job)
        assert {(await read_answer(reader)).status for reader, _ in held} == {200}
    await until(lambda: not len(door.server.deadlines))
    assert (await door.send(door.post(PING))).status == 200


@pytest.mark.parametrize("said", [b"", b"POST /rpc HTTP/1.1\r\nHo", b"handshake"])
async def test_those_without_a_token_make_room(open_door: Opener, said: bytes) -> None:
    door = await open_door(connections=4, header_timeout_s=30)
    if said == b"handshake":
        said = request("GET /ws HTTP/1.1", door.host, *UPGRADE)
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connection(door.port)) for _ in range(4)]
        for reader, writer in silent:
            writer.write(said)
            if b"GET /ws" in said:
                assert (await read_answer(reader)).status == 101
        await until(lambda: len(door.server.deadlines) == 4)
        assert (await door.send(door.post(PING))).status == 200
        assert (await exchange(door.unix, door.post(PING))).status == 200
        assert await ended(silent[0][0])  # the oldest went


async def test_a_flood_of_strangers_leaves_known_clients_that_pause(open_door: Opener) -> None:
    door = await open_door(connections=4, header_timeout_s=30)
    async with AsyncExitStack() as stack:
        reader, writer = await stack.enter_async_context(connection(door.port))
        writer.write(door.post(PING))
        assert (await read_answer(reader)).status == 200
        strangers = [await stack.enter_async_context(connection(door.port)) for _ in range(12)]
        assert all(await asyncio.gather(*(ended(stranger) for stranger, _ in strangers[:9])))
        writer.write(door.post(PING))
        assert (await read_answer(reader)).status == 200


async def test_an_answer_that_nobody_reads_is_given_up(open_door: Opener) -> None:
    door = await open_door()
    door.server.front._write_s = 0.2
    batch = [{"jsonrpc": "2.0", "id": index, "method": "rpc.discover"} for index in range(32)]
    async with connection(door.unix) as (reader, writer):
        writer.write(door.post(batch))  # megabytes of answers, more than the buffers of a Unix socket hold
        await until(lambda: len(door.server.deadlines) == 1)
        await until(lambda: not len(door.server.deadlines), 4)
        assert await ended(reader)
    assert not door.studio.told


async def test_a_file_that_nobody_reads_is_given_up(open_door: Opener, tmp_path: Path) -> None:
    door = await open_door()
    door.server.front._write_s = 0.2
    picture = tmp_path / "a.png"
    picture.write_bytes(bytes(4_000_000))
    asset = door.studio.add_asset(picture)
    async with connection(door.unix) as (reader, writer):
        writer.write(request(f"GET {asset.url} HTTP/1.1", door.host, door.auth))
        await until(lambda: len(door.server.deadlines) == 1)
        await until(lambda: not len(door.server.deadlines), 4)
        assert await ended(reader)
    assert not door.studio.told


async def test_what_is_left_of_an_answer_does_not_hold_its_connection(open_door: Opener) -> None:
    door = await open_door(header_timeout_s=0.3)
    batch = [{"jsonrpc": "2.0", "id": index, "method": "rpc.discover"} for index in range(32)]
    async with connection(door.unix) as (reader, writer):
        await until(lambda: len(door.server.deadlines) == 1)
        (served,) = door.server.deadlines._open
        assert served._transport is not None
        served._transport.set_write_buffer_limits(high=1 << 30)  # so that the whole answer counts as written
        writer.write(door.post(batch))
        await until(lambda: not len(door.server.deadlines), 4)
        assert await ended(reader)


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
