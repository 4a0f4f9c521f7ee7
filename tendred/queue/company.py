"""Which jobs are drawn in one go: those that wait, are alike, and whose clients said that they needn't be reproducible."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from tendred.queue import line
from tendred.schema.job import Job
from tendred.schema.still import Still, common, seats
from tendred.store.database import Tx


def company(tx: Tx, job: Job) -> list[sqlite3.Row]:
    """The places in line of those that go with a job that was just claimed, in their order; as many as fit.

    Each is alike but for its words, seed, number, tags and file format. Who was tried before goes by itself: an engine
    may have died of it.
    """
    if job.kind != "still" or job.attempts > 1 or (wanted := _common(job.request)) is None:
        return []
    still = msgspec.convert(job.request, Still)
    room = seats(still) - still.count
    found: list[sqlite3.Row] = []
    for row in line.near(tx, job.lane, still.model) if room > 0 else []:
        request: dict[str, Any] = msgspec.json.decode(row["request"])
        if request["count"] <= room and _common(request) == wanted:
            found.append(row)
            room -= request["count"]
    return found


def _common(request: dict[str, Any]) -> Still | None:
    # Most are reproducible, and what else there is (sheets, upscales) says nothing of it.
    return None if request.get("reproducible", True) else common(msgspec.convert(request, Still))
