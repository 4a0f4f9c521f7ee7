"""What clients change at run time: typed values in the database. The configuration file is never rewritten."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tendred.store.database import Database, Tx

GET: Final = "SELECT value FROM setting WHERE name = ?"
SET: Final = "INSERT OR REPLACE INTO setting VALUES (?, ?)"


class Settings:
    """Named JSON values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Any:
        """A value, or None."""
        row = await self._database.read(lambda connection: connection.execute(GET, (name,)).fetchone())
        return None if row is None else msgspec.json.decode(row["value"])

    async def set(self, name: str, value: Any) -> None:
        """Set one."""
        await self._database.write(lambda tx: self.set_in(tx, name, value))

    @staticmethod
    def set_in(tx: Tx, name: str, value: Any) -> None:
        """Set one inside a transaction."""
        tx.run(SET, name, msgspec.json.encode(value))
