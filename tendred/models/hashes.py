"""What files hash to, remembered for as long as they don't change."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tendred.schema.weights import combined, file_fingerprint, file_sha256, read_by_loaders
from tendred.store.database import Database
from tendred.tasks import offload

HASH: Final = "SELECT sha256 FROM model_hash WHERE path = ? AND fingerprint = ?"
LAST: Final = "SELECT path, fingerprint, sha256 FROM model_hash WHERE path = ? OR substr(path, 1, length(?)) = ?"
SET_HASH: Final = "INSERT OR REPLACE INTO model_hash VALUES (?, ?, ?)"


class Known(NamedTuple):
    """A hash, and the fingerprint of what it was computed of."""

    fingerprint: str
    sha256: str


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
            known = await offload(compute)
            await self.remember(path, fingerprint, known)
        return known

    async def remember(self, path: Path, fingerprint: str, sha256: str) -> None:
        """Keep what was computed."""
        await self._database.write(lambda tx: tx.run(SET_HASH, str(path), fingerprint, sha256))

    async def of_folder(self, root: Path) -> str:
        """The hash of a model folder, by those of its files: only those that changed are read. Raises OSError, ValueError."""
        files: list[tuple[str, str]] = []
        for entry in await offload(read_by_loaders, root):
            mark = await offload(file_fingerprint, entry.path)
            files.append((entry.name, await self.of(entry.path, mark, partial(_steady, entry.path, mark))))
        return combined(files)

    async def last(self, path: Path) -> dict[str, Known]:
        """What a file, or every file below a folder, hashed to when it was last read, by path."""
        below = f"{path}{os.sep}"

        def work(connection: sqlite3.Connection) -> dict[str, Known]:
            rows = connection.execute(LAST, (str(path), below, below))
            return {row["path"]: Known(row["fingerprint"], row["sha256"]) for row in rows}

        return await self._database.read(work)


def _steady(path: Path, mark: str) -> str:
    """A file's hash, unless it changes meanwhile."""
    computed = file_sha256(path)
    if file_fingerprint(path) != mark:
        raise ValueError(f"{path.name} changed while it was read")
    return computed
