"""Who may come in: one pure function over a request's head, asked before every route and every handshake.

It looks at raw header lines. `request.host` of aiohttp must not be used: an absolute-form target overrides the
header there, and HTTP/1.0 without a Host gets the address of the socket.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from tendred.errors import (
    HostRefused,
    InvalidRequest,
    MethodNotFound,
    NotFound,
    NotPermitted,
    OriginRefused,
    SlowDown,
    TendredError,
    TooLarge,
    Unauthorized,
    WrongType,
    describe,
)
from tendred.schema.system import BODY_BYTES
from tendred.schema.token import LOCAL_GRANT, Grant

"""A body holds at most this many bytes."""
OPEN: Final = ("GET", "/health")
"""The only route without a token."""
SOCKET: Final = "/ws"

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_UNIX_HOST: Final = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?")
_ORIGIN_FORM: Final = re.compile(r"/(?!/)[\x21-\x7e]*")
_JSON: Final = re.compile(rb"application/json(?:\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_SAME_SITE: Final = ((), (b"none",), (b"same-origin",))

STATUS: Final[dict[str, int]] = {
    InvalidRequest.kind: 400,
    Unauthorized.kind: 401,
    OriginRefused.kind: 403,
    NotPermitted.kind: 403,
    NotFound.kind: 404,
    MethodNotFound.kind: 405,
    TooLarge.kind: 413,
    WrongType.kind: 415,
    HostRefused.kind: 421,
    SlowDown.kind: 429,
}
"""Failures outside JSON-RPC and their HTTP statuses; any other kind is a 500."""
HEADERS: Final[dict[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}
"""On every answer. There are no CORS headers, ever."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. `target` and `headers` are as they came in; `minor` is of HTTP/1.x."""

    method: str
    target: str
    version: tuple[int, int]
    headers: tuple[tuple[bytes, bytes], ...]

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header, in order."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Guard:
    """The rules of one door. `port` is where it listens on loopback; `grants` knows the tokens of clients."""

    def __init__(self, token: str, port: int, grants: Callable[[str], Grant | None] = lambda _: None) -> None:
        self._token = token.encode()
        self._grants = grants
        self._hosts = frozenset(f"{name}:{port}".encode() for name in NAMES)
        self._origins = frozenset(b"http://" + host for host in self._hosts)

    def check(self, head: Head, *, unix: bool) -> Grant | None:
        """Raises what is wrong with a request, in the order host, origin, token, body.

        Returns what its token allows; None only for GET /health and for a handshake of a WebSocket that brings its
        token in the first frame.
        """
        self._check_host(head, unix=unix)
        self._check_origin(head)
        proved = self._check_token(head)
        check_body(head)
        return proved

    def knows(self, token: str) -> Grant | None:
        """What a token allows, if it is one; compared in constant time."""
        return self._grant(token.encode("utf-8", "surrogatepass"))

    def _grant(self, given: bytes) -> Grant | None:
        if hmac.compare_digest(given, self._token):
            return LOCAL_GRANT
        return self._grants(given.decode("utf-8", "replace"))

    def _check_host(self, head: Head, *, unix: bool) -> None:
        hosts = head.all(b"host")
        if head.version != (1, 1) or len(hosts) != 1 or not _ORIGIN_FORM.fullmatch(head.target):
            raise HostRefused
        known = _UNIX_HOST.fullmatch(hosts[0]) if unix else hosts[0] in self._hosts
        if not known:
            raise HostRefused

    def _check_origin(self, head: Head) -> None:
        origins = head.all(b"origin")
        if len(origins) > 1 or any(origin not in self._origins for origin in origins):
            raise OriginRefused
        if head.all(b"sec-fetch-site") not in _SAME_SITE or head.method == "OPTIONS":
            raise OriginRefused

    def _check_token(self, head: Head) -> Grant | None:
        given = head.all(b"authorization")
        if len(given) == 1:
            scheme, _, token = given[0].partition(b" ")
            if scheme.lower() == b"bearer":
                known = self._grant(token.strip(b" "))
                if known is not None:
                    return known
        elif not given and ((head.method, head.target) == OPEN or (head.method, head.path) == ("GET", SOCKET)):
            return None
        raise Unauthorized


def check_body(head: Head) -> None:
    """Whether the body can be taken; raises TooLarge or WrongType before a byte of it is read."""
    lengths = head.all(b"content-length")
    if head.all(b"transfer-encoding"):
        raise TooLarge("length_required")
    if head.method != "POST":
        if any(length != b"0" for length in lengths):
            raise TooLarge(size_bytes=_number(lengths), limit_bytes=0)
        return
    types = head.all(b"content-type")
    if head.all(b"content-encoding") or len(types) != 1 or not _JSON.fullmatch(types[0]):
        raise WrongType
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise TooLarge("length_required")
    if int(lengths[0]) > BODY_BYTES:
        raise TooLarge(size_bytes=int(lengths[0]), limit_bytes=BODY_BYTES)


def _number(lengths: tuple[bytes, ...]) -> int:
    return int(lengths[0]) if _LENGTH.fullmatch(lengths[0]) else 0


def status_of(error: TendredError) -> int:
    """The HTTP status of a failure outside JSON-RPC."""
    return STATUS.get(error.kind, 500)


def body_of(error: TendredError, lang: str) -> bytes:
    """Its body: `{"error":{"kind","message"}}`."""
    return msgspec.json.encode({"error": {"kind": error.kind, "message": describe(error, lang)[0]}})


def raw_answer(error: TendredError, lang: str, status: int | None = None) -> bytes:
    """A whole HTTP answer, for connections that are refused before a request could be read."""
    status, body = status or status_of(error), body_of(error, lang)
    lines = [f"HTTP/1.1 {status} {error.kind.replace('_', ' ').title()}", "Connection: close"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Cache-Control: no-store"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    lines += [f"Retry-After: {error.detail['retry_after_s']}"] if "retry_after_s" in error.detail else []
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
