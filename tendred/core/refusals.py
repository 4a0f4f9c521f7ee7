"""What the boundary refused: rule, door and a salted hash, never the words."""

from __future__ import annotations

import hashlib
from typing import Final

from tendred.clock import Ids, Rng
from tendred.schema.job import Origin
from tendred.schema.sealed import Verdict
from tendred.store.database import Database, Tx

INSERT: Final = "INSERT INTO refusal VALUES (?, ?, ?, ?, ?, ?)"


class Refusals:
    """The audit rows. The salt is new for each, so that equal prompts can't be told from the table."""

    def __init__(self, database: Database, ids: Ids, rng: Rng) -> None:
        self._database = database
        self._ids = ids
        self._rng = rng

    async def note(self, verdict: Verdict, prompt: str, origin: Origin) -> None:
        """Record one refusal, and tell it."""
        salt = self._rng.bytes(16)
        salted = salt + hashlib.sha256(salt + prompt.encode("utf-8", "surrogatepass")).digest()
        refusal = self._ids.new("ref")

        def work(tx: Tx) -> None:
            tx.run(INSERT, refusal, tx.now, origin.door, verdict.rule, verdict.policy, salted)
            told = {"id": refusal, "rule": verdict.rule, "policy": verdict.policy, "door": origin.door}
            tx.emit("boundary.refused", {"refusal": told})

        await self._database.write(work)
