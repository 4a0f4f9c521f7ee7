"""Jobs that are drawn in one go: each goes its own way along the road, and they meet before the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from tendred.backend import Backend
from tendred.errors import Cancelled
from tendred.schema.work import Report, WorkOrder


class Party:
    """Those that were claimed together; nearly always one by itself."""

    def __init__(self, backend: Backend, job_ids: list[str], wanted: Callable[[str], bool]) -> None:
        """`wanted(job_id)`: whether nobody has cancelled it, or put it back, meanwhile."""
        self._backend = backend
        self._wanted = wanted
        self._awaited = set(job_ids)
        self._orders: dict[str, WorkOrder] = {}
        self._reports: dict[str, AsyncGenerator[Report]] = {}
        self._there = asyncio.Event()

    async def draw(self, order: WorkOrder) -> AsyncGenerator[Report]:
        """The reports on an order, once all the others are here too or won't come. Raises Cancelled if it isn't wanted.

        The backend knows all of them from the moment at which they were last asked about, so no cancel falls in between.
        """
        self._orders[order.job_id] = order
        self.without(order.job_id)
        await self._there.wait()
        if order.job_id not in self._reports:
            raise Cancelled
        return self._reports[order.job_id]

    def without(self, job_id: str) -> None:
        """Nobody has to wait for this one any more: it is here, or its end has come already."""
        self._awaited.discard(job_id)
        if not self._awaited and not self._there.is_set():
            orders = [order for order in self._orders.values() if self._wanted(order.job_id)]
            reports = self._backend.together(orders) if len(orders) > 1 else map(self._backend.run, orders)
            self._reports = {order.job_id: one for order, one in zip(orders, reports, strict=True)}
            self._there.set()

    def share(self, job_id: str) -> float:
        """Which part of the time a job's pictures took, of all that were drawn: 1 where it was by itself."""
        drawn = sum(len(self._orders[one].indices) for one in self._reports)
        return len(self._orders[job_id].indices) / drawn if job_id in self._reports else 1.0
