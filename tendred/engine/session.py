"""One life of the engine process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tendred.children import Child
from tendred.schema.frames import Ready
from tendred.schema.model import LoadedModel


class Session:
    """What is known of a running process. `key` is the session key that its orders are sealed with."""

    def __init__(self, child: Child, key: bytes, started: float) -> None:
        self.child = child
        self.key = key
        self.heard_at = started
        self.started_at = started
        self.ready: Ready | None = None
        self.ready_at: float | None = None
        self.models: dict[str, LoadedModel] = {}
        self.wanted = False
        """Whether its end is ours: it was told to go."""
        self.missing: str | None = None
        """What it lacks, when it can't draw here at all."""
        self.problem: str | None = None
        """Why we ended it, when its own status wouldn't say."""
        self.deaf = False
        """Whether nothing it says is read any more; soon it is gone."""
        self.watcher: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self._changed = asyncio.Event()

    def lived_s(self, now: float) -> float:
        """Seconds since it was ready; 0 if it never was."""
        return 0.0 if self.ready_at is None else now - self.ready_at

    def doom(self, problem: str) -> None:
        """Kill it, and remember why."""
        self.problem = self.problem or problem
        self.child.kill()

    def put_down(self) -> None:
        """Kill it because a job must stop: that is no death of its own."""
        self.wanted = True
        self.child.kill()

    def poke(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for something to be so, or for the process to be gone."""
        while not there() and not self.gone.is_set():
            await self._changed.wait()
