"""The JSON-RPC door: listens on loopback and on a Unix socket, and stops listening."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from tendred.clock import Clock, Ids
from tendred.config.schema import RpcSection
from tendred.core.studio import Studio
from tendred.rpc import openrpc
from tendred.rpc.deadline import Deadlines, Handler
from tendred.rpc.door import NoTokens, RpcDoor, Tokenry, Waits
from tendred.rpc.guard import Guard
from tendred.rpc.http import Front
from tendred.rpc.jsonrpc import Dispatcher
from tendred.rpc.listen import LOOPBACK, bind_loopback, bind_unix
from tendred.rpc.methods import registry
from tendred.rpc.socket import Hall
from tendred.tasks import Tasks

LINGER_S: Final = 2.0
"""Seconds for which the rest of a refused body is thrown away, so that the answer isn't lost in a reset."""
STOP_S: Final = 3.0


class RpcServer:
    """The door of the RPC clients. `token` is new at every start of the daemon; `tokens` are those that clients were given."""

    def __init__(
        self,
        studio: Studio,
        *,
        token: str,
        config: RpcSection,
        tasks: Tasks,
        clock: Clock,
        ids: Ids,
        tokens: Tokenry | None = None,
    ) -> None:
        self._studio = studio
        self._tokens = tokens or NoTokens()
        self._token = token
        self._config = config
        self._tasks = tasks
        self._clock = clock
        self._ids = ids
        self._waits = Waits()
        self._front: Front | None = None
        self._deadlines: Deadlines | None = None
        self._http: web.Server | None = None
        self._listeners: list[asyncio.Server] = []
        self._socket_path: Path | None = None

    @property
    def front(self) -> Front:
        """What answers, once it has started."""
        assert self._front is not None
        return self._front

    @property
    def deadlines(self) -> Deadlines:
        """Its open connections, once it has started."""
        assert self._deadlines is not None
        return self._deadlines

    async def start(self, socket_path: Path | None) -> str:
        """Listen on loopback, and on a Unix socket if there is a path for one. Returns the url.

        Raises PortInUse when the configured port is taken.
        """
        bound = bind_loopback(self._config.port)
        port = int(bound.getsockname()[1])
        self._front = self._build(Guard(self._token, port, self._tokens.grant))
        self._http = web.Server(self._front.handle)
        self._deadlines = deadlines = Deadlines(
            self._handler,
            header_timeout_s=self._config.header_timeout_s,
            limit=self._config.connections,
            language=lambda: self._studio.language,
        )
        loop = asyncio.get_running_loop()
        try:
            self._listeners.append(await loop.create_server(deadlines.tcp, sock=bound))
            if socket_path is not None:
                unix = bind_unix(socket_path)
                self._socket_path = socket_path
                self._listeners.append(await loop.create_unix_server(deadlines.unix, sock=unix))
        except BaseException:
            await self.stop()
            raise
        return f"http://{LOOPBACK}:{port}"

    async def stop(self) -> None:
        """Take nobody more in, tell those who wait, and close. Twice is fine."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._waits.stop()
        if self._front is not None:
            self._front.leave()
        if self._http is not None:
            await self._http.shutdown(STOP_S)
            self._http = None
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
            self._socket_path = None

    def _build(self, guard: Guard) -> Front:
        methods = registry()
        made: dict[str, Any] = {}

        def describe() -> dict[str, Any]:
            if not made:
                made.update(openrpc.document(methods))
            return made

        door = RpcDoor(self._studio, self._waits, describe)
        dispatcher = Dispatcher(methods, self._studio.tell)
        hall = Hall(dispatcher, door, self._tasks, self._ids, guard.knows, self._tokens.scopes)
        return Front(hall, guard, body_timeout_s=self._config.body_timeout_s, clock=self._clock)

    def _handler(self) -> Handler:
        assert self._http is not None
        return Handler(
            self._http,
            loop=asyncio.get_running_loop(),
            access_log=None,  # pyright: ignore[reportArgumentType] - None is how aiohttp is told to keep none
            auto_decompress=False,
            lingering_time=LINGER_S,
            # Our own deadline comes first; this one is behind it.
            keepalive_timeout=2 * self._config.header_timeout_s,
        )
