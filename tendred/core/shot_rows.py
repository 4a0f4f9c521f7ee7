"""Shots and takes as rows: what was frozen never changes under a take, so each keeps a document of its own."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from tendred.errors import NotFound
from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.clip import ClipRequest
from tendred.schema.shot import Locked, TakeLabel, Way
from tendred.schema.source import SourceUse
from tendred.store.database import Database, Tx

GET: Final = "SELECT doc FROM shot WHERE id = ?"
PAGE: Final = "SELECT doc FROM shot WHERE id < ? ORDER BY id DESC LIMIT ?"
PUT: Final = "INSERT INTO shot VALUES (?1, ?2) ON CONFLICT DO UPDATE SET doc = ?2"
TAKE: Final = "SELECT n, job_id, doc FROM take WHERE id = ?"
TAKES: Final = "SELECT n, job_id, doc FROM take WHERE shot_id = ? AND n IS NOT NULL ORDER BY n"
OFFERED: Final = "SELECT n, job_id, doc FROM take WHERE quote_id = ?"
UNUSED: Final = "SELECT n, job_id, doc FROM take WHERE shot_id = ? AND n IS NULL ORDER BY id"
PUT_TAKE: Final = "INSERT INTO take VALUES (?, ?, ?, NULL, NULL, ?)"
RENDERED: Final = (
    "UPDATE take SET job_id = ?1, n = (SELECT coalesce(max(n), 0) + 1 FROM take WHERE shot_id = ?2) "
    "WHERE id = ?3 AND n IS NULL"
)
OF_JOB: Final = (
    "SELECT doc FROM shot WHERE id IN (SELECT shot_id FROM take WHERE job_id = ?1 UNION SELECT shot_id FROM clip "
    "WHERE job_id = ?1) "
    "OR json_extract(CAST(doc AS TEXT), '$.final_job') = ?1"
)
ALL_TAKES: Final = "SELECT n, job_id, doc FROM take WHERE shot_id = ?"
REWRITE_TAKE: Final = "UPDATE take SET doc = ? WHERE id = ?"
EVENTS: Final = "DELETE FROM event WHERE topic LIKE 'shot.%' AND json_extract(CAST(data AS TEXT), '$.shot.id') = ?"
OFFERS: Final = "DELETE FROM quote WHERE used_by IS NULL AND id IN (SELECT quote_id FROM take WHERE shot_id = ?)"
COUNT: Final = "SELECT count(n) FROM take WHERE shot_id = ?"


class ShotRow(Record, frozen=True):
    """What is written of a shot. `final_*`: the job that makes the final, and by which way."""

    id: str
    name: str
    prompt: str
    first: SourceUse | None
    last: SourceUse | None
    character: CharacterUse | None
    tags: list[str]
    policy: str
    created_at: str
    locked: Locked | None = None
    final_way: Way | None = None
    final_job: str | None = None


class TakeRow(Record, frozen=True):
    """What is written of a take when it is priced. `n` and `job_id` are there once it was paid for."""

    id: str
    shot_id: str
    quote_id: str
    label: TakeLabel | None
    of: str | None
    ask: ClipRequest
    created_at: str
    n: int | None = None
    job_id: str | None = None


class ShotRows:
    """The tables `shot` and `take`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, shot_id: str) -> ShotRow:
        """One shot. Raises NotFound."""
        return await self._database.read(lambda connection: self.get_in(connection, shot_id))

    def get_in(self, connection: sqlite3.Connection, shot_id: str) -> ShotRow:
        row = connection.execute(GET, (shot_id,)).fetchone()
        if row is None:
            raise NotFound(path="shot_id", noun="shot", name=shot_id, near=[])
        return msgspec.json.decode(row["doc"], type=ShotRow)

    async def page(self, limit: int, cursor: str | None) -> list[ShotRow]:
        """Shots before `cursor`, newest first."""

        def work(connection: sqlite3.Connection) -> list[ShotRow]:
            rows = connection.execute(PAGE, (cursor or "~", limit))
            return [msgspec.json.decode(row["doc"], type=ShotRow) for row in rows]

        return await self._database.read(work)

    async def put(self, shot: ShotRow, topic: str) -> None:
        """Write it down, and tell it under the topic."""

        def work(tx: Tx) -> None:
            tx.run(PUT, shot.id, msgspec.json.encode(shot))
            tx.emit(topic, {"shot": {"id": shot.id, "name": shot.name}})

        await self._database.write(work)

    async def take(self, take_id: str) -> TakeRow:
        """One take. Raises NotFound for one that there isn't, or that was only priced."""

        def work(connection: sqlite3.Connection) -> TakeRow:
            row = connection.execute(TAKE, (take_id,)).fetchone()
            if row is None or row["n"] is None:
                raise NotFound(path="take_id", noun="take", name=take_id, near=[])
            return _take(row)

        return await self._database.read(work)

    async def takes(self, shot_id: str) -> list[TakeRow]:
        """Those that were paid for, in that order."""
        return await self._all(TAKES, shot_id)

    async def offered(self, quote_id: str) -> TakeRow | None:
        """The take that a quote is for."""
        found = await self._all(OFFERED, quote_id)
        return found[0] if found else None

    async def unused(self, shot_id: str) -> list[TakeRow]:
        """Those that were priced; one may have been paid for just before the daemon ended."""
        return await self._all(UNUSED, shot_id)

    async def count(self, shot_id: str) -> int:
        """How many takes were paid for."""
        return await self._database.read(lambda connection: int(connection.execute(COUNT, (shot_id,)).fetchone()[0]))

    async def price(self, take: TakeRow) -> None:
        """Write down what a quote is for."""
        await self._database.write(
            lambda tx: tx.run(PUT_TAKE, take.id, take.shot_id, take.quote_id, msgspec.json.encode(take)).rowcount
        )

    async def rendered(self, take: TakeRow, job_id: str) -> TakeRow:
        """It was paid for: from now on it counts. Twice is fine."""

        def work(tx: Tx) -> TakeRow:
            if tx.run(RENDERED, job_id, take.shot_id, take.id).rowcount:
                tx.emit("take.rendering", {"take": {"id": take.id, "shot_id": take.shot_id}}, job_id)
            row = tx.one(TAKE, take.id)
            assert row is not None
            return _take(row)

        return await self._database.write(work)

    def erase_in(self, tx: Tx, job_id: str) -> None:
        """Take its words out of the shot that a job belongs to, if it does, and out of what is written of its takes."""
        for found in tx.run(OF_JOB, job_id).fetchall():
            shot = msgspec.json.decode(found["doc"], type=ShotRow)
            locked = None if shot.locked is None else msgspec.structs.replace(shot.locked, prompt="")
            bare = msgspec.structs.replace(shot, name=shot.id, prompt="", tags=[], locked=locked)
            tx.run(PUT, shot.id, msgspec.json.encode(bare))
            tx.run(EVENTS, shot.id)
            tx.run(OFFERS, shot.id)
            for row in tx.run(ALL_TAKES, shot.id).fetchall():
                take = _take(row)
                ask = msgspec.structs.replace(take.ask, prompt="", tags=[])
                tx.run(REWRITE_TAKE, msgspec.json.encode(msgspec.structs.replace(take, ask=ask)), take.id)

    async def _all(self, sql: str, key: str) -> list[TakeRow]:
        return await self._database.read(lambda connection: [_take(row) for row in connection.execute(sql, (key,))])


def _take(row: sqlite3.Row) -> TakeRow:
    return msgspec.structs.replace(msgspec.json.decode(row["doc"], type=TakeRow), n=row["n"], job_id=row["job_id"])
