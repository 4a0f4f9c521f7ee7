"""Where a clip stands, as a row; and the only way it changes: one transaction of arrow, money, job, trail and event."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from tendred.clock import rfc3339
from tendred.cloud import machine
from tendred.cloud.machine import Accepted, Facts, Fate, Found, Ready, RemoteFailed, Sending, Step, Verified, step
from tendred.errors import NotFound, OutcomeUnknown
from tendred.money import caps, ledger
from tendred.money.ledger import Hold
from tendred.queue.machine import CancelAsked, Claimed, Failed, Finished, Happening, Lost, PutBack, Stopped
from tendred.queue.machine import Found as JobFound
from tendred.queue.store import NewJob, Queue
from tendred.schema.base import Record
from tendred.schema.clip import Phase
from tendred.schema.clip import Step as Told
from tendred.schema.job import Job
from tendred.schema.money import Quote
from tendred.store.database import Database, Tx

UNKNOWNS: Final = 2
"""With so many clips whose outcome nobody knows, no new one is sent."""
COLUMNS: Final = (
    "job_id, quote_id, provider, phase, unwanted, quoted_mcr, remote_id, request_id, said_mcr, sent_at, sha256, bytes"
)
GET: Final = f"SELECT {COLUMNS} FROM clip WHERE job_id = ?"
INSERT: Final = (
    "INSERT INTO clip(job_id, quote_id, provider, phase, unwanted, quoted_mcr, shot_id) VALUES (?, ?, ?, ?, 0, ?, ?)"
)
UPDATE: Final = (
    "UPDATE clip SET phase = ?2, unwanted = coalesce(?3, unwanted), remote_id = coalesce(?4, remote_id), "
    "request_id = coalesce(?5, request_id), said_mcr = coalesce(?6, said_mcr), sent_at = coalesce(?7, sent_at), "
    "sha256 = coalesce(?8, sha256), bytes = coalesce(?9, bytes) WHERE job_id = ?1"
)
STEP: Final = "INSERT INTO clip_step(job_id, at, was, phase, event, detail) VALUES (?, ?, ?, ?, ?, ?)"
STEPS: Final = "SELECT at, was, phase, event, detail FROM clip_step WHERE job_id = ? ORDER BY n"
_OPEN: Final = (
    "phase NOT IN ('settled', 'refused', 'rejected', 'failed', 'expired', 'withheld', 'cancelled', 'abandoned')"
)
OPEN: Final = f"SELECT {COLUMNS} FROM clip WHERE {_OPEN} ORDER BY job_id"
WAITING: Final = (
    f"SELECT {COLUMNS} FROM clip WHERE {_OPEN} AND phase = 'reserved' "
    "ORDER BY (SELECT lane_rank FROM job WHERE job.id = clip.job_id), job_id"
)
TAKEN: Final = "SELECT remote_id FROM clip WHERE provider = ? AND remote_id IS NOT NULL"
COUNTS: Final = f"SELECT phase, count(*) AS count FROM clip WHERE {_OPEN} AND provider = ? GROUP BY phase"
SINCE: Final = "SELECT max(at) AS at FROM clip_step WHERE job_id = ? AND phase = 'submitted' AND was <> 'submitted'"
UNKNOWN: Final = f"SELECT job_id FROM clip WHERE {_OPEN} AND phase = 'unknown' ORDER BY job_id"

IN_FLIGHT: Final[frozenset[Phase]] = frozenset({"sending", "submitted", "rendering", "unknown"})
"""What may take one of the account's places: of an unknown one nobody can say that it doesn't."""
UNFETCHED: Final[frozenset[Phase]] = frozenset({"ready", "downloading"})
FATES: Final[dict[Fate, Happening]] = {
    "claim": Claimed(), "put_back": PutBack(), "stop": Stopped(), "finish": Finished(), "find": JobFound(),
    "cancel": CancelAsked(),
}  # fmt: skip
"""The fates of a job that need no error with them."""


class Row(Record, frozen=True):
    """A clip, as it is stored."""

    job_id: str
    quote_id: str
    provider: str
    phase: Phase
    unwanted: bool
    quoted_mcr: int
    remote_id: str | None
    request_id: str | None
    said_mcr: int | None
    sent_at: float | None
    sha256: str | None
    bytes: int | None

    @property
    def facts(self) -> Facts:
        return Facts(self.phase, self.unwanted, self.said_mcr)


class Clips:
    """Clips in the database."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    # -- reading -------------------------------------------------------------------------------------------

    async def get(self, job_id: str) -> Row:
        """One. Raises NotFound."""
        return await self._database.read(lambda connection: self.get_in(connection, job_id))

    def get_in(self, connection: sqlite3.Connection, job_id: str) -> Row:
        """See `get`."""
        row = connection.execute(GET, (job_id,)).fetchone()
        if row is None:
            raise NotFound(path="job_id", noun="clip", name=job_id, near=[])
        return _row(row)

    async def open(self) -> list[Row]:
        """Those that aren't at their end, oldest first."""
        return await self._database.read(lambda connection: [_row(row) for row in connection.execute(OPEN)])

    async def waiting(self) -> list[Row]:
        """Those that wait to be sent: by lane, then oldest first."""
        return await self._database.read(lambda connection: [_row(row) for row in connection.execute(WAITING)])

    async def may_send(self, provider: str, concurrency: int) -> bool:
        """Whether another clip may be sent to a provider just now; `begin` asks once more."""
        return await self._database.read(lambda connection: may_send_in(connection, provider, concurrency))

    async def steps(self, job_id: str) -> list[Told]:
        """How one came to where it is."""

        def read(connection: sqlite3.Connection) -> list[Told]:
            return [
                Told(
                    at=rfc3339(row["at"]), was=row["was"], phase=row["phase"], event=row["event"],
                    detail=msgspec.json.decode(row["detail"], type=dict[str, Any]),
                )
                for row in connection.execute(STEPS, (job_id,))
            ]  # fmt: skip

        return await self._database.read(read)

    async def taken(self, provider: str) -> set[str]:
        """The names of all that this provider ever took from us."""

        def read(connection: sqlite3.Connection) -> set[str]:
            return {row["remote_id"] for row in connection.execute(TAKEN, (provider,))}

        return await self._database.read(read)

    async def since(self, job_id: str) -> float:
        """When its provider took one, or when it was last found there. Seconds since 1970, by the clock of that time."""

        def read(connection: sqlite3.Connection) -> float:
            return connection.execute(SINCE, (job_id,)).fetchone()["at"]

        return await self._database.read(read)

    # -- writing -------------------------------------------------------------------------------------------

    def enter_in(self, tx: Tx, new: NewJob, quote: Quote, token_id: str, door: str | None = None) -> Job:
        """A quote that was confirmed becomes a job with its money reserved, under the cap of `door` if it is named.

        Raises CapExceeded, OutcomeUnknown, QueueFull.
        """
        check_unknowns_in(tx)
        facts = Facts("quoted")
        for event in (machine.Confirmed(), machine.Reserved()):
            arrow = step(facts, event)
            assert arrow is not None
            self._note(tx, new.id, facts.phase, arrow, event)
            facts = Facts(arrow.phase)
        hold = Hold(
            job_id=new.id, provider=quote.provider, token_id=token_id, door=door or new.origin.door,
            mcr=quote.total_mcr,
        )  # fmt: skip
        caps.check_in(tx, hold)
        ledger.hold_in(tx, hold)
        shot_id = new.request.get("shot_id")
        tx.run(INSERT, new.id, quote.id, quote.provider, facts.phase, quote.total_mcr, shot_id)
        job, _ = self._queue.add_in(tx, new)
        return job

    async def apply(self, job_id: str, event: machine.Event) -> Row:
        """Let something happen to a clip; see `apply_in`."""
        return await self._database.write(lambda tx: self.apply_in(tx, job_id, event))

    def apply_in(self, tx: Tx, job_id: str, event: machine.Event, *, job: bool = True) -> Row:
        """The only write path of a clip: arrow, money, trail, and what happens to the job unless the caller sees to it.

        Raises NotFound, IllegalStepError.
        """
        row = self.get_in(tx.connection, job_id)
        arrow = step(row.facts, event)
        if arrow is None:
            return row
        self._note(tx, job_id, row.phase, arrow, event)
        self._change(tx, job_id, arrow, event)
        _book(tx, job_id, arrow)
        if job and arrow.fate is not None:
            self._fate(tx, job_id, row.phase, arrow)
        return self.get_in(tx.connection, job_id)

    async def begin(self, job_id: str, concurrency: int) -> bool:
        """Write down that a clip is about to be sent, if it may be: else nothing changes.

        The checks and the arrow are one transaction: a place at the provider, nothing that is paid for and not
        fetched yet, and fewer than UNKNOWNS open questions.
        """

        def work(tx: Tx) -> bool:
            row = self.get_in(tx.connection, job_id)
            if row.phase != "reserved" or not may_send_in(tx.connection, row.provider, concurrency):
                return False
            self.apply_in(tx, job_id, Sending())
            return True

        return await self._database.write(work)

    def _fate(self, tx: Tx, job_id: str, was: Phase, arrow: Step) -> None:
        if arrow.fate == "fail" and was == "reserved":
            self._queue.apply_in(tx, job_id, Claimed())  # only what somebody took up can fail
        self._queue.apply_in(tx, job_id, happening(arrow))

    @staticmethod
    def _change(tx: Tx, job_id: str, arrow: Step, event: machine.Event) -> None:
        remote_id = event.remote_id if isinstance(event, Accepted | Found) else None
        request_id = event.request_id if isinstance(event, Accepted) else None
        said = event.said_mcr if isinstance(event, Ready | RemoteFailed) else None
        sent_at = tx.now if isinstance(event, Sending) else None
        digest, size = (event.sha256, event.size) if isinstance(event, Verified) else (None, None)
        tx.run(UPDATE, job_id, arrow.phase, arrow.unwanted, remote_id, request_id, said, sent_at, digest, size)

    @staticmethod
    def _note(tx: Tx, job_id: str, was: Phase, arrow: Step, event: machine.Event) -> None:
        detail: dict[str, Any] = msgspec.to_builtins(event)
        tx.run(STEP, job_id, tx.now, was, arrow.phase, type(event).__name__, msgspec.json.encode(detail))


def check_unknowns_in(tx: Tx) -> None:
    """Raises OutcomeUnknown where too many questions are open for another clip."""
    open_ones = [str(row["job_id"]) for row in tx.run(UNKNOWN)]
    if len(open_ones) >= UNKNOWNS:
        raise OutcomeUnknown("open", count=len(open_ones), job_id=open_ones[0], provider="")


def may_send_in(connection: sqlite3.Connection, provider: str, concurrency: int) -> bool:
    """Whether another clip may be sent to a provider just now."""
    if len(connection.execute(UNKNOWN).fetchall()) >= UNKNOWNS:
        return False
    counts: dict[Phase, int] = {row["phase"]: row["count"] for row in connection.execute(COUNTS, (provider,))}
    if any(counts.get(phase, 0) for phase in UNFETCHED):
        return False
    return sum(counts.get(phase, 0) for phase in IN_FLIGHT) < concurrency


def happening(arrow: Step) -> Happening:
    """What happens to the job."""
    assert arrow.fate is not None
    if arrow.fate in FATES:
        return FATES[arrow.fate]
    assert arrow.error is not None
    return Lost(arrow.error) if arrow.fate == "lose" else Failed(arrow.error)


def _book(tx: Tx, job_id: str, arrow: Step) -> None:
    match arrow.money:
        case machine.Settle(mcr, basis):
            ledger.settle_in(tx, job_id, mcr, basis)
        case machine.Release(basis, note):
            ledger.release_in(tx, job_id, basis, note)
        case machine.Unsure(note):
            ledger.unsure_in(tx, job_id, note)
        case machine.Hold() | None:
            return


def _row(row: sqlite3.Row) -> Row:
    fields: dict[str, Any] = {name: row[name] for name in Row.__struct_fields__}
    fields["unwanted"] = bool(row["unwanted"])
    return Row(**fields)
