"""Forgetting jobs that ended long ago, with their events. Nothing that was made goes with them."""

from __future__ import annotations

from typing import Final

from tendred.queue.line import FORGET
from tendred.store.database import Tx

ENDED: Final = "SELECT coalesce(sum(count), 0) FROM tally WHERE state IN ('succeeded', 'failed', 'cancelled')"
OLDEST: Final = (
    "SELECT id, finished_at FROM job INDEXED BY job_ended WHERE finished_at IS NOT NULL AND finished_at < ? "
    # What nobody knows the price of stays until somebody has said it.
    "AND (kind <> 'clip' OR NOT EXISTS (SELECT 1 FROM ledger WHERE job_id = job.id GROUP BY job_id HAVING "
    "sum(CASE WHEN credit = 'unsure' THEN mcr WHEN debit = 'unsure' THEN -mcr ELSE 0 END) <> 0)) "
    "ORDER BY finished_at LIMIT ?"
)
EVENTS: Final = "DELETE FROM event WHERE job_id = ?"
JOB: Final = "DELETE FROM job WHERE id = ?"


def forget(tx: Tx, job_id: str) -> None:
    """Forget one job that has ended, with its events; one that isn't there any more is fine."""
    tx.run(EVENTS, job_id)
    tx.run(JOB, job_id)


def prune(tx: Tx, *, ended_before: float | None, keep: int | None, spare_after: float, limit: int) -> int:
    """Forget up to `limit` jobs, the oldest first. Returns how many.

    Those that ended before `ended_before` go, and of the others so many that `keep` are left (null: no such limit).
    What ended after `spare_after` stays in any case.
    Times are seconds since 1970. Parked jobs have not ended.
    """
    row = tx.one(ENDED)
    assert row is not None
    excess = 0 if keep is None else max(0, int(row[0]) - keep)
    due = [
        (found["id"],)
        for number, found in enumerate(tx.run(OLDEST, spare_after, limit))
        if number < excess or (ended_before is not None and found["finished_at"] < ended_before)
    ]
    tx.connection.executemany(EVENTS, due)
    tx.connection.executemany(JOB, due)
    if not due:
        tx.run(FORGET)
    return len(due)
