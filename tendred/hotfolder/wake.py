"""An alarm clock for one waiting coroutine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import ParamSpec

from tendred.clock import Clock
from tendred.tasks import Tasks

_P = ParamSpec("_P")


class Alarm:
    """Rings when it is told to, or at the earliest of the times it was given. Use from the loop's thread."""

    def __init__(self, name: str, clock: Clock, tasks: Tasks) -> None:
        self._name = name
        self._clock = clock
        self._tasks = tasks
        self._rung = asyncio.Event()
        self._at: float | None = None
        self._sleeper: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Ring now."""
        self._rung.set()

    def ring_at(self, when: float | None) -> None:
        """Ring at a monotonic time as well; None and times after one already set change nothing."""
        if when is None or (self._at is not None and self._at <= when):
            return
        self.stop()
        self._at = when
        self._sleeper = self._tasks.spawn(f"{self._name} alarm", self._sleep(when))

    async def wait(self) -> None:
        """Until it rings; rings while nobody waited count."""
        await self._rung.wait()
        self._rung.clear()

    def stop(self) -> None:
        """Forget the times."""
        if self._sleeper is not None:
            self._sleeper.cancel()
        self._sleeper = self._at = None

    async def _sleep(self, when: float) -> None:
        await self._clock.sleep(max(0.0, when - self._clock.mono()))
        self._sleeper = self._at = None
        self._rung.set()


def from_thread(loop: asyncio.AbstractEventLoop, call: Callable[_P, None]) -> Callable[_P, None]:
    """`call`, to be used from any thread. Once the loop is closed nobody listens any more."""

    def tell(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: call(*args, **kwargs))

    return tell
