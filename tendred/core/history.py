"""The past, from the event table: whoever was away reads on from the last number it saw."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tendred.clock import rfc3339
from tendred.errors import EventsGone
from tendred.schema.event import Event, EventPage
from tendred.store.database import Database

BOUNDS: Final = "SELECT min(seq), max(seq) FROM event"
NEWEST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
FORGET: Final = "DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?"


def _bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """Number of the oldest event that is kept, and of the newest there ever was."""
    newest = connection.execute(NEWEST).fetchone()
    last = 0 if newest is None else int(newest[0])
    oldest = connection.execute(BOUNDS).fetchone()[0]
    return (last + 1 if oldest is None else int(oldest)), last


class History:
    """Stored events."""

    def __init__(self, database: Database, boot_id: str, kept: int) -> None:
        self._database = database
        self._boot_id = boot_id
        self._kept = kept

    async def last_seq(self) -> int:
        """Number of the newest event."""
        return await self._database.read(lambda connection: _bounds(connection)[1])

    async def since(self, seq: int, topics: Sequence[str], limit: int) -> EventPage:
        """Events with numbers from `seq` on. Raises EventsGone when some of them are no longer kept."""
        where = " OR ".join(["substr(topic, 1, ?) = ?"] * len(topics)) or "1"
        values: list[Any] = [seq, *(part for topic in topics for part in (len(topic), topic)), limit]
        sql = (
            f"SELECT seq, boot_id, at, topic, job_id, data FROM event WHERE seq >= ? AND ({where}) ORDER BY seq LIMIT ?"
        )

        def work(connection: sqlite3.Connection) -> EventPage:
            oldest, newest = _bounds(connection)
            if seq < oldest and oldest > 1:
                raise EventsGone(oldest_seq=oldest)
            rows = connection.execute(sql, values).fetchall()
            # Fewer rows than asked for: everything up to the newest was looked at, whatever its topic.
            following = rows[-1]["seq"] + 1 if len(rows) == limit else max(newest + 1, seq)
            return EventPage(
                events=[_event(row) for row in rows], next_seq=following, oldest_seq=oldest, boot_id=self._boot_id
            )

        return await self._database.read(work)

    async def forget(self) -> None:
        """Drop what is older than the configured number of events."""
        await self._database.write(lambda tx: tx.run(FORGET, self._kept))


def _event(row: sqlite3.Row) -> Event:
    return Event(
        seq=row["seq"],
        boot_id=row["boot_id"],
        at=rfc3339(row["at"]),
        topic=row["topic"],
        job_id=row["job_id"],
        data=msgspec.json.decode(row["data"]),
    )
