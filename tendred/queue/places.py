"""Where jobs stand in line, and when they will be done."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from tendred.queue.pace import Paces

COUNTED: Final = 10_000
"""Where more jobs wait, nobody tells when all are done."""
POSITIONS: Final = 1000
"""A position further back than this is told as null: nobody counts that far, and counting costs."""

LINE: Final = (
    "SELECT job_id, model, work FROM waiting INDEXED BY waiting_first ORDER BY lane_rank, place, job_id LIMIT ?"
)
AHEAD: Final = (
    "SELECT model, count(*) AS jobs, sum(work) AS work FROM (SELECT model, work FROM waiting INDEXED BY waiting_first "
    "WHERE (lane_rank, place, job_id) <= (SELECT lane_rank, place, job_id FROM waiting WHERE job_id = ?) LIMIT ?) "
    "GROUP BY model"
)
ALL: Final = (
    "SELECT model, count(*) AS jobs, sum(work) AS work FROM (SELECT model, work FROM waiting LIMIT ?) GROUP BY model"
)


class Place(NamedTuple):
    """How many jobs are before one, and the seconds until it is done (null: one of them was never measured).

    The seconds are those of the jobs that wait: what runs now comes on top.
    """

    position: int | None
    eta_s: float | None


NOWHERE: Final = Place(None, None)


def place(connection: sqlite3.Connection, job_id: str) -> Place:
    """Of one waiting job."""
    rows = connection.execute(AHEAD, (job_id, POSITIONS + 1)).fetchall()
    count = sum(row["jobs"] for row in rows)
    if not 0 < count <= POSITIONS:
        return NOWHERE
    return Place(count - 1, _sum(Paces(connection), rows))


def places(connection: sqlite3.Connection) -> dict[str, Place]:
    """Of the first POSITIONS jobs, by id."""
    paces = Paces(connection)
    found: dict[str, Place] = {}
    total: float | None = 0.0
    for number, row in enumerate(connection.execute(LINE, (POSITIONS,))):
        seconds = paces.told(row["model"], row["work"])
        total = None if total is None or seconds is None else total + seconds
        found[row["job_id"]] = Place(number, _rounded(total))
    return found


def emptied_s(connection: sqlite3.Connection) -> float | None:
    """Seconds until nothing waits any more; null where that can't be told."""
    rows = connection.execute(ALL, (COUNTED + 1,)).fetchall()
    return _sum(Paces(connection), rows) if sum(row["jobs"] for row in rows) <= COUNTED else None


def _sum(paces: Paces, rows: list[sqlite3.Row]) -> float | None:
    each = [paces.told(row["model"], row["work"]) for row in rows]
    known = [seconds for seconds in each if seconds is not None]
    return _rounded(sum(known)) if len(known) == len(each) else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
