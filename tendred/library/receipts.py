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
ALL: Final = "SELECT id, doc, body_sha256, prev_sha256 FROM receipt ORDER BY n"
ERASE: Final = "UPDATE receipt SET doc = ?, erased = 1 WHERE id = ?"
_CHAIN: Final = ("body_sha256", "prev_sha256", "erased")
GENESIS: Final = "0" * 64


def body_sha256(receipt: Receipt) -> str:
    """SHA-256 over the canonical JSON of everything but the fields of the chain."""
    return _hash(asdict(receipt))


def _hash(fields: dict[str, Any]) -> str:
    body = {name: value for name, value in fields.items() if name not in _CHAIN}
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

    @staticmethod
    def erase_in(tx: Tx, receipt: Receipt) -> Receipt:
        """Take the words out of a receipt, for good; its place in the chain stays, and its hashes of files. Returns what is left."""
        left = replace(
            receipt,
            asked={},
            settings={},
            verdict=replace(receipt.verdict, removed=[]),
            origin=replace(receipt.origin, file=None),
            erased=True,
        )
        tx.run(ERASE, msgspec.json.encode(left), receipt.id)
        return left

    async def broken(self) -> list[str]:
        """Ids of receipts whose body or place in the chain is not what it was when they were written."""

        def work(connection: sqlite3.Connection) -> list[str]:
            found: list[str] = []
            head = GENESIS
            for row in connection.execute(ALL):
                # Without fields that it was written without: a later version knows more, and would hash their defaults.
                written: dict[str, Any] = msgspec.json.decode(row["doc"])
                known = asdict(msgspec.json.decode(row["doc"], type=Receipt))
                fields = {name: value for name, value in known.items() if name in written}
                own = fields.get("erased") or _hash(fields) == row["body_sha256"]
                placed = row["prev_sha256"] == head == fields["prev_sha256"]
                if not (own and placed and fields["body_sha256"] == row["body_sha256"]):
                    found.append(str(row["id"]))
                head = str(row["body_sha256"])
            return found

        return await self._database.read(work)

    async def get(self, receipt_id: str) -> Receipt:
        """One receipt. Raises NotFound."""
        row = await self._database.read(lambda connection: connection.execute(GET, (receipt_id,)).fetchone())
        if row is None:
            raise NotFound(noun="receipt", name=receipt_id, near=[])
        return msgspec.json.decode(row["doc"], type=Receipt)
