"""What was spent, and the books behind it, for the doors."""

from __future__ import annotations

from tendred.clock import Clock
from tendred.errors import InvalidParams, NotPermitted
from tendred.money import caps, ledger, report
from tendred.money.report import By
from tendred.schema.money import CapChanges, Caps, LedgerPage, Reconciled, SpendReport
from tendred.schema.token import Scope
from tendred.store.database import Database, Tx


class Spend:
    """Reports, caps and balances."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def report(self, by: By, after: str, before: str) -> SpendReport:
        """Groups between two days of UTC, both included."""
        return await self._database.read(lambda connection: report.report_in(connection, by, after, before))

    async def ledger(self, job_id: str | None, limit: int, cursor: str | None) -> LedgerPage:
        """Movements, newest first. Raises InvalidParams."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
            raise InvalidParams(path="cursor", problem="it is none that a page told")
        before = None if cursor is None else min(int(cursor), 1 << 62)
        return await self._database.read(lambda connection: ledger.page_in(connection, job_id, limit, before))

    async def caps(self, changes: CapChanges, scopes: frozenset[Scope]) -> Caps:
        """Every cap, after the changes. Raises NotPermitted for a change without the scope `spend`."""
        if changes != CapChanges():
            if "spend" not in scopes:
                raise NotPermitted(scope="spend")
            await self._database.write(lambda tx: caps.set_in(tx, changes))
        now = self._clock.now()
        return await self._database.read(lambda connection: caps.caps_in(connection, now))

    async def reconcile(self, provider: str, balance_mcr: int, topped_up_mcr: int) -> Reconciled:
        """Put the console's balance beside ours. Raises InvalidParams."""

        def work(tx: Tx) -> Reconciled:
            return report.reconcile_in(tx, provider, balance_mcr, topped_up_mcr)

        return await self._database.write(work)
