"""Which job is next."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from msgspec.structs import replace

from tendred.queue.company import company
from tendred.queue.line import serve, take
from tendred.queue.machine import Claimed
from tendred.queue.store import Claim, Queue
from tendred.schema.sealed import Reviewed
from tendred.store.database import Database, Tx

SEALED: Final = "SELECT sealed_request, conditioning, policy, mac, asked, removed FROM job WHERE id = ?"


async def claim(database: Database, queue: Queue, loaded: Sequence[str] = ()) -> Claim | None:
    """Take the next waiting job; None when nothing waits. `loaded` are models in memory: see `line.take`.

    With it come those that are to be drawn in one go with it: see `company`.

    Choice and change are one transaction of the only writer, so no two runners can take the same job.
    """

    def work(tx: Tx) -> Claim | None:
        job_id = take(tx, loaded, queue.warm_s)
        if job_id is None:
            return None
        job = queue.apply_in(tx, job_id, Claimed())
        beside = [_beside(tx, row, queue) for row in company(tx, job)]
        return replace(read_claim(tx, job_id=job.id, queue=queue), beside=beside)

    return await database.write(work)


def _beside(tx: Tx, row: sqlite3.Row, queue: Queue) -> Claim:
    serve(tx, row)
    job = queue.apply_in(tx, row["job_id"], Claimed())
    return read_claim(tx, job_id=job.id, queue=queue)


def read_claim(tx: Tx, job_id: str, queue: Queue) -> Claim:
    """A job with its sealed request."""
    row = tx.one(SEALED, job_id)
    assert row is not None
    return Claim(
        job=queue.get_in(tx.connection, job_id),
        reviewed=Reviewed(
            request=row["sealed_request"], conditioning=row["conditioning"], policy=row["policy"], mac=row["mac"]
        ),
        asked=msgspec.json.decode(row["asked"], type=dict[str, Any]),
        removed=cast("list[str]", msgspec.json.decode(row["removed"])),
    )
