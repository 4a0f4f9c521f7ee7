"""What the boundary refused: category, rule and a salted hash, never the words; and patience with whoever goes on trying."""

from __future__ import annotations

import hashlib
import math
from typing import Final

from tendred.clock import Clock, Ids, Rng
from tendred.errors import SlowDown
from tendred.queue.line import line_of
from tendred.schema.base import Record
from tendred.schema.job import Origin
from tendred.schema.sealed import Verdict
from tendred.store.database import Database, Tx

INSERT: Final = "INSERT INTO refusal(id, at, door, rule, policy, salted, category) VALUES (?, ?, ?, ?, ?, ?, ?)"
FREE: Final = 5
"""So many refusals in a row cost nothing: people try other words."""
FORGOTTEN_S: Final = 60.0
"""After so long without one, counting begins anew."""
FIRST_S: Final = 5.0
MOST_S: Final = 60.0
CLIENTS: Final = 1_000


class _Row(Record, frozen=True):
    """Refusals in a row: how many, when the last was, and how long to wait from then on."""

    count: int
    at: float
    wait_s: float


class Refusals:
    """The audit rows, whose salt is new for each, so that equal prompts can't be told from the table; and the back-off.

    Who is put off are submits of a client, never `boundary.check`: asking beforehand is what one should do.
    """

    def __init__(self, database: Database, ids: Ids, rng: Rng, clock: Clock) -> None:
        self._database = database
        self._ids = ids
        self._rng = rng
        self._clock = clock
        self._rows: dict[str, _Row] = {}

    def admit(self, origin: Origin) -> None:
        """Raises SlowDown for a client that was refused too often in a row, until its time is over."""
        row = self._rows.get(line_of(origin))
        left_s = 0.0 if row is None else row.at + row.wait_s - self._clock.mono()
        if left_s > 0:
            raise SlowDown("refusals", retry_after_s=math.ceil(left_s))

    async def note(self, verdict: Verdict, prompt: str, origin: Origin) -> None:
        """Record one refusal, count it, and tell it."""
        self._count(line_of(origin))
        rule = verdict.rule or ""
        category = rule.partition(".")[0]
        salt = self._rng.bytes(16)
        salted = salt + hashlib.sha256(salt + prompt.encode("utf-8", "surrogatepass")).digest()
        refusal = self._ids.new("ref")

        def work(tx: Tx) -> None:
            tx.run(INSERT, refusal, tx.now, origin.door, rule, verdict.policy, salted, category)
            told = {
                "id": refusal, "category": category, "rule": rule, "policy": verdict.policy, "door": origin.door,
            }  # fmt: skip
            tx.emit("boundary.refused", {"refusal": told})

        await self._database.write(work)

    def _count(self, line: str) -> None:
        now = self._clock.mono()
        before = self._rows.pop(line, None)
        fresh = before is None or now - before.at > before.wait_s + FORGOTTEN_S
        count = 1 if before is None or fresh else before.count + 1
        wait_s = min(MOST_S, FIRST_S * 2 ** min(count - FREE, 16)) if count >= FREE else 0.0
        self._rows[line] = _Row(count=count, at=now, wait_s=wait_s)
        if len(self._rows) > CLIENTS:
            self._rows.pop(next(iter(self._rows)))
