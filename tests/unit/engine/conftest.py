"""A supervisor over the stand-in process: real pipes, real kills, no torch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tendred.clock import SystemRng
from tendred.config.schema import EngineSection
from tendred.engine.supervisor import Engine
from tendred.schema.work import Output, Report, WorkOrder
from tendred.tasks import Tasks
from tendred.testing.orders import order, reseal
from tendred.testing.spawn import SpawnFakes
from tendred.testing.warp import WarpClock


@dataclass
class Bench:
    """An engine and everything a test wants to see or turn."""

    root: Path
    clock: WarpClock = field(default_factory=WarpClock)
    tasks: Tasks = field(default_factory=Tasks)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = self.root / "model"
        self.staging = self.root / "staging"
        self.script_file = self.root / "script.json"
        for folder in (self.model, self.staging):
            folder.mkdir()
        self.script()
        self.spawn = SpawnFakes(script=self.script_file)
        self.engine = self.build()

    def build(self, **settings: Any) -> Engine:
        """An engine with other settings, over the same processes and events."""
        config = EngineSection(**{"heartbeat_s": 1e9, "start_timeout_s": 20.0, "cancel_grace_s": 20.0, **settings})
        self.engine = Engine(
            config=config,
            spawn=self.spawn,
            clock=self.clock,
            tasks=self.tasks,
            reseal=reseal,
            rng=SystemRng(),
            announce=lambda topic, data: self.events.append((topic, data)),
            stderr=self.root / "engine.log",
        )
        return self.engine

    def script(self, **behaviour: Any) -> None:
        """How the process behaves from its next order on."""
        self.script_file.write_bytes(msgspec.json.encode(behaviour))

    def order(self, job_id: str = "job_1", **changes: Any) -> WorkOrder:
        return order(job_id, self.model, self.staging, **changes)

    async def draw(self, job_id: str = "job_1", **changes: Any) -> list[Output]:
        """Run an order to its end."""
        return [report async for report in self.engine.run(self.order(job_id, **changes)) if isinstance(report, Output)]

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.events]

    def begin(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run beside the test."""
        return asyncio.ensure_future(coro)

    async def until(self, there: Callable[[], object], limit_s: float = 15.0) -> None:
        """Poll until something is so."""
        async with asyncio.timeout(limit_s):
            while not there():
                await asyncio.sleep(0.005)

    async def first_step(self, reports: AsyncIterator[Report]) -> None:
        """Read on until the job samples."""
        async for report in reports:
            if getattr(report, "phase", None) == "sampling":
                return
        raise AssertionError("it never sampled")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.engine.close()
    await made.tasks.stop()
    assert made.spawn.running == []


__all__ = ["Bench", "aclosing"]
