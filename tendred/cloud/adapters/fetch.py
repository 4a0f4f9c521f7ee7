"""Fetching a result: from the middle where that is certain to be the same file, without the key unless its host may have it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urljoin

import aiohttp

from tendred.cloud.adapters.answers import retry_after
from tendred.cloud.adapters.hosts import HostNotAllowed, is_under, origin
from tendred.cloud.adapters.wire import Wire
from tendred.errors import CredentialsMissing, ResultExpired

LIMIT_BYTES: Final = 8 * 1024**3
PIECE_BYTES: Final = 256 * 1024
SILENCE_S: Final = 60.0
REDIRECTS: Final = 5
_RANGE: Final = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=30, sock_read=SILENCE_S)
_GONE: Final = frozenset({401, 403, 404, 410})
"""What a signed address that has run out is answered with: the job is asked again, and says whether there is another."""
_FAILED: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


class Fetching:
    """See backend.Download."""

    def __init__(
        self, wire: Wire, answer: aiohttp.ClientResponse | None, offset: int, total: int | None, etag: str | None
    ) -> None:
        self._wire, self._answer = wire, answer
        self.offset, self.total, self.etag = offset, total, etag

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Its bytes from `offset` on."""
        at = self.offset
        if self._answer is None:
            return
        try:
            async for piece in self._answer.content.iter_chunked(PIECE_BYTES):
                at += len(piece)
                if at > LIMIT_BYTES:
                    raise self._wire.unavailable(f"a result of more than {LIMIT_BYTES} bytes")
                yield piece
        except _FAILED:
            raise self._wire.unavailable(f"the result broke off at byte {at}") from None
        if self.total is not None and at != self.total:
            raise self._wire.unavailable(f"the result ended at byte {at} of {self.total}")


@asynccontextmanager
async def fetch(
    wire: Wire, url: str, offset: int, etag: str | None, *, keyed: bool = False
) -> AsyncGenerator[Fetching]:
    """Open a result. Goes on at `offset` only with an entity tag that the server confirms; otherwise from 0.

    `keyed`: the address is the provider's own and wants the key. Raises ResultExpired where the address has run out,
    ProviderUnavailable, SlowDown.
    """
    async with AsyncExitStack() as stack:
        start = offset if etag is not None else 0
        answer = await _found(wire, stack, url, _headers(start, etag), keyed=keyed)
        if answer.status == 416:  # noqa: PLR2004 - Range Not Satisfiable
            if _total(answer) == start:
                yield Fetching(wire, None, start, start, etag)
                return
            answer = await _found(wire, stack, url, _headers(0, None), keyed=keyed)
        if answer.status not in {200, 206}:
            raise wire.unavailable(f"status {answer.status} instead of the result")
        if answer.headers.get("Content-Type", "").partition("/")[0].strip().lower() in {"text", "image"}:
            raise wire.unavailable("a page instead of the result")
        yield _fetching(wire, answer)


def _fetching(wire: Wire, answer: aiohttp.ClientResponse) -> Fetching:
    tag = answer.headers.get("ETag")
    tag = None if tag is None or tag.startswith("W/") else tag  # a weak one promises nothing about bytes
    if answer.status == 206:  # noqa: PLR2004 - Partial Content
        told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if told is None or told[1] is None:
            raise wire.unavailable("a part of the result without its place")
        return Fetching(wire, answer, int(told[1]), _total(answer), tag)
    total = answer.content_length if "Content-Encoding" not in answer.headers else None
    return Fetching(wire, answer, 0, total, tag)


async def _found(
    wire: Wire, stack: AsyncExitStack, url: str, headers: Mapping[str, str], *, keyed: bool
) -> aiohttp.ClientResponse:
    """The answer behind every redirect. The key goes to the provider's own origin, or to a host of its table that asks for it."""
    asked = False
    for _ in range(REDIRECTS + 1):
        answer = await _opened(wire, stack, url, headers, keyed=(keyed and _is_home(wire, url)) or asked)
        if answer.status in {301, 302, 303, 307, 308}:
            url, asked = urljoin(url, answer.headers.get("Location", "")), False
        elif answer.status in {401, 403} and not asked and _may_know(wire, url):
            asked = True
        else:
            return _checked(wire, answer, keyed=keyed and _is_home(wire, url))
    raise wire.unavailable("it redirects in circles")


async def _opened(
    wire: Wire, stack: AsyncExitStack, url: str, headers: Mapping[str, str], *, keyed: bool
) -> aiohttp.ClientResponse:
    try:
        return await stack.enter_async_context(wire.open(url, headers, keyed=keyed, timeout=_TIMEOUT))
    except HostNotAllowed as problem:
        raise wire.unavailable(str(problem)) from None
    except _FAILED as problem:
        # Its text may hold the address, which is signed.
        raise wire.unavailable(f"the result can't be fetched ({type(problem).__name__})") from None


def _checked(wire: Wire, answer: aiohttp.ClientResponse, *, keyed: bool) -> aiohttp.ClientResponse:
    if keyed and answer.status in {401, 403}:
        raise CredentialsMissing("refused", provider=wire.provider)
    if answer.status in _GONE:
        raise ResultExpired(provider=wire.provider)
    if answer.status == 429 or answer.status >= 500:  # noqa: PLR2004
        raise wire.unavailable(f"status {answer.status}", retry_after(answer.headers, wire.clock.now()))
    return answer


def _headers(offset: int, etag: str | None) -> dict[str, str]:
    plain = {"Accept-Encoding": "identity"}
    return plain if offset == 0 or etag is None else {**plain, "Range": f"bytes={offset}-", "If-Range": etag}


def _total(answer: aiohttp.ClientResponse) -> int | None:
    told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return None if told is None or told[2] == "*" else int(told[2])


def _is_home(wire: Wire, url: str) -> bool:
    with contextlib.suppress(HostNotAllowed):
        return origin(url) == wire.home
    return False


def _may_know(wire: Wire, url: str) -> bool:
    with contextlib.suppress(HostNotAllowed):
        place = origin(url)
        return place.scheme == "https" and is_under(place.host, wire.table.key_hosts)
    return False
