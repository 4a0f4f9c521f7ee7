"""A clip that a provider has: polled, fetched, kept. Every call here may be made again; none of them can cost anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from tendred.backend import Adapter
from tendred.clock import Clock
from tendred.cloud.clips import Clips, Row
from tendred.cloud.desk import Desk
from tendred.cloud.machine import (
    Downloading,
    Event,
    Found,
    Gone,
    Kept,
    Missing,
    Overdue,
    Ready,
    RemoteCancelled,
    RemoteFailed,
    Rendering,
    Spoiled,
    StillBilled,
    Verified,
    Withheld,
)
from tendred.cloud.patience import Patience
from tendred.cloud.vault import NoClip, Vault
from tendred.errors import (
    ClipUnreadable,
    CloudOff,
    OutcomeUnknown,
    OutputWithheld,
    ProviderFiltered,
    ProviderRefused,
    ProviderUnavailable,
    ResultExpired,
    TendredError,
    registry,
)
from tendred.schema.clip import ENDED
from tendred.schema.error import ErrorInfo
from tendred.schema.money import Refund
from tendred.schema.provider import RemoteState
from tendred.schema.work import Advance

SPOILED: Final = 3
"""So often is a result fetched anew that arrived whole and is no clip."""
EXPIRED: Final = 5
"""So often may a provider say that a result is ready and then not give it."""
LOOKS: Final = 6
"""So often is a provider's list looked at for a clip whose outcome nobody knows; after that a person has to."""
LATE_S: Final = 900.0
"""So often is a provider asked for a clip that took too long, whether it has come to an end after all."""
WATCH_S: Final = 600.0
"""So long must we have watched one ourselves before it is too late: the clock on the wall may have been set."""
SKEW_S: Final = 300.0
"""A provider's clock may be so far off."""
_log = logging.getLogger(__name__)


class Follower:
    """Follows clips to their end; one call of `run` for each."""

    def __init__(
        self,
        *,
        clips: Clips,
        desk: Desk,
        vault: Vault,
        adapter: Callable[[str], Adapter],
        refunds: Callable[[str], tuple[Refund, Refund]],
        clock: Clock,
        patience: Callable[[str], Patience],
        tell: Callable[[BaseException], ErrorInfo],
        advance: Callable[[str, Advance], None],
        closed: Callable[[str], None],
    ) -> None:
        self._clips = clips
        self._desk = desk
        self._vault = vault
        self._adapter = adapter
        self._refunds = refunds
        self._clock = clock
        self._patience = patience
        self._tell = tell
        self._advance = advance
        self._closed = closed
        self._nudges: dict[str, asyncio.Event] = {}
        self._asked: set[str] = set()
        self._looks: dict[str, int] = {}
        self._bad: dict[str, int] = {}
        self._since: dict[str, tuple[float, float]] = {}

    def nudge(self, job_id: str) -> None:
        """Look at this one now."""
        if nudge := self._nudges.get(job_id):
            nudge.set()

    def waits_for(self, row: Row) -> bool:
        """Whether there is anything to do for it that isn't a person's."""
        if row.phase != "unknown":
            return True
        if self._looks.get(row.job_id, 0) >= LOOKS:
            return False
        return row.remote_id is not None or self._adapter(row.provider).features.listing

    def over(self, job_id: str) -> None:
        """It came to its end, or to a question for a person."""
        self.nudge(job_id)
        for known in (self._nudges, self._looks, self._bad, self._since):
            known.pop(job_id, None)
        self._asked.discard(job_id)
        self._closed(job_id)

    async def run(self, job_id: str) -> None:
        """Until nothing is left to do by itself, or the provider is switched off."""
        tries = 0
        while True:
            row = await self._clips.get(job_id)
            if row.phase in ENDED:
                self.over(job_id)
                return
            if row.phase in {"reserved", "sending"} or not self._here(row):
                return
            try:
                wait_s = await self._once(row)
                tries = 0
            except CloudOff:
                return
            except Exception as problem:  # noqa: BLE001 - what was paid for is tried again whatever went wrong
                if not isinstance(problem, TendredError):
                    self._tell(problem)
                wait_s = self._patience(row.provider).pause(
                    tries, problem if isinstance(problem, TendredError) else None
                )
                tries += 1
                _log.info("clip %s is tried again in %.1f s: %s", job_id, wait_s, type(problem).__name__)
            await self._nap(job_id, wait_s)

    def _here(self, row: Row) -> bool:
        try:
            return self.waits_for(row)
        except CloudOff:
            return False

    async def _nap(self, job_id: str, seconds: float) -> None:
        if seconds <= 0:
            return
        nudge = self._nudges.setdefault(job_id, asyncio.Event())
        timer, nudged = (asyncio.ensure_future(wait) for wait in (self._clock.sleep(seconds), nudge.wait()))
        try:
            await asyncio.wait([timer, nudged], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            nudged.cancel()
            nudge.clear()

    async def _once(self, row: Row) -> float:
        """One thing for one clip; returns the seconds until the next."""
        match row.phase:
            case "submitted" | "rendering":
                return await self._watch(row)
            case "ready" | "downloading":
                await self._fetch(row)
            case "verified":
                await self._keep(row)
            case _ if row.remote_id is not None:
                return await self._late(row, row.remote_id)
            case _:
                return await self._look(row)
        return 0.0

    # -- at the provider -----------------------------------------------------------------------------------

    async def _watch(self, row: Row) -> float:
        adapter = self._adapter(row.provider)
        assert row.remote_id is not None
        if row.unwanted and row.job_id not in self._asked:
            truth = await adapter.cancel(row.remote_id)
            if truth in {"cancelled", "still_billed"}:
                await self._apply(row, RemoteCancelled() if truth == "cancelled" else StillBilled())
                return 0.0
            self._asked.add(row.job_id)
        state = await adapter.poll(row.remote_id)
        self._advance(row.job_id, Advance(phase="rendering", done=0, total=None))
        if (event := self._seen(row, state)) is not None:
            await self._apply(row, event)
            return 0.0
        if await self._too_late(row, adapter.features.deadline_s):
            minutes = round(adapter.features.deadline_s / 60)
            problem = OutcomeUnknown(
                "overdue", provider=row.provider, remote_id=row.remote_id, minutes=minutes, job_id=row.job_id
            )
            await self._apply(row, Overdue(self._tell(problem)))
            self.over(row.job_id)
            return LATE_S
        return adapter.features.poll_s

    async def _too_late(self, row: Row, deadline_s: float) -> bool:
        """Whether a provider has had a clip for too long: before this life by the wall's clock, in it by our own."""
        if row.job_id not in self._since:
            before_s = max(0.0, self._clock.now() - await self._clips.since(row.job_id))
            self._since[row.job_id] = (before_s, self._clock.mono())
        before_s, began = self._since[row.job_id]
        watched_s = self._clock.mono() - began
        return watched_s >= min(WATCH_S, deadline_s) and before_s + watched_s >= deadline_s

    async def _late(self, row: Row, remote_id: str) -> float:
        """For one that took too long. What its provider says of it by now is the way on; else a person has to."""
        state = await self._adapter(row.provider).poll(remote_id)
        if state.phase in {"ready", "failed"}:
            await self._apply(row, Found(remote_id, "provider"))
            return 0.0
        if state.phase == "gone":
            self._looks[row.job_id] = LOOKS
        return LATE_S

    def _seen(self, row: Row, state: RemoteState) -> Event | None:
        """What a provider's answer means for a clip."""
        match state.phase:
            case "waiting":
                return None
            case "rendering":
                return Rendering() if row.phase == "submitted" else None
            case "ready":
                return Ready(state.cost_mcr) if row.phase in {"submitted", "rendering"} else None
            case "failed":
                return self._failed(row, state)
            case "gone":
                return Gone(self._tell(ResultExpired(provider=row.provider)))

    def _failed(self, row: Row, state: RemoteState) -> RemoteFailed:
        kind = registry().get(state.kind or "", ProviderRefused)
        failed, filtered = self._refunds(row.provider)
        problem = kind(provider=row.provider, problem=state.problem or state.raw)
        refund = filtered if kind is ProviderFiltered else failed
        return RemoteFailed(self._tell(problem), refund, state.cost_mcr)

    async def _look(self, row: Row) -> float:
        """For one whose outcome nobody knows: the provider's own list, if it names one job that nobody else has."""
        self._looks[row.job_id] = self._looks.get(row.job_id, 0) + 1
        adapter = self._adapter(row.provider)
        opened = await self._desk.open(row.job_id, pictures=False)
        found = await adapter.find(opened.order, (row.sent_at or self._clock.now()) - SKEW_S)
        taken = await self._clips.taken(row.provider)
        fresh = {one.remote_id for one in found or () if one.remote_id not in taken}
        if len(fresh) == 1:
            await self._apply(row, Found(fresh.pop(), "provider"))
            return 0.0
        return self._patience(row.provider).pause(self._looks[row.job_id]) + adapter.features.poll_s

    # -- on its way here -----------------------------------------------------------------------------------

    async def _fetch(self, row: Row) -> None:
        """Its address lives a short while and is written nowhere: it is asked for anew for each try."""
        adapter = self._adapter(row.provider)
        assert row.remote_id is not None
        state = await adapter.poll(row.remote_id)
        if state.phase in {"failed", "gone"} and (event := self._seen(row, state)) is not None:
            await self._apply(row, event)
            return
        if state.phase != "ready":
            raise ProviderUnavailable("asked", provider=row.provider, problem=f"it was ready, and is {state.raw}")
        if row.phase == "ready":
            await self._apply(row, Downloading())
        offset, etag = await self._vault.at(row.job_id)
        try:
            async with adapter.download(state, offset, etag) as download:
                self._advance(row.job_id, Advance(phase="downloading", done=download.offset, total=download.total))
                fetched = await self._vault.take(row.job_id, row.provider, download)
            await self._desk.check(fetched)
        except (NoClip, ClipUnreadable):
            await self._spoiled(row)
            return
        except ResultExpired:
            if self._again(row.job_id, EXPIRED):
                raise
            await self._apply(row, Gone(self._tell(ResultExpired(provider=row.provider))))
            return
        await self._clips.apply(row.job_id, Verified(fetched.sha256, fetched.bytes))

    async def _spoiled(self, row: Row) -> None:
        await self._vault.drop(row.job_id)
        problem = ProviderUnavailable("asked", provider=row.provider, problem="what it sent is no clip")
        if self._again(row.job_id, SPOILED):
            raise problem
        await self._apply(row, Spoiled(self._tell(problem)))

    def _again(self, job_id: str, most: int) -> bool:
        self._bad[job_id] = self._bad.get(job_id, 0) + 1
        return self._bad[job_id] < most

    async def _keep(self, row: Row) -> None:
        file = await self._vault.kept(row.job_id, row.sha256 or "")
        try:
            await self._desk.keep(row.job_id, file, lambda tx: self._clips.apply_in(tx, row.job_id, Kept(), job=False))
        except FileNotFoundError:
            await self._apply(row, Missing())  # somebody took it away: it is fetched again while that can be done
            return
        except OutputWithheld as problem:
            await self._apply(row, Withheld(self._tell(problem)))
        await self._vault.drop(row.job_id)

    async def _apply(self, row: Row, event: Event) -> None:
        changed = await self._clips.apply(row.job_id, event)
        _log.info("clip %s: %s", row.job_id, changed.phase)
