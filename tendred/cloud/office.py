"""What people do to clips: take a quote, cancel, and say what happened where nobody knows."""

from __future__ import annotations

from typing import Final

import msgspec

from tendred.clock import rfc3339
from tendred.cloud.broker import Broker
from tendred.cloud.clips import Clips, Row
from tendred.cloud.machine import Charged, Found, NotCharged
from tendred.errors import InvalidParams, OutcomeUnknown, WrongState
from tendred.money import caps, ledger, quotes
from tendred.queue.store import NewJob, Queue
from tendred.schema.clip import ENDED, Evidence, Outcome
from tendred.schema.error import tell
from tendred.schema.job import Job
from tendred.schema.money import Quote
from tendred.store.database import Database, Tx

TAKEN: Final = "SELECT job_id FROM clip WHERE provider = ? AND remote_id = ?"


class Office:
    """The counter before the broker."""

    def __init__(self, *, database: Database, queue: Queue, clips: Clips, broker: Broker) -> None:
        self._database = database
        self._queue = queue
        self._clips = clips
        self._broker = broker

    async def render(self, quote_id: str, token_id: str) -> Job:
        """Take a quote that somebody confirmed: its money is reserved and its job made in one transaction.

        Raises NotFound, QuoteMismatch, QuoteUsed, QuoteExpired, CapExceeded, OutcomeUnknown, QueueFull.
        """
        job = await self._database.write(lambda tx: render_in(tx, self._clips, quote_id, token_id))
        self._broker.wake()
        return job

    async def stand(self, quote: Quote, new: NewJob, ends_at: float, door: str) -> Job:
        """Make an offer and take it, under the cap that a person set for a door: all of it is one transaction.

        Raises CapExceeded, OutcomeUnknown, QueueFull.
        """

        def work(tx: Tx) -> Job:
            quotes.add_in(tx, quote, caps.OWNER, new, ends_at)
            job = self._clips.enter_in(tx, new, quote, caps.OWNER, door)
            quotes.use_in(tx, quote.id, job.id)
            return job

        job = await self._database.write(work)
        self._broker.wake()
        return job

    async def made(self, key: str, key_hash: bytes) -> Job | None:
        """The clip that an idempotency key made before. Raises IdempotencyConflict."""
        return await self._queue.by_key(key, key_hash)

    async def cancel(self, job_id: str) -> Job:
        """Cancel a clip, in any state; twice is fine. Raises NotFound."""
        await self._broker.cancel(job_id)
        return await self._queue.get(job_id)

    async def evidence(self, job_id: str) -> Evidence:
        """All that is known of a clip. Raises NotFound."""
        row, job = await self._clips.get(job_id), await self._queue.get(job_id)
        return Evidence(
            job_id=job_id,
            provider=row.provider,
            model=str(job.request.get("model", "")),
            phase=row.phase,
            total_mcr=row.quoted_mcr,
            remote_id=row.remote_id,
            request_id=row.request_id,
            sent_at=None if row.sent_at is None else rfc3339(row.sent_at),
            steps=await self._clips.steps(job_id),
        )

    async def resolve(self, job_id: str, outcome: Outcome, remote_id: str | None, mcr: int | None) -> Job:
        """A person says what happened to a clip whose outcome, or whose bill, nobody knows.

        Raises NotFound, WrongState, InvalidParams.
        """
        if (outcome == "found") != (remote_id is not None):
            raise InvalidParams(path="remote_id", problem="it goes with found, and with nothing else")
        if mcr is not None and outcome != "charged":
            raise InvalidParams(path="mcr", problem="it goes with charged, and with nothing else")
        job = await self._database.write(lambda tx: self._resolve_in(tx, job_id, outcome, remote_id, mcr))
        self._broker.follower.over(job_id)
        return job

    def _resolve_in(self, tx: Tx, job_id: str, outcome: Outcome, remote_id: str | None, mcr: int | None) -> Job:
        row = self._clips.get_in(tx.connection, job_id)
        unsure = ledger.balance_in(tx.connection, job_id, "unsure")
        if row.phase == "unknown":
            error = tell(OutcomeUnknown("resolved", provider=row.provider), "")
            if outcome == "found":
                assert remote_id is not None
                _check_free(tx, row, remote_id)
                self._clips.apply_in(tx, job_id, Found(remote_id, "user"))
            else:
                self._clips.apply_in(tx, job_id, NotCharged(error) if outcome == "not_charged" else Charged(error, mcr))
        elif row.phase in ENDED and unsure and outcome != "found":
            # An amount of null is the one that was quoted: nobody typed another in.
            ledger.clear_in(tx, job_id, 0 if outcome == "not_charged" else unsure if mcr is None else mcr)
        else:
            raise WrongState("resolve", path="job_id", name=job_id, state=row.phase)
        return self._queue.get_in(tx.connection, job_id)


def render_in(tx: Tx, clips: Clips, quote_id: str, token_id: str) -> Job:
    """See Office.render."""
    offered = quotes.get_in(tx, quote_id, token_id)
    new = msgspec.json.decode(offered.job, type=NewJob)
    job = clips.enter_in(tx, new, offered.quote, token_id)
    quotes.use_in(tx, quote_id, job.id)
    return job


def _check_free(tx: Tx, row: Row, remote_id: str) -> None:
    other = tx.one(TAKEN, row.provider, remote_id)
    if other is not None and other["job_id"] != row.job_id:
        raise InvalidParams(path="remote_id", problem=f"{other['job_id']} has it already")
