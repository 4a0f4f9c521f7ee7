"""How much room the library's files take, added up once and then as it grows."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from tendred.clock import rfc3339
from tendred.schema.cache import Advice
from tendred.store.database import Database

CHUNK: Final = 5_000
AFTER: Final = "SELECT n, doc FROM asset WHERE n > ? ORDER BY n LIMIT ?"
REMOVED: Final = "SELECT id, kind, created_at, doc FROM asset WHERE state = 'removed' ORDER BY n LIMIT ?"
UNTAGGED: Final = (
    "SELECT id, kind, created_at, doc FROM asset a WHERE state = 'kept' "
    "AND NOT EXISTS (SELECT 1 FROM asset_tag t WHERE t.n = a.n) ORDER BY n LIMIT ?"
)


class _Size(msgspec.Struct):
    bytes: int


_SIZE: Final = msgspec.json.Decoder(_Size)


class Usage:
    """Bytes of every file that was kept, those taken out of the library included: their files stay."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last = 0
        self._bytes = 0

    async def bytes(self) -> int:
        """The sum. Only what came since the last time is read."""
        while rows := await self._database.read(self._more):
            self._last = rows[-1][0]
            self._bytes += sum(size for _, size in rows)
        return self._bytes

    async def advice(self, over: int, most: int) -> list[Advice]:
        """What could go so that `over` bytes are free: first what was removed already, then the oldest without a tag."""

        def work(connection: sqlite3.Connection) -> list[Advice]:
            rows = [*connection.execute(REMOVED, (most,)), *connection.execute(UNTAGGED, (most,))]
            return [
                Advice(
                    name=row["id"], kind=row["kind"], bytes=_SIZE.decode(row["doc"]).bytes,
                    last_used_at=rfc3339(row["created_at"]),
                )
                for row in rows
            ]  # fmt: skip

        return enough(await self._database.read(work), over, most)

    def _more(self, connection: sqlite3.Connection) -> list[tuple[int, int]]:
        rows = connection.execute(AFTER, (self._last, CHUNK))
        return [(row["n"], _SIZE.decode(row["doc"]).bytes) for row in rows]


def enough(advice: list[Advice], over: int, most: int) -> list[Advice]:
    """As many of them, in their order, as make up `over` bytes."""
    chosen: list[Advice] = []
    for one in advice[:most]:
        if over <= 0:
            break
        chosen.append(one)
        over -= one.bytes
    return chosen
