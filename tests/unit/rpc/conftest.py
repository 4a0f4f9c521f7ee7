"""A running door with a studio in memory behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.config.schema import RpcSection
from tendred.rpc.server import RpcServer
from tendred.tasks import Tasks
from tendred.testing.raw import Answer, exchange, request
from tendred.testing.studio import FakeStudio

TOKEN = "t0ken-" + "x" * 43


@dataclass
class Door:
    """What a test needs of it."""

    server: RpcServer
    studio: FakeStudio
    tasks: Tasks
    port: int
    token: str
    unix: Path

    @property
    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.port}"

    @property
    def auth(self) -> str:
        return f"Authorization: Bearer {self.token}"

    def post(self, document: Any, *more: str) -> bytes:
        """The bytes of a good POST /rpc."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        length = f"Content-Length: {len(body)}"
        return request(
            "POST /rpc HTTP/1.1", self.host, self.auth, "Content-Type: application/json", length, *more, body=body
        )

    async def send(self, data: bytes) -> Answer:
        return await exchange(self.port, data)

    async def call(self, method: str, *more: str, **params: Any) -> Any:
        """The JSON-RPC response to one call over HTTP."""
        document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await self.send(self.post(document, *more))).json()


Opener = Callable[..., Awaitable[Door]]


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Opener]:
    """Starts doors: `await open_door(header_timeout_s=0.2)` takes the fields of the config's section."""
    opened: list[Door] = []

    async def start(language: str = "en", **config: Any) -> Door:
        studio, tasks, clock = FakeStudio(language), Tasks(), SystemClock()
        server = RpcServer(
            studio,
            token=TOKEN,
            config=msgspec.structs.replace(RpcSection(), **config),
            tasks=tasks,
            clock=clock,
            ids=Ids(clock, SystemRng()),
        )
        unix = tmp_path / f"run{len(opened)}" / "tendred.sock"
        url = await server.start(unix)
        opened.append(Door(server, studio, tasks, int(url.rpartition(":")[2]), TOKEN, unix))
        return opened[-1]

    yield start
    for door in opened:
        await door.server.stop()
        await door.tasks.stop()


@pytest.fixture
async def door(open_door: Opener) -> Door:
    return await open_door()
