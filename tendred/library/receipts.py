"""Receipts: how each asset came to be. Append-only, chained by the hash of their bodies."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from tendred.errors import NotFound
from tendred.schema.asset import Receipt
from tendred.store.database import Database, Tx

HEAD: Final = "SELECT body_sha256 FROM receipt ORDER BY n DESC LIMIT 1"
GET: Final = "SELECT doc FROM receipt WHERE id = ?"
INSERT: Final = "INSERT INTO receipt(id, job_id, doc, body_sha256, prev_sha256) VALUES (?, ?, ?, ?, ?)"
GENESIS: Final = "0" * 64


def body_sha256(receipt: Receipt) -> str:
    """SHA-256 over the canonical JSON of everything but the two chain fields."""
    body: dict[str, Any] = asdict(receipt)
    del body["body_sha256"], body["prev_sha256"]
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def chained(receipt: Receipt, head: str) -> Receipt:
    """A receipt with its place in the chain."""
    return replace(receipt, body_sha256=body_sha256(receipt), prev_sha256=head)


def file_bytes(receipt: Receipt) -> bytes:
    """The receipt as the file beside the picture."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"


class Receipts:
    """The receipt log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> str:
        """What the next receipt follows."""

        def work(connection: sqlite3.Connection) -> str:
            row = connection.execute(HEAD).fetchone()
            return GENESIS if row is None else str(row[0])

        return await self._database.read(work)

    @staticmethod
    def add_in(tx: Tx, receipt: Receipt) -> None:
        """Append, inside the transaction that closes the job."""
        tx.run(
            INSERT, receipt.id, receipt.job_id, msgspec.json.encode(receipt), receipt.body_sha256, receipt.prev_sha256
        )

    async def get(self, receipt_id: str) -> Receipt:
        """One receipt. Raises NotFound."""
        row = await self._database.read(lambda connection: connection.execute(GET, (receipt_id,)).fetchone())
        if row is None:
            raise NotFound(noun="receipt", name=receipt_id, near=[])
        return msgspec.json.decode(row["doc"], type=Receipt)
