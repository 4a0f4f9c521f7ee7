"""Caps: the most that may be held, unsure and spent. Where none is set, nothing may go. Days and months are UTC's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from tendred.errors import CapExceeded
from tendred.money.ledger import Hold, day_of
from tendred.money.prices import credits_of
from tendred.schema.money import CapChanges, Caps, CapState
from tendred.store.database import Tx

GET: Final = "SELECT mcr FROM cap WHERE name = ?"
ALL: Final = "SELECT name, mcr FROM cap ORDER BY name"
SET: Final = "INSERT OR REPLACE INTO cap VALUES (?, ?)"
_COUNTED: Final = "('held', 'unsure', 'spent')"
_USED: Final = (
    f"SELECT coalesce(sum(mcr * ((credit IN {_COUNTED}) - (debit IN {_COUNTED}))), 0) FROM ledger "
    "WHERE job_id IS NOT NULL AND day BETWEEN ?1 AND ?2"
)
USED: Final = _USED
USED_BY_TOKEN: Final = f"{_USED} AND token_id = ?3"
USED_BY_DOOR: Final = f"{_USED} AND door = ?3"
ZONE: Final = "UTC"
OWNER: Final = "owner"
"""The token of the person whose daemon it is: it needs no cap of its own."""
STANDING: Final = frozenset({"hotfolder", "plugin", "compat"})
"""Doors where nobody confirms a single clip: they need a cap of their own that somebody set.

Each hot folder and each plugin has its own: `hotfolder:PATH`, `plugin:NAME`.
"""
PERIODS: Final = ("job", "day", "month")


def check_in(tx: Tx, hold: Hold) -> None:
    """Raises CapExceeded, naming the cap that leaves the least, if a hold doesn't fit under every one.

    Where nobody confirms, not even a clip that costs nothing is sent without a cap above 0.
    """
    tight: tuple[int, str] | None = None
    for name in _names(hold):
        row = tx.one(GET, name)
        if row is None and not _needed(name):
            continue
        cap = 0 if row is None else int(row["mcr"])
        if name.startswith("door:") and _needed(name) and not cap:
            raise CapExceeded(
                "standing", cap=name, door=name.removeprefix("door:"), left_mcr=0, wanted_mcr=hold.mcr, left="0",
                wanted=credits_of(hold.mcr),
            )  # fmt: skip
        left = cap - _used(tx.connection, name, tx.now)
        if hold.mcr > left and (tight is None or left < tight[0]):
            tight = (left, name)
    if tight is not None:
        left, name = tight
        missing = tx.one(GET, name) is None
        raise CapExceeded(
            "unset" if missing else "", cap=name, left_mcr=max(0, left), wanted_mcr=hold.mcr,
            left=credits_of(max(0, left)), wanted=credits_of(hold.mcr),
        )  # fmt: skip


def set_in(tx: Tx, changes: CapChanges) -> None:
    """Change what is named."""
    said = {name: getattr(changes, f"{name}_mcr") for name in PERIODS}
    said |= {f"door:{name}": mcr for name, mcr in changes.doors.items()}
    said |= {f"token:{name}": mcr for name, mcr in changes.tokens.items()}
    for name, mcr in said.items():
        if mcr is not None:
            tx.run(SET, name, mcr)


def caps_in(connection: sqlite3.Connection, now: float) -> Caps:
    """All of them, the three that always count first."""
    known = {str(row["name"]): int(row["mcr"]) for row in connection.execute(ALL)}
    names = [*PERIODS, *(name for name in known if name not in PERIODS)]
    caps = [CapState(name=name, mcr=known.get(name), used_mcr=_used(connection, name, now)) for name in names]
    return Caps(caps=caps, zone=ZONE)


def _names(hold: Hold) -> Iterator[str]:
    yield from PERIODS
    if hold.token_id != OWNER:
        yield f"token:{hold.token_id}"
    yield f"door:{hold.door}"


def _needed(name: str) -> bool:
    """Whether a cap that isn't set counts as 0. Of doors only those where nobody confirms."""
    return not name.startswith("door:") or name.removeprefix("door:").partition(":")[0] in STANDING


def _used(connection: sqlite3.Connection, name: str, now: float) -> int:
    """What counts against a cap at this moment. A token's and a door's are counted by the month."""
    if name == "job":
        return 0
    day = day_of(now)
    span = (day, day) if name == "day" else (f"{day[:7]}-01", f"{day[:7]}-31")
    scope, _, whose = name.partition(":")
    if whose:
        sql = USED_BY_TOKEN if scope == "token" else USED_BY_DOOR
        return int(connection.execute(sql, (*span, whose)).fetchone()[0])
    return int(connection.execute(USED, span).fetchone()[0])
