"""What a job says of its clip: where it is on its way, and what it costs so far."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

GET: Final = "SELECT provider, quote_id, phase, remote_id, quoted_mcr FROM clip WHERE job_id = ?"
BOOKED: Final = (
    "SELECT coalesce(sum(mcr * ((credit IN ('held', 'unsure')) - (debit IN ('held', 'unsure')))), 0) AS held, "
    "coalesce(sum(mcr * ((credit = 'spent') - (debit = 'spent'))), 0) AS settled, count(basis) AS based "
    "FROM ledger WHERE job_id = ?"
)
BASIS: Final = "SELECT basis FROM ledger WHERE job_id = ? AND basis IS NOT NULL ORDER BY n DESC LIMIT 1"


def clip_of(connection: sqlite3.Connection, job_id: str) -> dict[str, Any] | None:
    """WIRE's `job.clip`; null where the job has no row of a clip. What is held counts what may have been billed."""
    row = connection.execute(GET, (job_id,)).fetchone()
    if row is None:
        return None
    booked = connection.execute(BOOKED, (job_id,)).fetchone()
    basis = connection.execute(BASIS, (job_id,)).fetchone()
    cost = {
        "quoted_mcr": row["quoted_mcr"],
        "held_mcr": booked["held"],
        "settled_mcr": booked["settled"] if booked["based"] else None,
        "basis": None if basis is None else basis["basis"],
    }
    return {**{name: row[name] for name in ("provider", "quote_id", "phase", "remote_id")}, "cost": cost}
