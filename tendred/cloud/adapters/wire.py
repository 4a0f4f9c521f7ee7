"""How every adapter speaks HTTP: a connection for each call, no redirects, no retries, the key to its own host alone.

A submit is told in three ways: it certainly didn't leave (NotSent), the provider certainly didn't take it (its own
error, whole), or nobody knows (OutcomeUnknown, with what was seen). Everything that isn't certain is the third.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import msgspec

from tendred import __version__
from tendred.clock import Clock, rfc3339
from tendred.cloud.adapters.answers import retry_after
from tendred.cloud.adapters.hosts import HostNotAllowed, Origin, PublicResolver, allowed, is_under, origin
from tendred.cloud.adapters.table import Table
from tendred.config.secret import Secret
from tendred.errors import CredentialsMissing, NotSent, OutcomeUnknown, ProviderUnavailable, SlowDown, TendredError
from tendred.schema.provider import Accepted

ANSWER_BYTES: Final = 4 * 1024 * 1024
SUBMIT_S: Final = 60.0
ASK_S: Final = 60.0
SEND_FILE_S: Final = 300.0
REQUEST_IDS: Final = ("x-request-id", "x-fal-request-id")
PATIENCE_S: Final = 15.0
"""How long to wait where a provider asks for patience and doesn't say how much."""
_REDIRECTS: Final = range(300, 400)
_FAILED: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)

Key = Callable[[], Awaitable[Secret | None]]
Body = bytes | aiohttp.FormData | None


@dataclass(frozen=True)
class Net:
    """The way out: a proxy for https, and an authority of the user's own; empty where there is none."""

    proxy: str = ""
    ca_file: str = ""


@dataclass(frozen=True)
class Reply:
    """An answer that arrived whole. `request_id` is what the provider's own log calls it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any] | None:
        """Its JSON object; None for anything else."""
        try:
            said = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return cast("dict[str, Any]", said) if isinstance(said, dict) else None

    @property
    def request_id(self) -> str | None:
        return request_id(self.headers)


@dataclass
class Seen:
    """How far a call came."""

    connected: bool = False
    status: int | None = None
    request_id: str | None = None


@dataclass
class Wire:
    """One provider's connections. `key` is asked for at every call and kept by nobody."""

    table: Table
    key: Key
    clock: Clock
    net: Net = field(default_factory=Net)
    submit_s: float = SUBMIT_S
    """Seconds a submit may take, its answer included."""

    def __post_init__(self) -> None:
        self.home: Origin = origin(self.table.endpoint)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.net.ca_file or None)

    @property
    def provider(self) -> str:
        return self.table.provider

    async def submit(
        self,
        path: str,
        body: Body,
        read: Callable[[Reply], Accepted | TendredError | None],
        headers: Mapping[str, str] | None = None,
    ) -> Accepted:
        """POST, once. `read` tells what an answer means: taken, certainly refused, or None for anything else."""
        sent_at, seen = self.clock.now(), Seen()
        whole = {**await self._authorized(self.home), **(headers or {})}
        try:
            reply = await self._exchange("POST", str(self.home) + path, whole, body, self.submit_s, seen)
            outcome = read(reply)
        except Exception as problem:  # noqa: BLE001 - whatever it is: once there was a connection, nobody knows
            # Told without its cause: the library's own text may repeat what was sent, or an address.
            if not seen.connected:
                raise NotSent(provider=self.provider, problem=_named(problem)) from None
            raise self._unknown(sent_at, seen, _named(problem)) from None
        if isinstance(outcome, Accepted):
            return outcome
        raise outcome or self._unknown(sent_at, seen, "an answer that says neither yes nor no")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        at: str | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        also: Callable[[Reply], bool] = lambda _: False,
        timeout_s: float = ASK_S,
    ) -> Reply:
        """One call that may be made again. Returns 2xx, 4xx that are about the job, and whatever `also` takes.

        `at` is another address of the provider's own table. Raises ProviderUnavailable, SlowDown, CredentialsMissing.
        """
        url = (at or str(self.home)) + path
        whole = {**await self._authorized(origin(url)), **(headers or {})}
        try:
            reply = await self._exchange(method, url, whole, body, timeout_s, Seen())
        except _FAILED as problem:
            raise self.unavailable(_named(problem)) from None
        if not also(reply):
            self._must_be_about_the_job(reply)
        return reply

    async def send_file(
        self, url: str, file: Path, media_type: str, headers: Mapping[str, str], method: str = "PUT"
    ) -> Reply:
        """Send a file to an address that the provider named, without the key. Raises ProviderUnavailable."""
        data = await asyncio.to_thread(file.read_bytes)
        whole = {**headers, "Content-Type": media_type}
        try:
            allowed(url, self.home)
            reply = await self._exchange(method, url, whole, data, SEND_FILE_S, Seen())
        except _FAILED as problem:
            raise self.unavailable(_named(problem)) from None  # its text may hold the address
        if reply.status not in {200, 201}:
            raise self.unavailable(f"the upload was answered with {reply.status}")
        return reply

    def unavailable(self, problem: str, retry_after_s: float | None = None) -> ProviderUnavailable:
        """An answer that another try may better."""
        return ProviderUnavailable("asked", provider=self.provider, problem=problem, retry_after_s=retry_after_s)

    def slow_down(self, reply: Reply) -> SlowDown:
        """The provider asks for patience."""
        pause = retry_after(reply.headers, self.clock.now())
        return SlowDown("provider", provider=self.provider, retry_after_s=PATIENCE_S if pause is None else pause)

    @asynccontextmanager
    async def open(
        self, url: str, headers: Mapping[str, str], *, keyed: bool, timeout: aiohttp.ClientTimeout
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """A GET whose body is read bit by bit, with the key if `keyed`. Redirects are for the caller to follow."""
        target = allowed(url, self.home)
        whole = {**headers, **(await self._authorized(target) if keyed else {})}
        async with self._answered("GET", url, whole, None, timeout, Seen()) as answer:
            yield answer

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Body, timeout_s: float, seen: Seen
    ) -> Reply:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._answered(method, url, headers, body, timeout, seen) as answer:
            seen.status, seen.request_id = answer.status, request_id(answer.headers)
            data = await answer.content.read(ANSWER_BYTES)
            while not answer.content.at_eof():
                if len(data) >= ANSWER_BYTES:
                    raise ValueError("an answer that doesn't end")
                data += await answer.content.read(ANSWER_BYTES - len(data))
            return Reply(answer.status, dict(answer.headers.items()), data)

    @asynccontextmanager
    async def _answered(
        self, method: str, url: str, headers: Mapping[str, str], body: Body, timeout: aiohttp.ClientTimeout, seen: Seen
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The one place where a connection is opened, for one call: nothing of an earlier one is used again."""
        target = origin(url)
        proxy = self.net.proxy or None if target.scheme == "https" and not target.is_here else None
        # Names that somebody else chose lead to public addresses only; a proxy resolves them itself.
        public = target != self.home and not self.home.is_here and proxy is None
        resolver = PublicResolver() if public else None
        # A stream is written bit by bit; bytes at once would hold up the loop where they hold a picture.
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        traces = aiohttp.TraceConfig()

        async def connected(*_: object) -> None:
            seen.connected = True

        traces.on_connection_create_end.append(connected)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=1, resolver=resolver, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"tendred/{__version__}"},
            timeout=timeout,
            trace_configs=[traces],
            trust_env=False,
        )
        # aiohttp sends GET, PUT and DELETE again when a connection breaks, a fresh one too, and has no public switch for it.
        session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        async with (
            session,
            session.request(
                method, url, headers=headers, data=data, allow_redirects=False, proxy=proxy, ssl=self._tls
            ) as answer,
        ):
            yield answer

    async def _authorized(self, target: Origin) -> dict[str, str]:
        """The key as a header, for the provider's own hosts; any other is a fault of ours, and gets nothing."""
        own = {self.home, *([origin(self.table.storage)] if self.table.storage else [])}
        if target not in own and not is_under(target.host, self.table.key_hosts):
            raise HostNotAllowed(f"{target.host} isn't told the key")
        key = await self.key()
        if key is None:
            if self.table.key_needed:
                raise CredentialsMissing(provider=self.provider)
            return {}
        return {"Authorization": f"{self.table.auth} {key.reveal()}"}

    def _must_be_about_the_job(self, reply: Reply) -> None:
        pause = retry_after(reply.headers, self.clock.now())
        if reply.status in {401, 403}:
            raise CredentialsMissing("refused", provider=self.provider)
        if reply.status == 429:  # noqa: PLR2004 - Too Many Requests
            raise self.slow_down(reply)
        if reply.status in {408, 425} or reply.status >= 500 or reply.status in _REDIRECTS:  # noqa: PLR2004
            raise self.unavailable(f"status {reply.status}", pause)

    def _unknown(self, sent_at: float, seen: Seen, problem: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            provider=self.provider, problem=problem, status=seen.status, request_id=seen.request_id,
            sent_at=rfc3339(sent_at), seen_at=rfc3339(self.clock.now()),
        )  # fmt: skip


def request_id(headers: Mapping[str, str]) -> str | None:
    """What the provider's own log calls this call."""
    small = {name.lower(): value for name, value in headers.items()}
    return next((small[name][:100] for name in REQUEST_IDS if name in small), None)


def _named(problem: BaseException) -> str:
    """A failure without its text, which may hold an address."""
    if isinstance(problem, HostNotAllowed):
        return str(problem)
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return "its name can't be resolved"
    if isinstance(problem, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return "it shows a certificate that nobody here vouches for"
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    return f"the connection failed ({type(problem).__name__})"
