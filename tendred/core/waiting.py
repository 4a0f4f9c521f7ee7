"""Waiting for a job's end without asking again and again."""

from __future__ import annotations

import asyncio
from typing import Final

from tendred.bus import Bus
from tendred.queue.store import Queue
from tendred.schema.job import TERMINAL

ENDS: Final = ("job.succeeded", "job.failed", "job.cancelled", "job.parked", "job.unknown")
DONE: Final = frozenset({*TERMINAL, "parked", "unknown"})
"""What waits for a person is waited for no longer."""


class Waiting:
    """Clients that wait."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def until_done(self, job_id: str, timeout_s: float, queue: Queue) -> None:
        """Return once the job is terminal, parked or unknown, or after `timeout_s`. Raises NotFound."""
        subscription = self._bus.subscribe(ENDS)
        try:
            async with asyncio.timeout(timeout_s):
                # Subscribed before the look, so that an end between the two isn't missed.
                while (await queue.get(job_id)).state not in DONE:
                    while (event := await subscription.get()) is not None and event.job_id != job_id:
                        pass
                    if event is None:
                        subscription.close()
                        subscription = self._bus.subscribe(ENDS)
        except TimeoutError:
            return
        finally:
            subscription.close()
