"""The HTTP side of the door: guard first, then four routes. Not an aiohttp application: that one routes first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, cast

import msgspec
from aiohttp import web

from tendred.clock import Clock
from tendred.core.telling import spoken
from tendred.errors import LANGUAGES, InvalidRequest, MethodNotFound, NotFound, NotPermitted, TendredError, Unauthorized
from tendred.rpc import media
from tendred.rpc.deadline import Connection, Handler
from tendred.rpc.door import client_name
from tendred.rpc.guard import HEADERS, Guard, Head, body_of, status_of
from tendred.rpc.socket import STOPPING, Hall, SocketClient, new_websocket
from tendred.schema.token import Grant

_log = logging.getLogger(__name__)

CLIENT_HEADER: Final = "Tendred-Client"
WRITE_S: Final = 15.0
"""Seconds in which a client has to take an answer, or the next piece of a file."""
_RPC_HEADERS: Final = {**HEADERS, "Cache-Control": "no-store", "Content-Type": "application/json"}

Route = Callable[[web.BaseRequest, Head, Grant | None], Awaitable[web.StreamResponse]]


class Front:
    """Answers requests."""

    def __init__(
        self, hall: Hall, guard: Guard, *, body_timeout_s: float, clock: Clock, write_s: float = WRITE_S
    ) -> None:
        self._hall = hall
        self._guard = guard
        self._body_timeout_s = body_timeout_s
        self._write_s = write_s
        self._clock = clock
        self._sockets: set[SocketClient] = set()
        self.routes: Final[dict[tuple[str, str], Route]] = {
            ("GET", "/health"): self._health,
            ("POST", "/rpc"): self._rpc,
            ("GET", "/ws"): self._ws,
            ("GET", "/media/"): self._media,
        }
        """Every way in, by method and path; a path that ends in a slash takes one segment more."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        connection = cast("Handler", request.protocol).connection
        connection.begin()
        started = self._clock.mono()
        spoken.set(_spoken(request))
        try:
            response = await self._made(request, connection)
            if isinstance(response, web.Response):
                await self._sent(request, response)
        except media.UnreadError:
            connection.drop()
            raise
        finally:
            connection.end()
        _log.debug("%s answered with %d in %.4f s", request.method, response.status, self._clock.mono() - started)
        return response

    def leave(self) -> None:
        """Close every WebSocket."""
        for client in tuple(self._sockets):
            client.leave(STOPPING)

    async def _made(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        """The answer, whatever happens. Raises ConnectionError where none can be given any more."""
        try:
            return await self._answer(request, connection)
        except TendredError as error:
            return self._refusal(error)
        except ConnectionError:
            raise
        except Exception as error:
            told = self._hall.door.studio.tell(error)  # a bug of ours is an answer too; this logs it
            if request.writer.output_size:
                # Half an answer is out already: another one behind it would be read as the rest of it.
                raise ConnectionResetError from error
            return _json({"error": {"kind": told.kind, "message": told.message, "ref": told.ref}}, 500)

    async def _sent(self, request: web.BaseRequest, response: web.Response) -> None:
        """Write an answer here rather than leave it to aiohttp, which waits for ever for a client to read it."""
        try:
            async with media.deadline(self._write_s):
                await response.prepare(request)
                await response.write_eof()
        except media.UnreadError:
            raise
        except ConnectionError:
            _log.debug("a client left before it was answered")  # aiohttp finds that out by itself

    async def _answer(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        version = (request.version.major, request.version.minor)
        head = Head(request.method, request.raw_path, version, tuple(request.raw_headers))
        grant = self._guard.check(head, unix=connection.on_unix)
        if grant is not None:
            connection.prove()
        return await self._route(head)(request, head, grant)

    def _route(self, head: Head) -> Route:
        folder, _, rest = head.path[1:].partition("/")
        path = f"/{folder}/" if rest else head.path
        if route := self.routes.get((head.method, path)):
            return route
        if path in {known for _, known in self.routes}:
            raise MethodNotFound(method=f"{head.method} {path}", near=[])
        raise NotFound(noun="path", name=head.path[:100], near=[path for _, path in self.routes])

    async def _health(self, _request: web.BaseRequest, _head: Head, _grant: Grant | None) -> web.StreamResponse:
        return _json({"ok": True}, 200)

    async def _rpc(self, request: web.BaseRequest, _head: Head, grant: Grant | None) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._body_timeout_s):
                raw = await request.read()
        except TimeoutError:
            problem = f"its body took longer than {self._body_timeout_s:g} s"
            return self._refusal(InvalidRequest(problem=problem), status=408)
        except web.RequestPayloadError:
            return self._refusal(InvalidRequest(problem="its body broke off"))
        assert grant is not None, "the guard lets nobody else in here"
        client = _client(request)
        door = replace(self._hall.door, client=client, scopes=grant.scopes, token_id=grant.token_id)
        answer = await self._hall.dispatcher.answer(raw, door)
        if answer is None:
            return web.Response(status=204, headers={**HEADERS, "Cache-Control": "no-store"})
        return web.Response(body=answer, headers=_RPC_HEADERS)

    async def _ws(self, request: web.BaseRequest, head: Head, grant: Grant | None) -> web.StreamResponse:
        socket = new_websocket()
        # Subprotocols are refused rather than passed over: aiohttp would log them, and some clients put tokens there.
        fits = not head.all(b"sec-websocket-protocol") and socket.can_prepare(request).ok
        if not fits:
            if grant is None:
                raise Unauthorized
            raise InvalidRequest(problem="/ws takes WebSocket handshakes without a subprotocol only")
        socket.headers.update(HEADERS)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        connection = cast("Handler", request.protocol).connection
        client = SocketClient(socket, transport, self._hall, _client(request), connection.prove)
        self._sockets.add(client)
        try:
            await client.run(grant)
        finally:
            self._sockets.discard(client)
        return socket

    async def _media(self, request: web.BaseRequest, head: Head, grant: Grant | None) -> web.StreamResponse:
        if grant is None or "read" not in grant.scopes:
            raise NotPermitted(scope="read")
        asset_id = head.path.removeprefix("/media/")
        if not asset_id.replace("_", "").isalnum():
            raise NotFound(noun="asset", name=asset_id[:100], near=[])
        return await media.send(request, await self._hall.door.studio.asset(asset_id), self._write_s)

    def _refusal(self, error: TendredError, status: int | None = None) -> web.Response:
        body = body_of(error, self._hall.door.studio.language)
        response = web.Response(status=status or status_of(error), body=body, headers=_RPC_HEADERS)
        if "retry_after_s" in error.detail:
            response.headers["Retry-After"] = str(error.detail["retry_after_s"])
        response.force_close()
        return response


def _spoken(request: web.BaseRequest) -> str | None:
    """The first language a client names, if messages are told in it."""
    wanted = request.headers.get("Accept-Language", "").strip()[:2].lower()
    return wanted if wanted in LANGUAGES else None


def _client(request: web.BaseRequest) -> str | None:
    return client_name(request.headers.get(CLIENT_HEADER, ""))


def _json(document: Any, status: int) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), headers=_RPC_HEADERS)
