"""A running JSON-RPC door with a studio in memory behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.config.schema import RpcSection
from tendred.core.studio import Studio
from tendred.rpc.server import RpcServer
from tendred.tasks import Tasks
from tendred.testing.raw import Answer, exchange, request
from tendred.testing.studio import FakeStudio

TOKEN: Final = "t0ken-" + "x" * 43


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
        """The bytes of a good POST /rpc; bytes are a body as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        length = f"Content-Length: {len(body)}"
        return request(
            "POST /rpc HTTP/1.1", self.host, self.auth, "Content-Type: application/json", length, *more, body=body
        )

    async def send(self, data: bytes) -> Answer:
        """Bytes on a connection of their own, and the answer."""
        return await exchange(self.port, data)

    async def call(self, method: str, *more: str, **params: Any) -> Any:
        """The JSON-RPC response to one call over HTTP; `more` are header lines."""
        document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await self.send(self.post(document, *more))).json()

    async def close(self) -> None:
        await self.server.stop()
        await self.tasks.stop()


Opener = Callable[..., Awaitable[Door]]
"""`await open_door(language, header_timeout_s=0.2)`: the fields are those of the config's section."""


async def open_door(unix: Path, config: RpcSection, language: str = "en") -> Door:
    """Start one. The caller closes it."""
    studio, tasks, clock = FakeStudio(language), Tasks(), SystemClock()
    ids = Ids(clock, SystemRng())
    server = RpcServer(cast("Studio", studio), token=TOKEN, config=config, tasks=tasks, clock=clock, ids=ids)
    url = await server.start(unix)
    return Door(server, studio, tasks, int(url.rpartition(":")[2]), TOKEN, unix)


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait until it holds. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)
