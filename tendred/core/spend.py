"""What was spent, and the books behind it, for the doors."""

from __future__ import annotations

from posixpath import normpath

from msgspec.structs import replace

from tendred.backend import HotFolders
from tendred.clock import Clock
from tendred.errors import InvalidParams, NotFound, NotPermitted
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

    async def caps(self, changes: CapChanges, scopes: frozenset[Scope], folders: HotFolders) -> Caps:
        """Every cap, after the changes.

        Raises NotPermitted for a change without the scope `spend`, InvalidParams and NotFound for a door that can't have one.
        """
        if changes != CapChanges():
            if "spend" not in scopes:
                raise NotPermitted(scope="spend")
            doors = {await _door(name, mcr, folders): mcr for name, mcr in changes.doors.items()}
            changes = replace(changes, doors=doors)
            await self._database.write(lambda tx: caps.set_in(tx, changes))
        now = self._clock.now()
        return await self._database.read(lambda connection: caps.caps_in(connection, now))

    async def reconcile(self, provider: str, balance_mcr: int, topped_up_mcr: int) -> Reconciled:
        """Put the console's balance beside ours. Raises InvalidParams."""

        def work(tx: Tx) -> Reconciled:
            return report.reconcile_in(tx, provider, balance_mcr, topped_up_mcr)

        return await self._database.write(work)


async def _door(name: str, mcr: int, folders: HotFolders) -> str:
    """A door as its cap is called. Where nobody confirms a clip, each folder and each plugin has a cap of its own."""
    kind, _, whose = name.partition(":")
    if kind in {"hotfolder", "plugin"} and not whose:
        wanted = "the path of a hot folder" if kind == "hotfolder" else "the name of a plugin"
        raise InvalidParams(path=f"changes.doors.{name}", problem=f"it needs {wanted} behind it: {kind}:…")
    if kind != "hotfolder":
        return name
    try:
        return f"hotfolder:{await folders.standing(whose, spends=mcr > 0)}"
    except NotFound:
        if mcr > 0:
            raise
        # To take a cap away must always be possible, wherever the folder is by now.
        return f"hotfolder:{normpath(whose)}"
