"""What was spent, in groups; and a balance from a provider's console, put beside ours."""

from __future__ import annotations

import sqlite3
from typing import Final, Literal

from tendred.errors import InvalidParams
from tendred.money.caps import ZONE
from tendred.money.ledger import balances_in, broken_in, move_in
from tendred.schema.money import Account, Movement, Reconciled, Spending, SpendReport
from tendred.store.database import Tx

By = Literal["day", "provider", "shot"]
_SUM: Final = "sum(mcr * ((credit = '{0}') - (debit = '{0}'))) AS {0}"
_SUMS: Final = ", ".join(_SUM.format(name) for name in ("held", "unsure", "spent"))
_GROUP: Final[dict[By, str]] = {
    "day": "ledger.day",
    "provider": "ledger.provider",
    "shot": "coalesce(clip.shot_id, '')",
}
REPORT: Final = (
    "SELECT {0} AS name, count(DISTINCT ledger.job_id) AS clips, " + _SUMS + " FROM ledger "
    "LEFT JOIN clip ON clip.job_id = ledger.job_id WHERE ledger.job_id IS NOT NULL AND ledger.day BETWEEN ? AND ? "
    "GROUP BY 1 ORDER BY 1"
)
UNKNOWN: Final = "SELECT job_id FROM clip WHERE phase = 'unknown' ORDER BY job_id"


def report_in(connection: sqlite3.Connection, by: By, after: str, before: str) -> SpendReport:
    """Groups between two days (`YYYY-MM-DD`, both included), and where every provider's account stands."""
    rows = connection.execute(REPORT.format(_GROUP[by]), (after, before))
    return SpendReport(
        by=by,
        zone=ZONE,
        rows=[
            Spending(
                name=row["name"],
                clips=row["clips"],
                held_mcr=row["held"],
                unsure_mcr=row["unsure"],
                spent_mcr=row["spent"],
            )
            for row in rows
        ],
        balances=balances_in(connection),
        unknown=[row["job_id"] for row in connection.execute(UNKNOWN)],
        chain="whole" if broken_in(connection) is None else "broken",
    )


def reconcile_in(tx: Tx, provider: str, balance_mcr: int, topped_up_mcr: int) -> Reconciled:
    """Book what the console says against what we thought, openly. What is only held was not billed yet, we suppose.

    The first balance opens the account: there was nothing to compare it with. Raises InvalidParams.
    """
    before = next((one for one in balances_in(tx.connection) if one.provider == provider), None)
    known = before is not None and before.known
    if topped_up_mcr and not known:
        raise InvalidParams(path="topped_up_mcr", problem="the first balance opens the account; leave it out")
    move_in(tx, provider, "topup", "outside", "credit", topped_up_mcr, "topped up, as a person says")
    # Held money lies outside `credit` in our books, and still inside the balance in the console.
    ours = topped_up_mcr + (0 if before is None else before.credit_mcr + before.held_mcr)
    gap = balance_mcr - ours
    kind: Movement = "difference" if known else "opening"
    other: Account = "difference" if known else "outside"
    note = "what the console said and our books didn't" if known else "the first balance from the console"
    if gap >= 0:
        move_in(tx, provider, kind, other, "credit", gap, note)
    else:
        move_in(tx, provider, kind, "credit", other, -gap, note)
    return Reconciled(
        provider=provider,
        first=not known,
        expected_mcr=ours,
        balance_mcr=balance_mcr,
        difference_mcr=gap if known else 0,
        held_mcr=0 if before is None else before.held_mcr,
        unsure_mcr=0 if before is None else before.unsure_mcr,
    )
