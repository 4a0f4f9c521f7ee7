"""The broker: carries clips to a provider and back, one arrow at a time (`machine`), each written down first (`clips`).

It may be killed between any two lines. What it does then depends on the rows alone: a clip that was about to be sent is
*unknown* and is never sent again; one with a remote id is polled; one that is paid for is fetched before anything new
is sent. It opens no connection by itself: an adapter does, and those of a provider that is off can't be had.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tendred.backend import Adapter
from tendred.clock import Clock, Rng
from tendred.cloud.clips import Clips, Row
from tendred.cloud.desk import Desk
from tendred.cloud.follow import Follower
from tendred.cloud.machine import Accepted, CancelAsked, Lost, NotSent, Refused, Rejected
from tendred.cloud.patience import Patience
from tendred.cloud.vault import Vault
from tendred.errors import (
    BoundaryRefused,
    CloudOff,
    CredentialsMissing,
    DiskFull,
    EngineMissing,
    FolderUnwritable,
    InsufficientFunds,
    Internal,
    KeyringUnavailable,
    NotFound,
    NotOffered,
    OutcomeUnknown,
    ProviderFiltered,
    ProviderRefused,
    ProviderUnavailable,
    SlowDown,
    StillNotOurs,
    TooLarge,
    UnsupportedParameter,
)
from tendred.errors import NotSent as NothingSent
from tendred.schema.error import ErrorInfo
from tendred.schema.money import Refund
from tendred.schema.provider import ClipOrder
from tendred.schema.work import Advance
from tendred.tasks import Tasks

TURNED_AWAY: Final = (
    ProviderRefused, ProviderFiltered, InsufficientFunds, CredentialsMissing, NotOffered, TooLarge,
    UnsupportedParameter,
)  # fmt: skip
"""A submit that ends so was certainly not taken, and never will be. Besides these and "not sent" all is unknown."""
LATER: Final = (
    NothingSent, SlowDown, ProviderUnavailable, KeyringUnavailable, CredentialsMissing, CloudOff, DiskFull,
    FolderUnwritable,
)  # fmt: skip
"""What may be better after a while, before anything was sent."""
NEVER: Final = (
    BoundaryRefused, StillNotOurs, NotOffered, NotFound, TooLarge, UnsupportedParameter, EngineMissing, Internal,
)  # fmt: skip
"""What won't be: the clip is refused, and its money given back."""
LOOK_S: Final = 30.0
"""The broker looks around so often even if nobody wakes it."""
SUBMIT_GRACE_S: Final = 20.0
_log = logging.getLogger(__name__)


class Broker:
    """The runner of clips.

    `adapter(provider)` raises CloudOff where it is off; `held` says that nothing new may start; `refunds(provider)` are
    its terms for jobs that fail and that are filtered.
    """

    def __init__(
        self,
        *,
        clips: Clips,
        desk: Desk,
        vault: Vault,
        adapter: Callable[[str], Adapter],
        refunds: Callable[[str], tuple[Refund, Refund]],
        held: Callable[[], bool],
        clock: Clock,
        rng: Rng,
        tasks: Tasks,
        tell: Callable[[BaseException], ErrorInfo],
        advance: Callable[[str, Advance], None],
        closed: Callable[[str], None],
    ) -> None:
        self._vault = vault
        self._clips = clips
        self._desk = desk
        self._adapter = adapter
        self._held = held
        self._clock = clock
        self._rng = rng
        self._tasks = tasks
        self._tell = tell
        self._wake = asyncio.Event()
        self._patience: dict[str, Patience] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._followers: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._not_before: dict[str, tuple[float, int]] = {}
        self._ending = False
        self.follower = Follower(
            clips=clips, desk=desk, vault=vault, adapter=adapter, refunds=refunds, clock=clock,
            patience=self.patience, tell=tell, advance=advance, closed=self._ended(closed),
        )  # fmt: skip

    def patience(self, provider: str) -> Patience:
        """How long to wait for this provider."""
        return self._patience.setdefault(provider, Patience(provider, self._clock, self._rng))

    # -- from outside --------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def cancel(self, job_id: str) -> None:
        """Nobody wants a clip any more. One that is at a provider ends as the provider lets it."""
        await self._clips.apply(job_id, CancelAsked())
        self.follower.nudge(job_id)
        self.wake()

    def off(self, provider: str) -> None:
        """Stop asking this provider, at once. A submit under way is not broken off: nobody would know its outcome."""
        for whose, task in tuple(self._followers.values()):
            if whose == provider:
                task.cancel()

    async def recover(self) -> None:
        """At start: of what was being sent nobody knows whether it was taken."""
        rows = await self._clips.open()
        await self._vault.sweep({row.job_id for row in rows})
        for row in rows:
            if row.phase == "sending":
                problem = OutcomeUnknown("interrupted", provider=row.provider)
                await self._clips.apply(row.job_id, Lost(self._tell(problem)))

    async def run(self) -> None:
        """Work for as long as the daemon lives."""
        while True:
            self._wake.clear()
            try:
                wait_s = await self._round()
            except Exception as problem:  # noqa: BLE001 - a database that is locked for a while must not end the broker
                self._tell(problem)
                wait_s = LOOK_S
            await self._rest(wait_s)

    async def close(self) -> None:
        """At the end: send nothing more, and give the submits under way a moment to be answered."""
        self._ending = True
        if sending := [task for task in self._senders.values() if not task.done()]:
            await asyncio.wait(sending, timeout=SUBMIT_GRACE_S)

    # -- one look at everything ----------------------------------------------------------------------------

    async def _round(self) -> float:
        """Follow whatever is at a provider, send what may be sent; returns when to look again."""
        for row in await self._clips.open():
            known = self._followers.get(row.job_id)
            if row.phase not in {"reserved", "sending"} and (known is None or known[1].done()) and self._on(row):
                task = self._tasks.spawn(f"clip {row.job_id}", self.follower.run(row.job_id))
                self._followers[row.job_id] = (row.provider, task)
                task.add_done_callback(lambda _: self._wake.set())
        if self._ending or self._held():
            return LOOK_S
        now, wait_s = self._clock.mono(), LOOK_S
        for row in await self._clips.waiting():
            not_before, _ = self._not_before.get(row.job_id, (0.0, 0))
            if not_before > now:
                wait_s = min(wait_s, not_before - now)
            elif self._on(row) and ((task := self._senders.get(row.provider)) is None or task.done()):
                self._senders[row.provider] = self._tasks.spawn(f"send {row.job_id}", self._send(row))
        return wait_s

    def _on(self, row: Row) -> bool:
        try:
            self._adapter(row.provider)
        except (CloudOff, NotFound):
            return False
        return self.follower.waits_for(row)

    async def _rest(self, seconds: float) -> None:
        timer, woken = (asyncio.ensure_future(wait) for wait in (self._clock.sleep(seconds), self._wake.wait()))
        try:
            await asyncio.wait([timer, woken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            woken.cancel()

    def _ended(self, closed: Callable[[str], None]) -> Callable[[str], None]:
        def ended(job_id: str) -> None:
            self._not_before.pop(job_id, None)
            closed(job_id)
            self.wake()

        return ended

    # -- sending -------------------------------------------------------------------------------------------

    async def _send(self, row: Row) -> None:
        """One clip, once."""
        try:
            adapter = self._adapter(row.provider)
            places = adapter.features.concurrency
            if not await self._clips.may_send(row.provider, places):
                return  # whatever frees a place wakes us
            order = await self._prepared(row, adapter)
            if not await self._clips.begin(row.job_id, places):
                return
        except NEVER as problem:
            await self._end(row, Refused(self._tell(problem)))
            return
        except LATER as problem:
            self._later(row, problem)
            return
        await self._submit(row, adapter, order)
        self.wake()

    async def _prepared(self, row: Row, adapter: Adapter) -> ClipOrder:
        """Judged once more, with its pictures uploaded: all that may fail, or be done again, without harm."""
        opened = await self._desk.open(row.job_id)
        uploads: dict[str, Any] = {}
        try:
            for name, picture in (("first", opened.first), ("last", opened.last)):
                if picture is not None:
                    uploads[name] = await adapter.upload(Path(picture.path), picture.media_type)
        finally:
            await self._desk.uploaded(row.job_id)
        fields = {name: getattr(opened.order, name) for name in ClipOrder.__struct_fields__}
        return ClipOrder(**{**fields, **uploads})

    async def _submit(self, row: Row, adapter: Adapter, order: ClipOrder) -> None:
        """The only caller of `Adapter.submit`. The row says `sending` by now, whatever happens to us."""
        try:
            accepted = await adapter.submit(order)
        except (NothingSent, SlowDown, KeyringUnavailable) as problem:  # without a key nothing leaves
            await self._clips.apply(row.job_id, NotSent(problem.kind))
            self._later(row, problem)
        except TURNED_AWAY as problem:
            await self._end(row, Rejected(self._tell(problem)))
        except Exception as problem:  # noqa: BLE001 - whatever else it is, the request may have arrived
            if not isinstance(problem, OutcomeUnknown):
                self._tell(problem)
                problem = OutcomeUnknown(provider=row.provider)
            await self._end(row, Lost(self._tell(problem)))
        else:
            self._not_before.pop(row.job_id, None)
            await self._accepted(row, accepted.remote_id, accepted.request_id)

    async def _accepted(self, row: Row, remote_id: str, request_id: str | None) -> None:
        """The one write that must not be lost: tried until the disk takes it, for as long as we live."""
        while True:
            try:
                await self._clips.apply(row.job_id, Accepted(remote_id, request_id))
            except sqlite3.IntegrityError:
                # It was given the name of another clip of ours: which of them it rendered, nobody knows.
                problem = OutcomeUnknown("twice", provider=row.provider, remote_id=remote_id)
                await self._end(row, Lost(self._tell(problem)))
                return
            except Exception as problem:  # noqa: BLE001 - giving up here would lose a paid clip
                self._tell(problem)
                _log.critical("clip %s is %s at %s, and can't be written down", row.job_id, remote_id, row.provider)
                await self._clock.sleep(1.0)
            else:
                return

    async def _end(self, row: Row, event: Refused | Rejected | Lost) -> None:
        await self._clips.apply(row.job_id, event)
        self._not_before.pop(row.job_id, None)
        _log.info("clip %s: %s", row.job_id, type(event).__name__)
        self.follower.over(row.job_id)

    def _later(self, row: Row, problem: BaseException) -> None:
        _, tries = self._not_before.get(row.job_id, (0.0, 0))
        pause_s = self.patience(row.provider).pause(tries, problem if isinstance(problem, SlowDown) else None)
        self._not_before[row.job_id] = (self._clock.mono() + pause_s, tries + 1)
        _log.info("clip %s waits %.1f s: %s", row.job_id, pause_s, problem)
        self.wake()
