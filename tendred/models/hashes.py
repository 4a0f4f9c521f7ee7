"""What files hash to, remembered for as long as they don't change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tendred.store.database import Database
from tendred.tasks import offload

HASH: Final = "SELECT sha256 FROM model_hash WHERE path = ? AND fingerprint = ?"
SET_HASH: Final = "INSERT OR REPLACE INTO model_hash VALUES (?, ?, ?)"


class Hashes:
    """SHA-256 by path and fingerprint. A fingerprint is whatever changes when the files do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, path: Path, fingerprint: str) -> str | None:
        """The hash, if these very files were hashed before."""
        row = await self._database.read(
            lambda connection: connection.execute(HASH, (str(path), fingerprint)).fetchone()
        )
        return None if row is None else str(row["sha256"])

    async def of(self, path: Path, fingerprint: str, compute: Callable[[], str]) -> str:
        """The hash, computed in a thread (slow as the disk) the first time. Raises what `compute` raises."""
        known = await self.known(path, fingerprint)
        if known is None:
            known = computed = await offload(compute)
            await self._database.write(lambda tx: tx.run(SET_HASH, str(path), fingerprint, computed))
        return known
