"""The line: who waits, in which order.

One small row for each queued job, kept in order as it changes, so that the next job is one look at an index. Between clients the order is start-time fair queuing (Goyal, Vin, Cheng: SIGCOMM 1996). A place is a number of seconds
on the lane's own clock, which stands at the place of the job that was first when one last started. Whoever comes in
stands behind the clock and behind what is before it of the same client: its own waiting jobs, and the seconds that
the client was served already. So clients take turns by the time they use, however many jobs each has sent.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Final, cast

from tendred.queue.pace import Paces, learn
from tendred.schema.job import Origin
from tendred.schema.still import Lane
from tendred.store.database import Tx

RANKS: Final[dict[Lane, int]] = {"interactive": 0, "normal": 1, "idle": 2}
WARM_S: Final = 60.0
TURN, AHEAD, BEHIND = range(3)
"""How a job came to its place: in its turn, or because a person put it before all others, or behind them."""

_ROW: Final = "job_id, lane_rank, line, model, work, place, fixed, passed_at"
_AT: Final = "(lane_rank, place, job_id) < (SELECT lane_rank, place, job_id FROM waiting WHERE job_id = ?)"
FIRST: Final = f"SELECT {_ROW} FROM waiting ORDER BY lane_rank, place, job_id LIMIT 1"
WARM: Final = (
    f"SELECT {_ROW} FROM waiting INDEXED BY waiting_warm WHERE lane_rank = ? AND model = ? AND fixed = 0 "
    "ORDER BY place, job_id LIMIT 1"
)
PATIENT: Final = (
    f"SELECT {_ROW} FROM waiting INDEXED BY waiting_passed WHERE lane_rank = ? AND passed_at IS NOT NULL "
    "ORDER BY passed_at LIMIT 1"
)
NEAR: Final = (
    "SELECT waiting.*, request FROM waiting INDEXED BY waiting_warm JOIN job ON id = job_id "
    "WHERE waiting.lane_rank = ? AND waiting.model = ? AND fixed = 0 AND attempts = 0 ORDER BY place, job_id LIMIT 64"
)
"""Who comes next of a model; one that was tried before goes by itself."""
PASSED: Final = "UPDATE waiting SET passed_at = ? WHERE job_id = ?"
GET: Final = f"SELECT {_ROW} FROM waiting WHERE job_id = ?"
ENTER: Final = "INSERT INTO waiting(job_id, lane_rank, line, model, work, place, fixed) VALUES (?, ?, ?, ?, ?, ?, ?)"
LEAVE: Final = "DELETE FROM waiting WHERE job_id = ?"
CLOCK: Final = "SELECT at FROM lane_clock WHERE lane_rank = ?"
TICK: Final = "UPDATE lane_clock SET at = max(at, ?) WHERE lane_rank = ?"
SERVED: Final = "SELECT served FROM share WHERE lane_rank = ? AND line = ?"
CHARGE: Final = "UPDATE share SET served = ?, stale = max(stale, ?) WHERE lane_rank = ? AND line = ?"
LAST_OF: Final = (
    "SELECT model, work, place FROM waiting INDEXED BY waiting_line WHERE line = ? AND lane_rank = ? AND fixed = 0 "
    "ORDER BY place DESC, job_id DESC LIMIT 1"
)
SETTLE: Final = "UPDATE share SET served = served + ? WHERE lane_rank = ? AND line = ?"
GAP: Final = "UPDATE share SET stale = 1 WHERE lane_rank = ? AND line = ?"
RECKON: Final = "UPDATE share SET stale = 1 WHERE waiting > 0"
STALE: Final = "SELECT line FROM share WHERE lane_rank = ? AND stale = 1 AND waiting > 0 ORDER BY line"
OF_LINE: Final = (
    "SELECT job_id, model, work FROM waiting INDEXED BY waiting_line WHERE line = ? AND lane_rank = ? AND fixed = 0 "
    "AND passed_at IS NULL ORDER BY place, job_id"
)
PLACE: Final = "UPDATE waiting SET place = ? WHERE job_id = ?"
RECKONED: Final = "UPDATE share SET stale = 0 WHERE lane_rank = ? AND line = ?"
ORDER: Final = "SELECT job_id, place, fixed FROM waiting WHERE lane_rank = ? ORDER BY place, job_id"
ANY_BEHIND: Final = f"SELECT 1 FROM waiting WHERE lane_rank = ? AND fixed = {BEHIND} LIMIT 1"
ENDS: Final = "SELECT min(place) AS first, max(place) AS last FROM waiting WHERE lane_rank = ?"
BEFORE: Final = f"SELECT place FROM waiting WHERE lane_rank = ? AND {_AT} ORDER BY place DESC LIMIT 1"
MAKE_ROOM: Final = f"UPDATE waiting SET place = place - 1 WHERE lane_rank = ? AND {_AT}"
FORGET: Final = (
    "DELETE FROM share WHERE waiting = 0 AND served <= "
    "(SELECT at FROM lane_clock WHERE lane_clock.lane_rank = share.lane_rank)"
)
"""Clients that have nothing waiting and were served no more than anybody else are as good as new ones."""


def line_of(origin: Origin) -> str:
    """Whose line a request stands in. Until clients have tokens of their own, a client is what it calls itself.

    Its version doesn't count. All hot folders together are one client.
    """
    if origin.door == "hotfolder":
        return "hotfolder"
    return f"{origin.door}:{(origin.client or 'local').partition('/')[0]}"


def enter(tx: Tx, job_id: str, lane: Lane, line: str, model: str, work: float) -> None:
    """Take a place behind what the client has waiting."""
    rank = RANKS[lane]
    place = _turn(tx, rank, line)
    paces = Paces(tx.connection)
    if (last := tx.one(LAST_OF, line, rank)) is not None:
        place = max(place, last["place"] + paces.cost(last["model"], last["work"]))
    tx.run(ENTER, job_id, rank, line, model, work, place, 0)


def come_back(tx: Tx, job_id: str, lane: Lane, line: str, model: str, work: float) -> None:
    """Take a place at the head again: it had its turn, and something outside it was in the way."""
    rank = RANKS[lane]
    tx.run(ENTER, job_id, rank, line, model, work, _clock(tx, rank), 0)


def leave(tx: Tx, job_id: str) -> None:
    """Nobody wants it any more. What the same client has behind it moves up, before the next job starts."""
    row = get(tx.connection, job_id)
    if row is not None:
        tx.run(LEAVE, job_id)
        tx.run(GAP, row["lane_rank"], row["line"])


def take(tx: Tx, loaded: Sequence[str], warm_s: float) -> str | None:
    """Who is next; None when nobody waits. It leaves the line, and its client is charged with it.

    The first of the first lane, or a job of a model that is loaded where the first one would need another: it lets
    such jobs pass for `warm_s`, counted from the first that does, and goes then even if somebody stands before it
    by now. One that a person put first lets none pass.
    """
    first = _first(tx)
    if first is None:
        return None
    chosen = first if first["fixed"] else _passing(tx, first, loaded, warm_s)
    if not first["fixed"]:
        tx.run(TICK, first["place"], chosen["lane_rank"])
    serve(tx, chosen)
    return cast("str", chosen["job_id"])


def serve(tx: Tx, row: sqlite3.Row) -> None:
    """It is this one's turn: it leaves the line, and its client is charged with it."""
    rank, line = row["lane_rank"], row["line"]
    charge = _turn(tx, rank, line) + Paces(tx.connection).cost(row["model"], row["work"])
    tx.run(LEAVE, row["job_id"])
    # A job that a person pushed ahead counts as its client's turn: the client's other jobs make up for it.
    tx.run(CHARGE, charge, row["fixed"] == AHEAD, rank, line)


def near(tx: Tx, lane: Lane, model: str) -> list[sqlite3.Row]:
    """The next in a lane that need this model, with their requests. None where a person put a job ahead of all."""
    first = tx.one(FIRST)
    if first is None or first["fixed"] == AHEAD:
        return []
    return tx.run(NEAR, RANKS[lane], model).fetchall()


def settle(tx: Tx, lane: Lane, line: str, model: str, work: float, seconds: float) -> None:
    """A job took so many seconds: learn from it.

    Where that changes much, its client is charged with the difference, and all places are reckoned anew before the
    next one starts.
    """
    charged = Paces(tx.connection).cost(model, work)
    if learn(tx, model, work, seconds):
        tx.run(SETTLE, Paces(tx.connection).cost(model, work) - charged, RANKS[lane], line)
        tx.run(RECKON)


def get(connection: sqlite3.Connection, job_id: str) -> sqlite3.Row | None:
    """A job's place in line; None where it doesn't wait."""
    row: sqlite3.Row | None = connection.execute(GET, (job_id,)).fetchone()
    return row


def put_first(tx: Tx, job_id: str) -> None:
    """Before everything that waits in its lane."""
    row = _row(tx, job_id)
    rank = row["lane_rank"]
    _pin(tx, row, min(_ends(tx, rank)[0], _clock(tx, rank)) - 1, AHEAD)


def put_last(tx: Tx, job_id: str) -> None:
    """Behind everything that waits in its lane now."""
    row = _row(tx, job_id)
    _pin(tx, row, _ends(tx, row["lane_rank"])[1] + 1, BEHIND)


def put_before(tx: Tx, job_id: str, other_id: str) -> None:
    """Before another job: in that one's lane and in its client's line, so that it stays there as the line moves."""
    row, other = _row(tx, job_id), _row(tx, other_id)
    leave(tx, job_id)
    rank, place = other["lane_rank"], other["place"]
    ahead = tx.one(BEFORE, rank, other_id)
    between = place - 1 if ahead is None else (ahead["place"] + place) / 2
    if ahead is not None and not ahead["place"] < between < place:
        # They stand too close: those ahead move up a little.
        tx.run(MAKE_ROOM, rank, other_id)
        between = place - 0.5
    tx.run(ENTER, job_id, rank, other["line"], row["model"], row["work"], between, other["fixed"])


def _row(tx: Tx, job_id: str) -> sqlite3.Row:
    row = get(tx.connection, job_id)
    assert row is not None, "whoever is moved waits"
    return row


def _pin(tx: Tx, row: sqlite3.Row, place: float, fixed: int) -> None:
    leave(tx, row["job_id"])
    tx.run(ENTER, row["job_id"], row["lane_rank"], row["line"], row["model"], row["work"], place, fixed)


def _clock(tx: Tx, rank: int) -> float:
    row = tx.one(CLOCK, rank)
    assert row is not None, "every lane has its clock"
    return float(row["at"])


def _ends(tx: Tx, rank: int) -> tuple[float, float]:
    row = tx.one(ENDS, rank)
    assert row is not None
    return row["first"], row["last"]


def _turn(tx: Tx, rank: int, line: str) -> float:
    """When a client has its turn: now, or once the others have had as much."""
    row = tx.one(SERVED, rank, line)
    clock = _clock(tx, rank)
    return clock if row is None else max(clock, float(row["served"]))


def _first(tx: Tx) -> sqlite3.Row | None:
    """The head of the line, once all that moved up or turned out faster or slower has found its place."""
    first = tx.one(FIRST)
    if first is None:
        return None
    rank = first["lane_rank"]
    stale = tx.run(STALE, rank).fetchall()
    if not stale:
        return first
    before = tx.run(ORDER, rank).fetchall() if tx.one(ANY_BEHIND, rank) else []
    for row in stale:
        _reckon(tx, rank, row["line"])
    _stay_behind(tx, rank, before)
    return tx.one(FIRST)


def _stay_behind(tx: Tx, rank: int, before: list[sqlite3.Row]) -> None:
    """What a person put behind others stays behind them, however far back they were reckoned."""
    now = {row["job_id"]: row["place"] for row in tx.run(ORDER, rank)} if before else {}
    furthest = -math.inf
    for row in before:
        place = now[row["job_id"]]
        if row["fixed"] == BEHIND and place <= furthest:
            place = furthest + 1
            tx.run(PLACE, place, row["job_id"])
        furthest = max(furthest, place)


def _reckon(tx: Tx, rank: int, line: str) -> None:
    """A client's places anew, in the order in which they are."""
    paces, place = Paces(tx.connection), _turn(tx, rank, line)
    places: list[tuple[float, str]] = []
    for row in tx.run(OF_LINE, line, rank):
        places.append((place, row["job_id"]))
        place += paces.cost(row["model"], row["work"])
    tx.connection.executemany(PLACE, places)
    tx.run(RECKONED, rank, line)


def _passing(tx: Tx, first: sqlite3.Row, loaded: Sequence[str], warm_s: float) -> sqlite3.Row:
    """Whose turn it is really: of one that has let others pass long enough, or of one that may pass the first."""
    patient = tx.one(PATIENT, first["lane_rank"])
    if patient is not None and not 0 <= tx.now - patient["passed_at"] < warm_s:
        return patient
    if first["model"] in loaded or not first["work"] or warm_s == 0:
        return first
    found = [row for model in loaded if (row := tx.one(WARM, first["lane_rank"], model)) is not None]
    if not found:
        return first
    if first["passed_at"] is None:
        tx.run(PASSED, tx.now, first["job_id"])
    return min(found, key=lambda row: (row["place"], row["job_id"]))
