"""A provider in memory that behaves: it takes orders, renders them in virtual time, keeps an account, and misbehaves by script.

`Provider` is what stands on the other side and survives our crashes; `MemoryAdapter` is our way to it. `takes` counts
what it really accepted, by idempotency key, so that a test can see a double.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tendred.backend import Download
from tendred.clock import Clock
from tendred.errors import (
    CredentialsMissing,
    InsufficientFunds,
    KeyringUnavailable,
    NotSent,
    OutcomeUnknown,
    ProviderFiltered,
    ProviderRefused,
    ProviderUnavailable,
    ResultExpired,
    SlowDown,
)
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, Features, ProviderModel, RemoteState, Size

Fault = Literal[
    "", "not_sent", "locked", "refused", "filtered", "funds", "key", "slow", "lost", "taken_then_lost", "taken_then_broken",
    "same_id", "unavailable", "cut", "long", "spoiled", "expired", "moved", "gone", "failed", "stuck", "odd",
]  # fmt: skip
SUBMIT_FAULTS: Final[tuple[Fault, ...]] = (
    "not_sent", "locked", "refused", "filtered", "funds", "slow", "lost", "taken_then_lost", "taken_then_broken",
)  # fmt: skip
POLL_FAULTS: Final[tuple[Fault, ...]] = ("unavailable", "slow", "locked")
FETCH_FAULTS: Final[tuple[Fault, ...]] = ("unavailable", "cut", "moved", "expired", "long")
Ends = Literal["ready", "failed", "stuck"]
RENDER_S: Final = 40.0
PIECE: Final = 700


def box(kind: bytes, body: bytes) -> bytes:
    """One box of an MP4."""
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def movie(seed: str, size: int = 2000) -> bytes:
    """The outer boxes of an MP4 with bytes of chance inside: enough for what the daemon itself looks at."""
    inside = hashlib.shake_256(seed.encode()).digest(size)
    return box(b"ftyp", b"isom\0\0\2\0isom") + box(b"moov", inside[:100]) + box(b"mdat", inside)


def features(provider: str = "memory", **changes: Any) -> Features:
    """What it declares: one model in two sizes, and whatever a test wants otherwise."""
    seconds = {"24": [6, 8, 10], "25": [6, 8, 10]}
    sizes = [Size(width=1920, height=1080, seconds=seconds), Size(width=1080, height=1920, seconds=seconds)]
    one = ProviderModel(
        name="ltx-2-3-fast", sizes=sizes, seed=False, first_frame=True, last_frame=True, audio=True, prompt_chars=5000,
        replaced_by=None,
    )  # fmt: skip
    old = ProviderModel(
        name="ltx-2-fast", sizes=[], seed=False, first_frame=False, last_frame=False, audio=False, prompt_chars=None,
        replaced_by="ltx-2-3-fast",
    )  # fmt: skip
    said: dict[str, Any] = {
        "provider": provider, "models": [one, old], "cancel": False, "idempotency": False, "listing": False,
        "cost": False, "result_s": 86400.0, "poll_s": 5.0, "concurrency": 2, "table_date": "2026-11-01",
        "source": "tendred.testing.cloud",
    }  # fmt: skip
    return Features(**{**said, **changes})


@dataclass
class Rendering:
    """One job of the provider's."""

    remote_id: str
    order: ClipOrder
    at: float
    cost_mcr: int
    ends: Ends = "ready"
    cancelled: bool = False
    version: int = 0
    data: bytes = b""


@dataclass
class Provider:
    """The other side. `price_mcr` is what it really bills; `fault` is asked before every call, by its name.

    `truth` is what it says of a cancel. `balance_mcr` is what its console shows.
    """

    features: Features
    clock: Clock
    price_mcr: Callable[[ClipOrder], int]
    fault: Callable[[str], Fault] = lambda _: ""
    truth: CancelTruth = "still_billed"
    bills_failed: bool = False
    balance_mcr: int = 100_000_000
    film: Callable[[str], bytes] = movie
    """What it renders, from something that is another for each job."""
    jobs: dict[str, Rendering] = field(default_factory=dict[str, Rendering])
    submits: list[str] = field(default_factory=list[str])
    forgotten: set[str] = field(default_factory=set[str])
    cut: Callable[[str], None] = lambda _: None
    """Called before and after every effect: where a simulation kills us."""

    def takes(self) -> dict[str, int]:
        """How often each order was accepted."""
        found: dict[str, int] = {}
        for job in self.jobs.values():
            found[job.order.key] = found.get(job.order.key, 0) + 1
        return found

    def take(self, order: ClipOrder, *, ends: Ends = "ready") -> Rendering:
        """Accept an order, and bill it."""
        number = len(self.jobs) + 1
        job = Rendering(f"{self.features.provider}-{number}", order, self.clock.now(), self.price_mcr(order), ends)
        job.data = self.film(f"{order.key}:{number}")
        if ends == "failed" and not self.bills_failed:
            job.cost_mcr = 0
        self.jobs[job.remote_id] = job
        self.balance_mcr -= job.cost_mcr
        return job


class MemoryAdapter:
    """See backend.Adapter. A new one after every crash; the provider behind it is the same."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.features = provider.features

    async def upload(self, picture: Path, media_type: str) -> str:
        self._may("upload")
        return f"data:{media_type};{picture.name}"

    async def submit(self, order: ClipOrder) -> Accepted:
        there = self.provider
        there.submits.append(order.key)
        there.cut("submit")
        name, fault = there.features.provider, there.fault("submit")
        match fault:
            case "not_sent":
                raise NotSent(provider=name, problem="no route to it")
            case "locked":
                raise KeyringUnavailable("locked", problem="it is locked")
            case "refused":
                raise ProviderRefused(provider=name, problem="it won't")
            case "filtered":
                raise ProviderFiltered(provider=name)
            case "funds":
                raise InsufficientFunds(provider=name)
            case "key":
                raise CredentialsMissing(provider=name)
            case "slow":
                raise SlowDown(retry_after_s=7)
            case "lost":
                raise OutcomeUnknown(provider=name)
            case _:
                pass
        ends = there.fault("render")
        job = there.take(order, ends=ends if ends in ("failed", "stuck") else "ready")
        there.cut("submitted")
        if fault == "taken_then_lost":
            raise OutcomeUnknown(provider=name)
        if fault == "taken_then_broken":
            raise ValueError("half a JSON document")
        remote_id = next(iter(there.jobs)) if fault == "same_id" else job.remote_id
        return Accepted(remote_id=remote_id, request_id=f"req-{job.remote_id}")

    async def poll(self, remote_id: str) -> RemoteState:
        self._may("poll")
        return self._state(remote_id)

    def _state(self, remote_id: str) -> RemoteState:
        there, job = self.provider, self.provider.jobs.get(remote_id)

        def state(phase: Any, raw: str, **said: Any) -> RemoteState:
            cost = job.cost_mcr if job is not None and there.features.cost and phase in {"ready", "failed"} else None
            return RemoteState(phase=phase, raw=raw, url=said.get("url"), cost_mcr=cost, problem=said.get("problem"),
                               kind=said.get("kind"))  # fmt: skip

        if job is None or remote_id in there.forgotten:
            return state("gone", "404")
        passed = there.clock.now() - job.at
        if job.cancelled:
            return state("failed", "canceled", problem="it was cancelled", kind="provider_refused")
        if passed < RENDER_S / 4:
            return state("waiting", "pending")
        if passed < RENDER_S or job.ends == "stuck":
            return state("rendering", "processing")
        if job.ends == "failed":
            return state("failed", "failed", problem="it broke", kind="provider_refused")
        if there.features.result_s is not None and passed > RENDER_S + there.features.result_s:
            return state("gone", "404")
        return state("ready", "completed", url=f"https://cdn.invalid/{remote_id}?v={job.version}&sig=canary-url")

    async def cancel(self, remote_id: str) -> CancelTruth:
        self._may("cancel")
        there, job = self.provider, self.provider.jobs.get(remote_id)
        if job is None or there.clock.now() - job.at >= RENDER_S:
            return "too_late"
        if there.truth in {"cancelled", "asked"}:
            job.cancelled = True
            there.balance_mcr += job.cost_mcr
            job.cost_mcr = 0
        return there.truth

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        self._may("find")
        if not self.features.listing:
            return None
        return [
            Accepted(remote_id=job.remote_id, request_id=None)
            for job in self.provider.jobs.values()
            if job.at >= since and job.order.prompt == order.prompt and job.order.model == order.model
        ]

    @asynccontextmanager
    async def download(self, state: RemoteState, offset: int, etag: str | None) -> AsyncGenerator[Download]:
        there = self.provider
        there.cut("download")
        fault = there.fault("download")
        if fault == "unavailable":
            raise ProviderUnavailable("asked", provider=self.features.provider, problem="HTTP 503")
        if fault == "expired":
            raise ResultExpired(provider=self.features.provider)
        assert state.url is not None
        job = there.jobs[state.url.rpartition("/")[2].partition("?")[0]]
        if fault == "moved":
            job.version += 1
        yield MemoryDownload(self, job, offset, etag, fault)

    def _may(self, call: str) -> None:
        self.provider.cut(call)
        match self.provider.fault(call):
            case "unavailable":
                raise ProviderUnavailable("asked", provider=self.features.provider, problem="HTTP 503")
            case "slow":
                raise SlowDown(retry_after_s=3)
            case "key":
                raise CredentialsMissing(provider=self.features.provider)
            case "locked":
                raise KeyringUnavailable("locked", problem="it is locked")
            case _:
                return


class MemoryDownload:
    """See backend.Download."""

    def __init__(self, adapter: MemoryAdapter, job: Rendering, offset: int, etag: str | None, fault: Fault) -> None:
        self._adapter, self._job, self._fault = adapter, job, fault
        self._data = b"no movie at all" if fault == "spoiled" else job.data
        self.etag: str | None = f'"{job.remote_id}-{job.version}"'
        self.offset = offset if etag == self.etag and offset <= len(self._data) else 0
        self.total: int | None = len(self._data) - 5 if fault == "long" else len(self._data)

    async def pieces(self) -> AsyncGenerator[bytes]:
        for number, piece in enumerate(self._cut()):
            if self._fault == "cut" and number == 1:
                raise ProviderUnavailable("asked", provider=self._adapter.features.provider, problem="the line was cut")
            self._adapter.provider.cut("piece")
            yield piece

    def _cut(self) -> Iterator[bytes]:
        rest = self._data[self.offset :]
        return (rest[at : at + PIECE] for at in range(0, len(rest), PIECE))
