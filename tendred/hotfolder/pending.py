"""A claim on its way, and what became known of its jobs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tendred.backend import Fs
from tendred.clock import Clock, Ids
from tendred.config.schema import HotfolderSection
from tendred.errors import TendredError
from tendred.hotfolder.deliver import Plan
from tendred.hotfolder.desk import Desk
from tendred.hotfolder.parse import Parsed
from tendred.schema.error import ErrorInfo
from tendred.schema.job import State
from tendred.tasks import Tasks

ENDED: Final[frozenset[State]] = frozenset({"succeeded", "failed", "cancelled", "parked"})
"""A parked job waits for a person, and a person looks into `failed/`."""

RETRY_S: Final = (0.5, 60.0)
"""The first and the longest wait before something is tried again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What every folder of the door shares."""

    desk: Desk
    config: HotfolderSection
    fs: Fs
    clock: Clock
    ids: Ids
    tasks: Tasks


@dataclass(eq=False)
class Pending:
    """A claim: `rows` while it is not submitted, `jobs` from then on, `refused` or `plan` where there is no more to ask."""

    id: str
    name: str
    folder: Path
    rows: Parsed | None = None
    refused: TendredError | None = None
    error: ErrorInfo | None = None
    plan: Plan | None = None
    jobs: list[str] = field(default_factory=list[str])
    prompts: list[str] = field(default_factory=list[str])
    open: set[str] = field(default_factory=set[str])
    failures: int = 0
    retry_at: float = 0.0

    def postpone(self, now: float, wait_s: object = None) -> None:
        """Try again after `wait_s`, or after a time that doubles with every failure."""
        first, longest = RETRY_S
        self.failures += 1
        own = min(longest, first * 2 ** min(self.failures - 1, 10))
        self.retry_at = now + (float(wait_s) if isinstance(wait_s, int | float) else own)


class Blocked:
    """What can't be written at the moment; told in the log once, not at every try."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._what: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._what)

    def add(self, what: str, error: OSError) -> None:
        """It failed."""
        if what not in self._what:
            _log.warning("%s: %s wait, because nothing can be written: %s", self._root, what, error)
        self._what.add(what)

    def discard(self, what: str) -> None:
        """It went well."""
        self._what.discard(what)


class Tracker:
    """Which jobs of which claims are still open."""

    def __init__(self, desk: Desk, complete: Callable[[Pending], None]) -> None:
        self._desk = desk
        self._complete = complete
        self._by_job: dict[str, Pending] = {}
        self._ended: deque[str] = deque(maxlen=256)

    def expect(self, pending: Pending, still: set[str]) -> None:
        """Wait for these jobs of a claim; it may be that none is open."""
        pending.open = still.difference(self._ended)
        self._by_job.update(dict.fromkeys(pending.open, pending))
        if not pending.open:
            self._complete(pending)

    def ended(self, job_id: str) -> None:
        """A job is finished; jobs of other doors are none of its business."""
        pending = self._by_job.pop(job_id, None)
        if pending is None:
            # The answer to a submit may come after the job's end.
            self._ended.append(job_id)
            return
        pending.open.discard(job_id)
        if not pending.open:
            self._complete(pending)

    async def recheck(self, waiting: Iterable[Pending]) -> None:
        """Ask for jobs whose end was missed: of every claim the first open one, and the others if that has ended."""
        for pending in waiting:
            for job_id in [job_id for job_id in pending.jobs if job_id in pending.open]:
                if await self._open(job_id):
                    break
                self.ended(job_id)

    def clear(self) -> None:
        """Forget all claims."""
        self._by_job.clear()

    async def _open(self, job_id: str) -> bool:
        try:
            return (await self._desk.job(job_id)).state not in ENDED
        except TendredError:
            return False
