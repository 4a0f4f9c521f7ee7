"""Results on their way out of a watched folder's claims, one after the other."""

from __future__ import annotations

from pathlib import Path

from tendred.errors import TendredError
from tendred.hotfolder import claim, deliver
from tendred.hotfolder.outcome import Row, gather
from tendred.hotfolder.pending import Blocked, Parts, Pending
from tendred.hotfolder.wake import Alarm
from tendred.tasks import offload


class Handover:
    """Delivers claims whose jobs have all ended. Runs one delivery at a time, so that no two choose one name."""

    def __init__(self, hotfolder_id: str, root: Path, parts: Parts, blocked: Blocked, alarm: Alarm) -> None:
        self._id = hotfolder_id
        self._root = root
        self._parts = parts
        self._blocked = blocked
        self._alarm = alarm
        self.pending: dict[str, Pending] = {}
        self.identity: claim.Identity | None = None
        self._ready: dict[str, Pending] = {}

    def ready(self, pending: Pending) -> None:
        """There is nothing left to wait for."""
        if self.pending.get(pending.id) is pending:
            self._ready[pending.id] = pending
            self._alarm.ring()

    def clear(self) -> None:
        """Forget all claims; the disk remembers them."""
        self.pending.clear()
        self._ready.clear()
        self.identity = None

    async def work(self) -> float | None:
        """Deliver what is ready. Returns when to try again what could not be delivered."""
        for pending in list(self._ready.values()):
            if pending.retry_at <= self._parts.clock.mono() and self._ready.get(pending.id) is pending:
                await self._deliver(pending)
        return min((pending.retry_at for pending in self._ready.values()), default=None)

    async def announce(self, what: str, claim_id: str, name: str, job_ids: list[str]) -> None:
        """Tell of a step. A failure to tell stops nothing."""
        data = {"hotfolder_id": self._id, "file": name, "claim": claim_id, "job_ids": job_ids}
        try:
            await self._parts.desk.announce(f"hotfolder.{what}", data)
        except TendredError as error:
            self._parts.desk.tell(error)

    async def _deliver(self, pending: Pending) -> None:
        fs = self._parts.fs
        try:
            if pending.plan is None:
                rows = await gather(self._parts.desk, pending.jobs, pending.prompts)
                pending.plan = await offload(self._build, pending, rows)
            plan = pending.plan
            await offload(deliver.carry_out, fs, self._root, pending.folder, plan)
            await self.announce("failed" if plan.failed else "done", pending.id, plan.file, plan.job_ids)
            await offload(claim.clear, fs, pending.folder)
        except OSError as error:
            self._blocked.add("results", error)
            pending.postpone(self._parts.clock.mono())
            return
        except Exception as error:  # noqa: BLE001 - one claim that can't be delivered must not hold up the others
            self._parts.desk.tell(error)
            pending.postpone(self._parts.clock.mono())
            return
        self._blocked.discard("results")
        for known in (self.pending, self._ready):
            if known.get(pending.id) is pending:
                del known[pending.id]

    def _build(self, pending: Pending, rows: list[Row]) -> deliver.Plan:
        if self.identity is None or claim.identity(self._root) != self.identity:
            # Not the folder that this claim came from: nothing may be made in it.
            raise FileNotFoundError(str(self._root))
        return deliver.build(self._parts.fs, self._root, pending.folder, rows, pending.error)
