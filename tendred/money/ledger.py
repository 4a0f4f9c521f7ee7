"""The books: double-entry, append-only, chained by hash. Every row has two sides, so the sum of all accounts is zero.

Rows are never changed (triggers refuse it). A clip's movements all count for the day of its hold, in UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from typing import Final

import msgspec

from tendred.clock import rfc3339
from tendred.schema.base import Record
from tendred.schema.clip import Basis
from tendred.schema.money import Account, Balance, Entry, LedgerPage, Movement
from tendred.store.database import Tx

_COLUMNS: Final = (
    "n, at, day, kind, debit, credit, mcr, provider, job_id, token_id, door, basis, note, prev_sha256, sha256"
)
HEAD: Final = "SELECT n, sha256 FROM ledger ORDER BY n DESC LIMIT 1"
POST: Final = f"INSERT INTO ledger({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ALL: Final = f"SELECT {_COLUMNS} FROM ledger ORDER BY n"
PAGE: Final = f"SELECT {_COLUMNS} FROM ledger WHERE n < ? AND (?2 IS NULL OR job_id = ?2) ORDER BY n DESC LIMIT ?3"
HELD: Final = f"SELECT {_COLUMNS} FROM ledger WHERE job_id = ? AND kind = 'hold'"
OF_JOB: Final = (
    "SELECT coalesce(sum(CASE WHEN credit = ?2 THEN mcr ELSE -mcr END), 0) FROM ledger "
    "WHERE job_id = ?1 AND ?2 IN (debit, credit)"
)
BASIS: Final = "SELECT basis FROM ledger WHERE job_id = ? AND basis IS NOT NULL ORDER BY n DESC LIMIT 1"
BALANCES: Final = (
    "SELECT provider, account, sum(mcr) AS mcr FROM (SELECT provider, credit AS account, mcr FROM ledger "
    "UNION ALL SELECT provider, debit, -mcr FROM ledger) GROUP BY provider, account ORDER BY provider"
)
OPENED: Final = "SELECT 1 FROM ledger WHERE provider = ? AND kind = 'opening' LIMIT 1"


class Hold(Record, frozen=True):
    """What is to be reserved, for whom, and by which door and token it was asked for."""

    job_id: str
    provider: str
    token_id: str
    door: str
    mcr: int


def day_of(seconds: float) -> str:
    """The day in UTC that a moment belongs to."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()


def hold_in(tx: Tx, hold: Hold) -> None:
    """Reserve; `caps.check_in` comes before it, in the same transaction."""
    _post(tx, "hold", "credit", "held", hold, hold.mcr, day=day_of(tx.now))


def settle_in(tx: Tx, job_id: str, cost_mcr: int | None, basis: Basis) -> None:
    """Book what a clip really cost, null where that is what was held; more or less than that is booked openly."""
    hold, day, held = _of(tx, job_id)
    cost = held if cost_mcr is None else cost_mcr
    _move(tx, job_id, "settle", "held", "spent", min(cost, held), basis)
    _post(tx, "excess", "credit", "spent", hold, cost - held, day=day, basis=basis, note="more than was quoted")
    _move(tx, job_id, "release", "held", "credit", held - min(cost, held), basis)


def release_in(tx: Tx, job_id: str, basis: Basis, note: str) -> None:
    """Give a reservation back."""
    _, _, held = _of(tx, job_id)
    _move(tx, job_id, "release", "held", "credit", held, basis, note)


def unsure_in(tx: Tx, job_id: str, note: str) -> None:
    """It ended, and nobody knows whether it was billed: it goes on counting against every cap."""
    _, _, held = _of(tx, job_id)
    _move(tx, job_id, "unsure", "held", "unsure", held, None, note)


def clear_in(tx: Tx, job_id: str, cost_mcr: int) -> None:
    """A person says what an unsure clip cost."""
    hold, day, _ = _of(tx, job_id)
    unsure = balance_in(tx.connection, job_id, "unsure")
    _move(tx, job_id, "clear", "unsure", "spent", min(cost_mcr, unsure), "user")
    _post(tx, "excess", "credit", "spent", hold, cost_mcr - unsure, day=day, basis="user", note="more than was quoted")
    _move(tx, job_id, "clear", "unsure", "credit", unsure - min(cost_mcr, unsure), "user")


def move_in(tx: Tx, provider: str, kind: Movement, debit: Account, credit: Account, mcr: int, note: str) -> None:
    """A movement that belongs to no clip: an opening balance, a top-up, a difference."""
    nobody = Hold(job_id="", provider=provider, token_id="", door="", mcr=mcr)
    _post(tx, kind, debit, credit, nobody, mcr, day=day_of(tx.now), basis="user", note=note)


def balance_in(connection: sqlite3.Connection, job_id: str, account: Account) -> int:
    """What of a clip lies in an account."""
    return int(connection.execute(OF_JOB, (job_id, account)).fetchone()[0])


def basis_in(connection: sqlite3.Connection, job_id: str) -> Basis | None:
    """On whose word a clip was settled."""
    row = connection.execute(BASIS, (job_id,)).fetchone()
    return None if row is None else row["basis"]


def balances_in(connection: sqlite3.Connection) -> list[Balance]:
    """The accounts of every provider."""
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(BALANCES):
        found.setdefault(row["provider"], {})[row["account"]] = int(row["mcr"])
    return [
        Balance(
            provider=provider,
            known=connection.execute(OPENED, (provider,)).fetchone() is not None,
            **{f"{name}_mcr": accounts.get(name, 0) for name in ("credit", "held", "unsure", "spent", "difference")},
        )
        for provider, accounts in found.items()
    ]


def page_in(connection: sqlite3.Connection, job_id: str | None, limit: int, before: int | None) -> LedgerPage:
    """Movements, newest first: `before` a number."""
    rows = connection.execute(PAGE, (1 << 62 if before is None else before, job_id, limit + 1)).fetchall()
    entries = [_entry(row) for row in rows[:limit]]
    return LedgerPage(entries=entries, next=str(entries[-1].n) if len(rows) > limit else None)


def broken_in(connection: sqlite3.Connection) -> int | None:
    """The number of the first row that isn't what was written, or None. Slow: reads all of it."""
    before = ""
    for n, row in enumerate(connection.execute(ALL), 1):
        entry = _entry(row)
        if entry.n != n or entry.prev_sha256 != before or entry.sha256 != _digest(entry):
            return n
        before = entry.sha256
    return None


def _of(tx: Tx, job_id: str) -> tuple[Hold, str, int]:
    """A clip's hold, the day it counts for, and what is still held."""
    row = tx.one(HELD, job_id)
    assert row is not None, "nothing is settled that was not held"
    hold = Hold(
        job_id=job_id, provider=row["provider"], token_id=row["token_id"] or "", door=row["door"] or "", mcr=row["mcr"]
    )
    return hold, row["day"], balance_in(tx.connection, job_id, "held")


def _move(
    tx: Tx, job_id: str, kind: Movement, debit: Account, credit: Account, mcr: int, basis: Basis | None, note: str = ""
) -> None:
    hold, day, _ = _of(tx, job_id)
    _post(tx, kind, debit, credit, hold, mcr, day=day, basis=basis, note=note)


def _post(
    tx: Tx,
    kind: Movement,
    debit: Account,
    credit: Account,
    hold: Hold,
    mcr: int,
    *,
    day: str,
    basis: Basis | None = None,
    note: str = "",
) -> None:
    if mcr < 0 or (mcr == 0 and kind not in {"hold", "opening"}):
        return  # there is nothing to move; only a beginning is worth a row without an amount
    head = tx.one(HEAD)
    entry = Entry(
        n=1 if head is None else head["n"] + 1,
        at=rfc3339(tx.now),
        day=day,
        kind=kind,
        debit=debit,
        credit=credit,
        mcr=mcr,
        provider=hold.provider,
        job_id=hold.job_id or None,
        token_id=hold.token_id or None,
        door=hold.door or None,
        basis=basis,
        note=note,
        prev_sha256="" if head is None else head["sha256"],
        sha256="",
    )
    entry = msgspec.structs.replace(entry, sha256=_digest(entry))
    tx.run(POST, *msgspec.structs.astuple(entry))


def _digest(entry: Entry) -> str:
    """Over everything in a row but its own hash, with the hash of the row before."""
    said = msgspec.structs.asdict(entry)
    del said["sha256"]
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(**{name: row[name] for name in Entry.__struct_fields__})
