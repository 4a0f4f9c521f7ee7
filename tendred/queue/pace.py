"""How fast each model works: learned from what it did, so that turns are fair and a wait can be told in seconds."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from tendred.schema.still import Kind
from tendred.store.database import Tx

KEPT: Final = 0.8
"""What a job weighs beside the one after it: about the last ten count."""
GUESS_S: Final = 1.0
"""Seconds per unit of work while nothing at all was measured. Only the ratio between jobs counts then."""
LEAST_S: Final = 0.001
"""A turn costs at least so much, so that no two jobs of one client have the same place."""
LONGEST_S: Final = 86_400.0
"""A job that seems to have taken longer tells of a clock that was set, not of the model."""
DRIFT: Final = 2.0
"""A model is told to have changed once it turned out so many times slower or faster than was assumed."""
PATIENCE_S: Final = (1, 30, 3600)
"""When to come back to a full queue: at the least, where nothing was measured, at the most."""

ALL: Final = "SELECT model, work, seconds, jobs FROM pace"
LEARN: Final = (
    "INSERT INTO pace(model, work, seconds, jobs) VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET "
    "work = work * ?4 + ?2, seconds = seconds * ?4 + ?3, jobs = jobs * ?4 + 1 "
    "RETURNING seconds / work AS now, assumed"
)
ASSUME: Final = "UPDATE pace SET assumed = ? WHERE model = ?"


def work_of(kind: Kind, request: Mapping[str, Any]) -> float:
    """How much a request asks of the engine: pictures x steps x megapixels, 1 where it doesn't say; a sheet nothing."""
    if kind == "sheet":
        return 0.0
    frames = request.get("frames")
    if isinstance(frames, int):
        return float(frames)  # a clip made larger: so many pictures as a still is one
    said = [request.get(name) for name in ("count", "steps", "width", "height")]
    sizes = [size for size in said if isinstance(size, int) and size > 0]
    return math.prod(sizes) / 1e6 if len(sizes) == len(said) else 1.0


def learn(tx: Tx, model: str, work: float, seconds: float) -> bool:
    """A job of a model took so long, from its claim to its end. A model's loading counts like anything else.

    Returns whether places that were reckoned before are well off by now.
    """
    if not work or not 0 < seconds <= LONGEST_S:
        return False
    row = tx.one(LEARN, model, work, seconds, KEPT)
    assert row is not None
    if row["assumed"] is not None and 1 / DRIFT <= row["now"] / row["assumed"] <= DRIFT:
        return False
    tx.run(ASSUME, row["now"], model)
    return True


class Paces:
    """What is known at the moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(ALL).fetchall()
        self._known: dict[str, float] = {row["model"]: row["seconds"] / row["work"] for row in rows}
        seconds, work, jobs = (sum(row[name] for row in rows) for name in ("seconds", "work", "jobs"))
        self._usual = seconds / work if rows else GUESS_S
        self._job_s: float | None = seconds / jobs if rows else None

    def told(self, model: str, work: float) -> float | None:
        """Seconds that so much work takes; None for a model that was never measured."""
        known = self._known.get(model) if work else 0.0
        return None if known is None else known * work

    def cost(self, model: str, work: float) -> float:
        """Seconds that a turn is charged with, guessed where they aren't known."""
        return max(LEAST_S, self._known.get(model, self._usual) * work)

    def room_s(self, turns: int = 1) -> int:
        """Whole seconds in which so many jobs are done, and there is room for another."""
        least, unknown, most = PATIENCE_S
        return unknown if self._job_s is None else min(most, max(least, math.ceil(self._job_s * turns)))
