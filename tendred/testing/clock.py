"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from typing import Final

START: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


class ManualClock:
    """See clock.Clock. `advance` moves both times and wakes whoever has slept long enough."""

    def __init__(self, start: float = START) -> None:
        self._start = start
        self._passed = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self._asleep = asyncio.Event()

    def now(self) -> float:
        return self._start + self._passed

    def mono(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        entry = (self._passed + seconds, woken)
        self._sleepers.append(entry)
        self._asleep.set()
        try:
            await woken.wait()
        finally:
            self._sleepers.remove(entry)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed += seconds
        for due, woken in self._sleepers:
            if due <= self._passed:
                woken.set()

    async def somebody_sleeps(self) -> None:
        """Wait until a coroutine waits on this clock."""
        while not any(not woken.is_set() for _, woken in self._sleepers):
            self._asleep.clear()
            await self._asleep.wait()
