"""Pulls as rows. What is only known while one runs (phase, rate, time left) is never stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from tendred.errors import NotFound
from tendred.schema.pull import Plan, Pull, PullState
from tendred.store.database import Database, Tx

INSERT: Final = "INSERT INTO pull(id, state, key, repo, doc) VALUES (?, ?, ?, ?, ?)"
GET: Final = "SELECT doc FROM pull WHERE id = ?"
SAME: Final = "SELECT doc FROM pull WHERE key = ? AND state NOT IN ('succeeded', 'cancelled')"
PAGE: Final = "SELECT doc FROM pull WHERE id < ? AND ({states}) ORDER BY id DESC LIMIT ?"
NEXT: Final = "SELECT doc FROM pull WHERE state IN ('running', 'queued') ORDER BY state = 'queued', id LIMIT 1"
OPEN: Final = "SELECT id FROM pull WHERE state NOT IN ('succeeded', 'cancelled')"
UPDATE: Final = "UPDATE pull SET state = ?, doc = ? WHERE id = ?"
PLAN: Final = "SELECT plan FROM pull WHERE id = ?"
SET_PLAN: Final = "UPDATE pull SET plan = ? WHERE id = ?"
REPOS: Final = "SELECT DISTINCT repo FROM pull"
_LAST: Final = "~"
"""Sorts behind every id."""


class PullRows:
    """The table."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def get(self, pull_id: str) -> Pull:
        """One pull. Raises NotFound."""

        def work(connection: sqlite3.Connection) -> Pull:
            row = connection.execute(GET, (pull_id,)).fetchone()
            if row is None:
                raise _missing(pull_id)
            return _read(row)

        return await self.database.read(work)

    async def page(self, states: Collection[PullState] | None, limit: int, before: str | None) -> list[Pull]:
        """Some, newest first."""
        chosen = list(states or [])
        sql = PAGE.format(states=" OR ".join(["state = ?"] * len(chosen)) or "1")
        values = [before or _LAST, *chosen, limit]
        return await self.database.read(lambda connection: [_read(row) for row in connection.execute(sql, values)])

    async def following(self) -> Pull | None:
        """The one to work at: what was being worked at first, then what waits longest."""
        row = await self.database.read(lambda connection: connection.execute(NEXT).fetchone())
        return None if row is None else _read(row)

    async def open_ids(self) -> set[str]:
        """Every pull that is not over."""
        return await self.database.read(lambda connection: {str(row["id"]) for row in connection.execute(OPEN)})

    async def repos(self) -> list[str]:
        """Every repository that was asked for here."""
        return await self.database.read(lambda connection: [str(row["repo"]) for row in connection.execute(REPOS)])

    async def plan(self, pull_id: str) -> Plan | None:
        """What it fetches, if that is settled."""
        row = await self.database.read(lambda connection: connection.execute(PLAN, (pull_id,)).fetchone())
        return None if row is None or row["plan"] is None else msgspec.json.decode(row["plan"], type=Plan)

    @staticmethod
    def set_plan_in(tx: Tx, pull_id: str, plan: Plan) -> None:
        """Settle what it fetches."""
        tx.run(SET_PLAN, msgspec.json.encode(plan), pull_id)

    @staticmethod
    def same_in(tx: Tx, pull: Pull) -> Pull | None:
        """The pull of the same thing that is not over."""
        row = tx.one(SAME, _key(pull))
        return None if row is None else _read(row)

    @staticmethod
    def insert_in(tx: Tx, pull: Pull, topic: str) -> None:
        """A new one, and its event."""
        tx.run(INSERT, pull.id, pull.state, _key(pull), pull.repo, msgspec.json.encode(pull))
        tx.emit(topic, {"pull": asdict(pull)})

    @staticmethod
    def change_in(tx: Tx, pull_id: str, allowed: Collection[PullState], topic: str | None, **changes: Any) -> Pull:
        """Change it if its state is one of those allowed, with an event where there is a topic. Raises NotFound.

        Returns it as it stands then; one in another state comes back as it was.
        """
        row = tx.one(GET, pull_id)
        if row is None:
            raise _missing(pull_id)
        pull = _read(row)
        if pull.state not in allowed:
            return pull
        changed = replace(pull, **changes)
        tx.run(UPDATE, changed.state, msgspec.json.encode(changed), pull_id)
        if topic is not None:
            tx.emit(topic, {"pull": asdict(changed)})
        return changed

    async def change(self, pull_id: str, allowed: Collection[PullState], topic: str | None, **changes: Any) -> Pull:
        """As `change_in`, in a transaction of its own."""
        return await self.database.write(lambda tx: self.change_in(tx, pull_id, allowed, topic, **changes))


def _key(pull: Pull) -> str:
    return " ".join((pull.host, pull.repo, pull.revision, pull.variant or "-"))


def _read(row: sqlite3.Row) -> Pull:
    return msgspec.json.decode(row["doc"], type=Pull)


def _missing(pull_id: str) -> NotFound:
    return NotFound("pull", path="pull_id", noun="pull", name=pull_id, near=[])
