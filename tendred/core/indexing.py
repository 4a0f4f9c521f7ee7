"""Chores between jobs: new assets go into full-text search, old events go away."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from tendred.clock import Clock
from tendred.core.history import History
from tendred.errors import TendredError
from tendred.library.index import Index

BATCH: Final = 50
"""Assets in one transaction: about 2 ms for whoever waits behind it, and 10 ms where FTS5 merges its segments."""
RETRY_S: Final = 5.0
FORGET_EVERY: Final = 200
"""Jobs between two looks at old events: a look is a commit."""
_log = logging.getLogger(__name__)


class Indexing:
    """In small transactions of its own, so that nobody who submits waits long behind it."""

    def __init__(self, index: Index, history: History, clock: Clock) -> None:
        self._index = index
        self._history = history
        self._clock = clock
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There are new assets."""
        self._wake.set()

    async def run(self) -> None:
        """Work for as long as the daemon lives."""
        turns = 0
        while True:
            self._wake.clear()
            try:
                await self._index_all()
                if turns % FORGET_EVERY == 0:
                    await self._history.forget()
            except TendredError as problem:
                _log.warning("indexing waits: %s", problem)
                await self._clock.sleep(RETRY_S)
                continue
            turns += 1
            await self._wake.wait()

    async def _index_all(self) -> None:
        done = BATCH
        while done:
            done = await self._index.index_some(BATCH)
