"""The protocol around aiohttp's own: a deadline for headers, a cap on connections, the peer of a Unix socket.

aiohttp waits for half a header as long as its keep-alive time, or for ever (before 3.14.5), and takes as many
connections as there are files. The port and the Unix socket have a cap each, and where one is full a connection
without a proved request makes room for the newcomer: nobody is locked out by others who are silent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import http_exceptions, web

from tendred.errors import HostRefused, Internal, InvalidRequest, SlowDown, TendredError, WrongType
from tendred.rpc.guard import HEADERS, body_of, raw_answer, status_of

_log = logging.getLogger(__name__)
_CREDENTIALS: Final = struct.Struct("3i")
_UNPARSED: Final[dict[str, type[TendredError]]] = {
    "Missing 'Host' header in request.": HostRefused,
    "Duplicate 'Host' header found.": HostRefused,
    "Duplicate 'Content-Type' header found.": WrongType,
}


class Handler(web.RequestHandler):
    """aiohttp's side of a connection. What it can't even parse is answered in our form, and never logged in full."""

    connection: Connection

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote a header, and a header may hold the token
    ) -> web.StreamResponse:
        _log.info("a request was broken off with %d (%s)", status, type(exc).__name__)
        if request.writer.output_size:
            self.force_close()
            raise ConnectionResetError
        # Below 500 it is the parser that gave up, before the guard saw anything.
        error = _unparsed(exc) if status < 500 else Internal()  # noqa: PLR2004
        body = body_of(error, self.connection.language)
        response = web.Response(status=status_of(error), body=body, headers=HEADERS)
        response.content_type = "application/json"
        response.force_close()
        return response


class Deadlines:
    """Every connection of one door. `language` is what refusals are told in."""

    def __init__(
        self, inner: Callable[[], Handler], *, header_timeout_s: float, limit: int, language: Callable[[], str]
    ) -> None:
        self.inner = inner
        self.header_timeout_s = header_timeout_s
        self.language = language
        self._limit = limit
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # those that may be dropped, the longest idle first

    def tcp(self) -> Connection:
        """The factory of the loopback port."""
        return Connection(self, unix=False)

    def unix(self) -> Connection:
        """The factory of the Unix socket."""
        return Connection(self, unix=True)

    def admit(self, connection: Connection) -> bool:
        """Called by a connection that is being made. Returns whether there is room for it, or could be made."""
        if sum(other.on_unix == connection.on_unix for other in self._open) >= self._limit:
            idle = [other for other in self._idle if other.on_unix == connection.on_unix]
            if not idle:
                return False
            # Strangers go first, so that a flood of them doesn't end the connections of clients that pause.
            dropped = next((other for other in idle if not other.known), idle[0])
            self.leave(dropped)
            dropped.drop()
        self._open.add(connection)
        self._idle[connection] = None
        return True

    def works(self, connection: Connection) -> None:
        """A connection has proved itself: until `rests` it stays."""
        self._idle.pop(connection, None)

    def rests(self, connection: Connection) -> None:
        """Its request is over: from now on it may be dropped."""
        if connection in self._open:
            self._idle[connection] = None

    def leave(self, connection: Connection) -> None:
        """Called by a connection."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def __len__(self) -> int:
        return len(self._open)


class Connection(asyncio.Protocol):
    """One connection. Between `begin` and `end` of a request no deadline runs here."""

    def __init__(self, every: Deadlines, *, unix: bool) -> None:
        self._every = every
        self.on_unix = unix
        self.known = False
        """Whether a request of this connection had the token."""
        self._handler = every.inner()
        self._handler.connection = self
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._admitted = False
        self._busy = False
        self._heard = False

    @property
    def language(self) -> str:
        return self._every.language()

    def begin(self) -> None:
        """A request's head is complete."""
        self._busy = True
        self._disarm()

    def prove(self) -> None:
        """The request that has begun has the token."""
        self.known = True
        self._every.works(self)

    def end(self) -> None:
        """Its answer is on its way; the next head has as long as the first one had."""
        self._busy = self._heard = False
        self._every.rests(self)
        self._arm()

    def drop(self) -> None:
        """End it at once; what it hasn't read yet is lost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.on_unix and not _same_user(self._transport):
            self._transport.abort()
        elif not self._every.admit(self):
            self._refuse(raw_answer(SlowDown(retry_after_s=1), self.language))
        else:
            self._admitted = True
            self._handler.connection_made(transport)
            self._arm()

    def data_received(self, data: bytes) -> None:
        if self._admitted:
            self._heard = True
            self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self._handler.eof_received() if self._admitted else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._transport = None
        if self._admitted:
            self._every.leave(self)
            self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def _arm(self) -> None:
        self._disarm()
        if self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(self._every.header_timeout_s, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._busy or self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # it doesn't read, so closing would wait for it for ever
        elif self._heard:
            problem = f"its headers took longer than {self._every.header_timeout_s:g} s"
            self._refuse(raw_answer(InvalidRequest(problem=problem), self.language, status=408))
        else:
            self._transport.close()

    def _refuse(self, answer: bytes) -> None:
        assert self._transport is not None
        self._transport.write(answer)
        self._transport.close()


def _unparsed(exc: BaseException | None) -> TendredError:
    """What aiohttp's parser refused, by the kind that the guard would have used. It is refused either way."""
    message = exc.message if isinstance(exc, http_exceptions.HttpProcessingError) else ""
    if error := _UNPARSED.get(message):
        return error()
    line = isinstance(exc, http_exceptions.InvalidURLError | http_exceptions.BadStatusLine)
    if line and not isinstance(exc, http_exceptions.BadHttpMethod):
        return HostRefused()
    return InvalidRequest(problem="it is not well-formed HTTP/1.1")


def _same_user(transport: asyncio.Transport) -> bool:
    """Whether the other end of a Unix socket runs as our user. Where that can't be asked, the file's mode decides."""
    peer: Any = getattr(socket, "SO_PEERCRED", None)
    if peer is None:
        return True
    raw = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, peer, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return uid == os.getuid()
