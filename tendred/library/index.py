"""Assets in SQLite: rows, tags, and full-text search, newest first."""

from __future__ import annotations

import base64
import binascii
import os
import re
import sqlite3
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec
from msgspec.structs import replace

from tendred.errors import InvalidParams, NotFound
from tendred.schema.asset import Asset, AssetPage
from tendred.schema.base import Record
from tendred.store.database import Database, Tx

Order = Literal["newest", "oldest", "best"]

COLUMNS: Final = (
    "a.n, a.state, a.path, a.doc, "
    "(SELECT json_group_array(tag) FROM (SELECT tag FROM asset_tag WHERE n = a.n ORDER BY tag)) AS tags"
)
"""Tags come with their row: a page of 50 would ask 50 times more."""
GET: Final = f"SELECT {COLUMNS} FROM asset a WHERE id = ?"
OF_JOB: Final = f"SELECT {COLUMNS} FROM asset a WHERE job_id = ? ORDER BY idx"
INSERT: Final = (
    "INSERT INTO asset(id, job_id, idx, kind, state, created_at, model, character, path, words, doc) "
    "VALUES (?, ?, ?, ?, 'kept', ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
    "state = 'kept', path = excluded.path, doc = excluded.doc RETURNING n"
)
SET_STATE: Final = "UPDATE asset SET state = ? WHERE n = ?"
TAG: Final = "INSERT OR IGNORE INTO asset_tag(tag, n) VALUES (?, ?)"
UNTAG: Final = "DELETE FROM asset_tag WHERE tag = ? AND n = ?"
TO_INDEX: Final = "SELECT n, words FROM asset WHERE indexed = 0 ORDER BY n LIMIT ?"
INDEX: Final = "INSERT INTO asset_words(rowid, words) VALUES (?, ?)"
UNINDEX: Final = "INSERT INTO asset_words(asset_words, rowid, words) VALUES ('delete', ?, ?)"
"""What was indexed has to be told: the index itself keeps no text."""
WORDS: Final = "SELECT n, indexed, words, model, doc FROM asset WHERE job_id = ?"
ERASE: Final = "UPDATE asset SET words = model, doc = ? WHERE n = ?"
INDEXED: Final = "UPDATE asset SET indexed = 1 WHERE n = ?"

_DOCUMENT: Final = msgspec.json.Decoder(Asset)
_TAGS: Final = msgspec.json.Decoder(list[str])
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ROWID_MAX: Final = 2**63 - 1


class Query(Record, frozen=True):
    """A search. `after` and `before` are seconds since 1970."""

    query: str = ""
    kind: str | None = None
    model: str | None = None
    character: str | None = None
    tag: str | None = None
    after: float | None = None
    before: float | None = None
    order: Order = "newest"
    limit: int = 50
    cursor: str | None = None


def match_words(query: str) -> str:
    """What a person typed, as an FTS5 expression: every word must occur; the last may be the start of one.

    A word in quotes stays whole. Everything is quoted, so that no operator of FTS5 gets through; control
    characters count as spaces, since FTS5 reads no further than a NUL.
    """
    query = _CONTROL.sub(" ", query)
    words = re.findall(r'"([^"]*)"|(\S+)', query)
    terms = [f'"{quoted or plain.replace(chr(34), "")}"' for quoted, plain in words]
    terms = [term for term in terms if re.search(r"\w", term)]
    if terms and not query.rstrip().endswith('"') and query == query.rstrip():
        terms[-1] += "*"
    return " ".join(terms)


def _cursor(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        number = int(base64.urlsafe_b64decode(value.encode()).decode())
        if not 0 <= number <= _ROWID_MAX:
            raise ValueError(number)  # noqa: TRY301 - told in the same words as the other cursors that aren't ours
    except (binascii.Error, ValueError) as problem:
        raise InvalidParams(path="cursor", problem="not a cursor of this daemon") from problem
    return number


def _bookmark(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


class Index:
    """The library's rows. Paths are stored relative to the library's folder, so that it can move."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database = database
        self._root = root

    def add_in(self, tx: Tx, asset: Asset, words: str) -> None:
        """Add (or, after a crash, put again) an asset, with its events. Full-text follows in its own transaction."""
        path = str(Path(asset.path).relative_to(self._root))
        row = tx.one(
            INSERT, asset.id, asset.job_id, asset.index, asset.kind, tx.now, asset.model.name,
            None if asset.character is None else asset.character.name, path, words,
            msgspec.json.encode(replace(asset, path=path, tags=[])),
        )  # fmt: skip
        assert row is not None
        for tag in asset.tags:
            tx.run(TAG, tag, row["n"])
        tx.emit("asset.kept", {"asset": asset}, asset.job_id)

    def of_job_in(self, connection: sqlite3.Connection, job_id: str) -> list[Asset]:
        """A job's assets by index."""
        return [self._asset(row) for row in connection.execute(OF_JOB, (job_id,))]

    async def of_job(self, job_id: str) -> list[Asset]:
        """A job's assets by index."""
        return await self._database.read(lambda connection: self.of_job_in(connection, job_id))

    async def get(self, asset_id: str) -> Asset:
        """One asset. Raises NotFound."""
        return await self._database.read(lambda connection: self._asset(self._row(connection, asset_id)))

    def get_in(self, connection: sqlite3.Connection, asset_id: str) -> Asset:
        """As `get`, inside a transaction."""
        return self._asset(self._row(connection, asset_id))

    def erase_in(self, tx: Tx, job_id: str) -> list[Asset]:
        """Take the words out of a job's assets; what was painted into them goes on counting. Returns what is left."""
        for row in tx.run(WORDS, job_id).fetchall():
            if row["indexed"]:
                tx.run(UNINDEX, row["n"], row["words"])
                tx.run(INDEX, row["n"], row["model"])
            asset = _DOCUMENT.decode(row["doc"])
            kept = {name: value for name, value in asset.settings.items() if name == "painted" and value}
            tx.run(ERASE, msgspec.json.encode(replace(asset, settings=kept)), row["n"])
        return self.of_job_in(tx.connection, job_id)

    async def set_state(self, asset_id: str, state: Literal["kept", "removed"], topic: str) -> Asset:
        """Take an asset out of the library, or back in. Raises NotFound."""

        def work(tx: Tx) -> Asset:
            row = self._row(tx.connection, asset_id)
            before = row["state"]
            tx.run(SET_STATE, state, row["n"])
            asset = self._asset(self._row(tx.connection, asset_id))
            if before != state:
                tx.emit(topic, {"asset": asset}, asset.job_id)
            return asset

        return await self._database.write(work)

    async def tag(self, asset_id: str, *, add: list[str], remove: list[str]) -> Asset:
        """Change an asset's tags. Raises NotFound."""

        def work(tx: Tx) -> Asset:
            row = self._row(tx.connection, asset_id)
            for tag in remove:
                tx.run(UNTAG, tag, row["n"])
            for tag in add:
                tx.run(TAG, tag, row["n"])
            return self._asset(self._row(tx.connection, asset_id))

        return await self._database.write(work)

    async def search(self, query: Query) -> AssetPage:
        """A page of kept assets. Raises InvalidParams for a cursor that isn't ours."""
        sql, values = _search(query)

        def work(connection: sqlite3.Connection) -> AssetPage:
            rows = connection.execute(sql, values).fetchall()
            more = len(rows) > query.limit
            rows = rows[: query.limit]
            mark = None
            if more:
                mark = _bookmark((_cursor(query.cursor) or 0) + query.limit if _ranked(query) else rows[-1]["n"])
            return AssetPage(assets=[self._asset(row) for row in rows], next=mark)

        return await self._database.read(work)

    async def index_some(self, limit: int = 200) -> int:
        """Bring up to `limit` new assets into full-text search, in a transaction of its own. Returns how many."""

        def work(tx: Tx) -> int:
            rows = tx.run(TO_INDEX, limit).fetchall()
            tx.connection.executemany(INDEX, [(row["n"], row["words"]) for row in rows])
            tx.connection.executemany(INDEXED, [(row["n"],) for row in rows])
            return len(rows)

        return await self._database.write(work)

    def _row(self, connection: sqlite3.Connection, asset_id: str) -> sqlite3.Row:
        row = cast("sqlite3.Row | None", connection.execute(GET, (asset_id,)).fetchone())
        if row is None:
            raise NotFound(noun="asset", name=asset_id, near=[])
        return row

    def _asset(self, row: sqlite3.Row) -> Asset:
        asset = _DOCUMENT.decode(row["doc"])
        # Not pathlib: this runs for every row of a page, and would be half of its time.
        path = os.path.join(self._root, row["path"])
        state = row["state"]
        if state == "kept" and not os.path.isfile(path):
            state = "missing"
        return replace(asset, path=path, state=state, tags=_TAGS.decode(row["tags"]))


def _ranked(query: Query) -> bool:
    """Whether the best match comes first. Without words nothing matches better than anything else."""
    return query.order == "best" and bool(match_words(query.query))


def _search(query: Query) -> tuple[str, list[Any]]:
    """SQL and values.

    The tables stand in the order in which they are walked, and the first one gives its rows in the order asked
    for, so that a page costs a page. CROSS JOIN keeps SQLite from choosing another order.
    """
    words = match_words(query.query)
    sources, where, values = list[str](), ["a.state = 'kept'"], list[Any]()
    key = "a.n"
    if query.tag is not None:
        key = "t.n"
        sources.insert(0, "asset_tag t")
        where.append("t.tag = ?")
        values.append(query.tag)
    if words:
        where += ["asset_words MATCH ?"] + [f"{key} = f.rowid"] * bool(sources)
        key = "f.rowid"
        sources.insert(0, "asset_words f")
        values.append(words)
    where += [f"a.n = {key}"] * bool(sources)
    sources.append("asset a")
    for column, value in (("kind", query.kind), ("model", query.model), ("character", query.character)):
        if value is not None:
            where.append(f"a.{column} = ?")
            values.append(value)
    for comparison, value in ((">=", query.after), ("<", query.before)):
        if value is not None:
            where.append(f"a.created_at {comparison} ?")
            values.append(value)
    mark = _cursor(query.cursor)
    if _ranked(query):
        order, offset = "f.rank", f" OFFSET {mark or 0}"
    else:
        order, offset = (f"{key} ASC", "") if query.order == "oldest" else (f"{key} DESC", "")
        if mark is not None:
            where.append(f"{key} {'>' if query.order == 'oldest' else '<'} ?")
            values.append(mark)
    values.append(query.limit + 1)
    tables, conditions = " CROSS JOIN ".join(sources), " AND ".join(where)
    return f"SELECT {COLUMNS} FROM {tables} WHERE {conditions} ORDER BY {order} LIMIT ?{offset}", values
