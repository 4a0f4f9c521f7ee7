"""A clock that runs like the machine's and can be put forward."""

from __future__ import annotations

import asyncio

from tendred.clock import SystemClock

GRAIN_S = 0.01


class WarpClock(SystemClock):
    """See clock.Clock. `ahead += 30` lets half a minute pass for everybody who sleeps on it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def mono(self) -> float:
        return super().mono() + self.ahead

    async def sleep(self, seconds: float) -> None:
        end = self.mono() + seconds
        while (left := end - self.mono()) > 0:
            await asyncio.sleep(min(left, GRAIN_S))
        await asyncio.sleep(0)
