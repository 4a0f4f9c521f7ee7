"""What clients change at run time: typed values in the database. The configuration file is never rewritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from tendred.store.database import Database, Tx

_T = TypeVar("_T")

GET: Final = "SELECT value FROM setting WHERE name = ?"
UNDER: Final = "SELECT name, value FROM setting WHERE substr(name, 1, ?) = ?"
SET: Final = "INSERT OR REPLACE INTO setting VALUES (?, ?)"
DROP: Final = "DELETE FROM setting WHERE name = ?"


class Settings:
    """Named JSON values. A room of several puts them under a prefix of its own, `preset:`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Any:
        """A value, or None."""
        return await self._database.read(lambda connection: self.get_in(connection, name))

    async def under(self, prefix: str) -> dict[str, Any]:
        """Every value under a prefix, by the rest of its name."""
        return await self._database.read(lambda connection: self.under_in(connection, prefix))

    async def set(self, name: str, value: Any) -> None:
        """Set one."""
        await self._database.write(lambda tx: self.set_in(tx, name, value))

    async def drop(self, name: str) -> None:
        """Forget one; one that isn't there is fine."""
        await self._database.write(lambda tx: tx.run(DROP, name).rowcount)

    async def change(self, work: Callable[[Tx], _T]) -> _T:
        """Read and set inside one transaction."""
        return await self._database.write(work)

    @staticmethod
    def get_in(connection: sqlite3.Connection, name: str) -> Any:
        """A value as it stands there, or None."""
        row = connection.execute(GET, (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row["value"])

    @staticmethod
    def under_in(connection: sqlite3.Connection, prefix: str) -> dict[str, Any]:
        """See `under`."""
        rows = connection.execute(UNDER, (len(prefix), prefix))
        return {str(row["name"]).removeprefix(prefix): msgspec.json.decode(row["value"]) for row in rows}

    @staticmethod
    def set_in(tx: Tx, name: str, value: Any) -> None:
        """Set one inside a transaction."""
        tx.run(SET, name, msgspec.json.encode(value))
