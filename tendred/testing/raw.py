"""Bytes on a wire: what no HTTP client would send, and exactly what came back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = base64.b64encode(bytes(16)).decode()
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; status 0 means that the connection was closed without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """`error.kind` of a failure."""
        return str(json.loads(self.body)["error"]["kind"])

    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.asynccontextmanager
async def connection(where: int | Path) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """To a port on 127.0.0.1, or to a Unix socket."""
    if isinstance(where, Path):
        reader, writer = await asyncio.open_unix_connection(str(where))
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", where)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request's bytes, nothing added."""
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer on a connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, {}, b"")
    first, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split(" ")[1])
    length = 0 if status in {101, 204, 304} else int(headers.get("content-length", "0"))
    return Answer(status, headers, await reader.readexactly(length))


async def exchange(where: int | Path, data: bytes) -> Answer:
    """Send bytes on a connection of their own and read one answer."""
    async with connection(where) as (reader, writer):
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return await read_answer(reader)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side closes; whatever it still sends is thrown away."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass
    return True
