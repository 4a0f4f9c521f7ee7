"""Quotes: an offer for one clip, good for ten minutes, once, for the token that asked."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any, Final

import msgspec

from tendred.errors import NotFound, QuoteExpired, QuoteMismatch, QuoteUsed
from tendred.schema.base import Record
from tendred.schema.money import Quote
from tendred.store.database import Tx

GOOD_S: Final = 600.0
KEPT_S: Final = 86400.0
"""So long after their end quotes that nobody took are forgotten, with the words in them."""
INSERT: Final = "INSERT INTO quote VALUES (?, ?, ?, ?, ?, ?, ?, NULL)"
GET: Final = "SELECT token_id, expires_at, digest, doc, job, used_by FROM quote WHERE id = ?"
USE: Final = "UPDATE quote SET used_by = ?, job = x'' WHERE id = ? AND used_by IS NULL"
FORGET: Final = "DELETE FROM quote WHERE used_by IS NULL AND expires_at < ?"


class Offered(Record, frozen=True):
    """A quote as it lies in the database: with the job that it leads to, judged and sealed already."""

    quote: Quote
    token_id: str
    job: bytes


def digest(request: bytes, token_id: str, total_mcr: int, table_date: str) -> str:
    """What a confirmation is for: the canonical final request, the token, the amount, and the date of the table.

    Provider, model and the hashes of stills are in the request.
    """
    whole = hashlib.sha256()
    for part in (request, token_id.encode(), str(total_mcr).encode(), table_date.encode()):
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()


def add_in(tx: Tx, quote: Quote, token_id: str, job: Any, expires_at: float) -> None:
    """Write an offer down."""
    tx.run(FORGET, tx.now - KEPT_S)
    encode = msgspec.json.encode
    tx.run(INSERT, quote.id, token_id, tx.now, expires_at, quote.digest, encode(quote), encode(job))


def get_in(tx: Tx, quote_id: str, token_id: str) -> Offered:
    """An offer that can still be taken. Raises NotFound, QuoteMismatch, QuoteUsed, QuoteExpired, in this order."""
    row = tx.one(GET, quote_id)
    if row is None:
        raise NotFound(path="quote_id", noun="quote", name=quote_id, near=[])
    if row["token_id"] != token_id:
        raise QuoteMismatch(quote_id=quote_id)
    if row["used_by"] is not None:
        raise QuoteUsed(quote_id=quote_id, job_id=row["used_by"])
    if row["expires_at"] <= tx.now:
        raise QuoteExpired(quote_id=quote_id)
    return Offered(quote=msgspec.json.decode(row["doc"], type=Quote), token_id=row["token_id"], job=row["job"])


def used_by(connection: sqlite3.Connection, quote_id: str) -> str | None:
    """The job that a quote was used for; None where it wasn't, or is forgotten."""
    row = connection.execute(GET, (quote_id,)).fetchone()
    return None if row is None else row["used_by"]


def use_in(tx: Tx, quote_id: str, job_id: str) -> None:
    """Take it, once. Raises QuoteUsed."""
    if tx.run(USE, job_id, quote_id).rowcount != 1:
        raise QuoteUsed(quote_id=quote_id, job_id="")
