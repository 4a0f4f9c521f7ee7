"""How long jobs that have ended are remembered. What they made stays: pictures, rows of the library, receipts."""

from __future__ import annotations

import logging
from typing import Final

from tendred.clock import Clock
from tendred.errors import TendredError
from tendred.queue.prune import prune
from tendred.store.database import Database

EVERY_S: Final = 3600.0
BATCH: Final = 100
"""Jobs in one transaction: some milliseconds for whoever waits behind it."""
DAY_S: Final = 86_400.0
_log = logging.getLogger(__name__)


class Retention:
    """Forgets in small transactions of its own. `days` and `jobs`: see the settings; 0 is without limit.

    The last day's jobs stay whatever is set: a hot folder may still wait for the others of its file.
    """

    def __init__(self, database: Database, clock: Clock, *, days: float, jobs: int) -> None:
        self._database = database
        self._clock = clock
        self._days = days
        self._jobs = jobs

    async def run(self) -> None:
        """Look now and every hour, for as long as the daemon lives."""
        while True:
            try:
                await self.forget()
            except TendredError as problem:
                _log.warning("old jobs stay for now: %s", problem)
            await self._clock.sleep(EVERY_S)

    async def forget(self) -> int:
        """Forget what is due. Returns how many jobs."""
        now = self._clock.now()
        before = None if self._days == 0 else now - self._days * DAY_S
        total = 0
        while gone := await self._database.write(
            lambda tx: prune(tx, ended_before=before, keep=self._jobs or None, spare_after=now - DAY_S, limit=BATCH)
        ):
            total += gone
        if total:
            _log.info("forgot %d jobs that had ended", total)
        return total
