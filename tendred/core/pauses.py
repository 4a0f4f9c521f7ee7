"""Why the queue stands still: a person's wish (kept across restarts), how it was set to start, or an obstacle."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final, Literal

from tendred.backend import Residency
from tendred.clock import Clock
from tendred.core.settings import Settings
from tendred.errors import DiskFull, TendredError
from tendred.queue.store import Queue
from tendred.schema.system import DiskState
from tendred.store.database import Database

RETRY_S: Final = 2.0
SETTING: Final = "queue_paused"

Start = Literal["last", "run", "paused"]


class Pauses:
    """One reason at a time; a person's wins. What is in the way is looked at again every few seconds."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue,
        settings: Settings,
        residency: Residency,
        clock: Clock,
        pictures: Path,
        reserve_bytes: int,
    ) -> None:
        self._database = database
        self._queue = queue
        self._settings = settings
        self._residency = residency
        self._clock = clock
        self._pictures = pictures
        self._reserve_bytes = reserve_bytes
        self._wish: Literal["user", "start"] | None = None
        self._obstacle: str | None = None
        self._met_at: float | None = None
        """When a job last ran into the obstacle, on the monotonic clock; None where it was only looked at."""

    @property
    def reason(self) -> str | None:
        """`user`, `start`, `disk_full`, `folder_unwritable`, `engine_unstable`, or None while the queue moves."""
        return self._wish or self._obstacle

    def disk(self) -> DiskState:
        """Room where pictures go."""
        try:
            free = shutil.disk_usage(self._pictures).free
        except OSError:
            free = 0
        return DiskState(free_bytes=free, reserve_bytes=self._reserve_bytes)

    async def load(self, start: Start = "last") -> None:
        """At start: as a person left it, or whatever was left. A start that changes it is told."""
        left = bool(await self._settings.get(SETTING))
        paused = left if start == "last" else start == "paused"
        self._wish = None if not paused else "user" if left else "start"
        if paused != left:
            await self._settings.set(SETTING, paused)
            await self._tell()

    async def set_user(self, *, paused: bool) -> None:
        """A person pauses or resumes. Resuming also looks at obstacles at once: they may hold the queue still."""
        if (self._wish is not None) != paused:
            await self._settings.set(SETTING, paused)
            self._wish = "user" if paused else None
            if not paused:
                self._met_at, self._obstacle = None, self._look()
            await self._tell()

    async def begin(self, problem: TendredError) -> None:
        """Something got in the way of a running job. Only a job that gets through shows that it is gone: see `passed`."""
        self._met_at = self._clock.mono()
        await self._stand("disk_full" if isinstance(problem, DiskFull) else problem.kind)

    async def hold(self) -> bool:
        """Whether no job may start now.

        After a job ran into something that a look does not show (a disk full to its last block), the next one is let
        through as a trial once `RETRY_S` are over. The queue keeps its reason meanwhile: else it would be said to
        move, and to stand still again, with every trial.
        """
        if self._wish is not None:
            return True
        if seen := self._look():
            await self._stand(seen)
            return True
        if self._met_at is None:
            await self._stand(None)
            return False
        return self._clock.mono() - self._met_at < RETRY_S

    async def passed(self) -> None:
        """A job got to its end, or none is left to try with."""
        if self._met_at is not None:
            self._met_at = None
            await self._stand(self._look())

    async def wait(self, wake: asyncio.Event) -> None:
        """Until something new comes, or until an obstacle is worth another look."""
        try:
            await asyncio.wait_for(wake.wait(), RETRY_S if self._obstacle else None)
        except TimeoutError:
            return

    async def retry(self) -> None:
        """A moment before the next try."""
        await self._clock.sleep(RETRY_S)

    def _look(self) -> str | None:
        if self._residency.state().state == "unstable":
            return "engine_unstable"
        if not os.access(self._pictures, os.W_OK | os.X_OK):
            return "folder_unwritable"
        return "disk_full" if self.disk().free_bytes < self._reserve_bytes else None

    async def _stand(self, obstacle: str | None) -> None:
        before, self._obstacle = self._obstacle, obstacle
        if before != obstacle and self._wish is None:
            await self._tell()

    async def _tell(self) -> None:
        topic = "queue.resumed" if self.reason is None else "queue.paused"
        reason = self.reason
        try:
            await self._database.write(
                lambda tx: tx.emit(topic, {"queue": self._queue.counts_in(tx.connection, reason)})
            )
        except TendredError:
            # The disk that is full is the one that the event would be written to; status tells it all the same.
            return
