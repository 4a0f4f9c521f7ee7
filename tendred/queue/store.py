"""A job's row, and the only way it changes: read it, ask the machine, guarded update, event row, commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast, get_args

import msgspec

from tendred.clock import rfc3339
from tendred.errors import IdempotencyConflict, NotFound, QueueFull
from tendred.queue.machine import Change, Facts, Happening, transition
from tendred.schema.base import Record
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Job, Origin, QueueStatus, Repeated, State
from tendred.schema.sealed import Reviewed
from tendred.schema.still import Kind, Lane, Repeat
from tendred.store.database import Database, Tx

RANKS: Final[dict[Lane, int]] = {"interactive": 0, "normal": 1, "idle": 2}
POSITIONS: Final = 1000
"""A position further back than this is told as null: nobody counts that far, and counting costs."""

COLUMNS: Final = (
    "id, kind, state, lane, rev, request, origin, policy, attempts, engine_deaths, created_at, started_at, "
    "finished_at, error, retry_of"
)
GET: Final = f"SELECT {COLUMNS} FROM job WHERE id = ?"
BY_KEY: Final = f"SELECT {COLUMNS}, idem_hash FROM job WHERE idem = ?"
CREATED: Final = "SELECT created_at FROM job WHERE id = ?"
DOCUMENT: Final = "SELECT doc FROM asset WHERE job_id = ? ORDER BY idx LIMIT 1"
ASSETS: Final = "SELECT id FROM asset WHERE job_id = ? ORDER BY idx"
INSERT: Final = (
    "INSERT INTO job(id, kind, state, lane, lane_rank, rev, request, asked, origin, sealed_request, conditioning, "
    "policy, mac, removed, attempts, engine_deaths, created_at, retry_of, idem, idem_hash) "
    "VALUES (?, ?, 'queued', ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?)"
)
APPLY: Final = (
    "UPDATE job SET state = ?, rev = rev + 1, attempts = ?, engine_deaths = ?, error = ?, "
    "finished_at = CASE WHEN ? THEN ? ELSE finished_at END, "
    "started_at = CASE WHEN ? = 'running' AND started_at IS NULL THEN ? ELSE started_at END "
    "WHERE id = ? AND rev = ?"
)
QUEUED: Final = "SELECT id FROM job INDEXED BY job_claim WHERE state = 'queued' ORDER BY lane_rank, id LIMIT ?"
AHEAD: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_claim WHERE state = 'queued' AND (lane_rank, id) < "
    "(SELECT lane_rank, id FROM job WHERE id = ?) LIMIT ?)"
)
TALLY: Final = "SELECT state, lane, count FROM tally WHERE count > 0"
WAITING: Final = "SELECT coalesce(sum(count), 0) FROM tally WHERE state = 'queued'"
UNFINISHED: Final = "SELECT id FROM job WHERE state IN ('running', 'cancelling') ORDER BY id"


class _Pixels(msgspec.Struct):
    """The part of an asset's document that says whether two are the same picture."""

    pixels_sha256: str


class NewJob(Record, frozen=True):
    """A job on its way into the queue. `key` is the idempotency key with its door's scope, `key_hash` what it stands for."""

    id: str
    kind: Kind
    lane: Lane
    request: dict[str, Any]
    asked: dict[str, Any]
    origin: Origin
    reviewed: Reviewed
    removed: list[str]
    retry_of: str | None
    key: str | None
    key_hash: bytes


class Claim(Record, frozen=True):
    """A job as its runner sees it: with the sealed request."""

    job: Job
    reviewed: Reviewed
    asked: dict[str, Any]
    removed: list[str]


def _repeated(connection: sqlite3.Connection, job_id: str, request: dict[str, Any]) -> Repeated | None:
    """For a job that follows a recipe: whether what it made has the pixels it should have."""
    if not request.get("again"):
        return None
    repeat = msgspec.convert(request["again"], Repeat)
    made = connection.execute(DOCUMENT, (job_id,)).fetchone()
    equal = None
    if made is not None:
        equal = msgspec.json.decode(made["doc"], type=_Pixels).pixels_sha256 == repeat.pixels_sha256
    return Repeated(asset_id=repeat.asset_id, promised=repeat.promised, equal=equal)


def job_of(connection: sqlite3.Connection, row: sqlite3.Row, position: int | None = None) -> Job:
    """A row as the record that everybody sees."""
    error = msgspec.json.decode(row["error"], type=ErrorInfo) if row["error"] is not None else None
    request: dict[str, Any] = msgspec.json.decode(row["request"])
    return Job(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        lane=row["lane"],
        rev=row["rev"],
        request=request,
        origin=msgspec.json.decode(row["origin"], type=Origin),
        progress=None,
        position=position,
        attempts=row["attempts"],
        engine_deaths=row["engine_deaths"],
        created_at=rfc3339(row["created_at"]),
        started_at=None if row["started_at"] is None else rfc3339(row["started_at"]),
        finished_at=None if row["finished_at"] is None else rfc3339(row["finished_at"]),
        asset_ids=[asset["id"] for asset in connection.execute(ASSETS, (row["id"],))],
        error=error,
        retry_of=row["retry_of"],
        policy=row["policy"],
        clip=None,
        again=_repeated(connection, row["id"], request),
    )


def _by_key(connection: sqlite3.Connection, key: str, key_hash: bytes) -> Job | None:
    row = connection.execute(BY_KEY, (key,)).fetchone()
    if row is None:
        return None
    if row["idem_hash"] != key_hash:
        raise IdempotencyConflict(key=key.rsplit(":", 1)[-1])
    return job_of(connection, row)


class Queue:
    """Jobs in the database."""

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit

    async def add(self, jobs: Sequence[NewJob]) -> list[tuple[Job, bool]]:
        """Enqueue all or none; see `add_in`."""
        return await self._database.write(lambda tx: [self.add_in(tx, job) for job in jobs])

    def add_in(self, tx: Tx, new: NewJob) -> tuple[Job, bool]:
        """Enqueue one. True beside the job says that its key had made it before.

        Raises IdempotencyConflict when the key stands for another request, QueueFull.
        """
        if new.key is not None and (known := _by_key(tx.connection, new.key, new.key_hash)) is not None:
            return known, True
        waiting = cast("int", cast("sqlite3.Row", tx.one(WAITING))[0])
        if waiting >= self._limit:
            raise QueueFull(queued=waiting, retry_after_s=30)
        encode = msgspec.json.encode
        tx.run(
            INSERT, new.id, new.kind, new.lane, RANKS[new.lane], encode(new.request), encode(new.asked),
            encode(new.origin), new.reviewed.request, new.reviewed.conditioning, new.reviewed.policy, new.reviewed.mac,
            encode(new.removed), tx.now, new.retry_of, new.key, new.key_hash,
        )  # fmt: skip
        job = self.get_in(tx.connection, new.id)
        tx.emit("job.queued", {"job": job}, job.id)
        return job, False

    async def by_key(self, key: str, key_hash: bytes) -> Job | None:
        """The job that a key made before. Raises IdempotencyConflict."""
        return await self._database.read(lambda connection: _by_key(connection, key, key_hash))

    async def created(self, job_id: str) -> float:
        """When a job was accepted, in seconds since 1970."""
        row = await self._database.read(lambda connection: connection.execute(CREATED, (job_id,)).fetchone())
        return float(row["created_at"])

    async def apply(self, job_id: str, happening: Happening) -> Job:
        """Let something happen to a job; see `apply_in`."""
        return await self._database.write(lambda tx: self.apply_in(tx, job_id, happening))

    def apply_in(self, tx: Tx, job_id: str, happening: Happening) -> Job:
        """The only write path of a job that exists. Raises NotFound, IllegalTransitionError."""
        row = tx.one(GET, job_id)
        if row is None:
            raise NotFound(noun="job", name=job_id, near=[])
        change = transition(Facts(row["state"], row["attempts"], row["engine_deaths"]), happening)
        if change is None:
            return job_of(tx.connection, row)
        self._update(tx, row, change)
        job = self.get_in(tx.connection, job_id)
        tx.emit(change.topic, {"job": job}, job_id)
        return job

    @staticmethod
    def _update(tx: Tx, row: sqlite3.Row, change: Change) -> None:
        error = None if change.error is None else msgspec.json.encode(change.error)
        done = tx.run(
            APPLY, change.state, change.attempts, change.engine_deaths, error, change.finished, tx.now,
            change.state, tx.now, row["id"], row["rev"],
        )  # fmt: skip
        assert done.rowcount == 1, "the writer is alone, so a row can't move under it"

    def get_in(self, connection: sqlite3.Connection, job_id: str, *, position: bool = False) -> Job:
        """One job. Raises NotFound."""
        row = connection.execute(GET, (job_id,)).fetchone()
        if row is None:
            raise NotFound(noun="job", name=job_id, near=[])
        ahead = None
        if position and row["state"] == "queued":
            count: int = connection.execute(AHEAD, (job_id, POSITIONS)).fetchone()[0]
            ahead = count if count < POSITIONS else None
        return job_of(connection, row, ahead)

    async def get(self, job_id: str) -> Job:
        """One job with its position. Raises NotFound."""
        return await self._database.read(lambda connection: self.get_in(connection, job_id, position=True))

    async def page(
        self, *, state: Sequence[State] | None, kind: Kind | None, limit: int, before: str | None
    ) -> list[Job]:
        """Jobs newest first, those with ids below `before`."""
        where, values = ["1"], list[Any]()
        if before is not None:
            where.append("id < ?")
            values.append(before)
        if state:
            where.append(f"state IN ({', '.join('?' * len(state))})")
            values.extend(state)
        if kind is not None:
            where.append("kind = ?")
            values.append(kind)
        sql = f"SELECT {COLUMNS} FROM job WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"

        def work(connection: sqlite3.Connection) -> list[Job]:
            places = {row["id"]: place for place, row in enumerate(connection.execute(QUEUED, (POSITIONS,)))}
            rows = connection.execute(sql, (*values, limit)).fetchall()
            return [
                job_of(connection, row, places.get(row["id"]) if row["state"] == "queued" else None) for row in rows
            ]

        return await self._database.read(work)

    @staticmethod
    def counts_in(connection: sqlite3.Connection, reason: str | None) -> QueueStatus:
        """How many jobs are in which state, and how many wait in which lane. `reason` says why nothing starts."""
        counts: dict[str, int] = dict.fromkeys(get_args(State), 0)
        lanes = dict.fromkeys(RANKS, 0)
        for row in connection.execute(TALLY):
            counts[row["state"]] = counts.get(row["state"], 0) + row["count"]
            if row["state"] == "queued":
                lanes[row["lane"]] += row["count"]
        return QueueStatus(paused=reason is not None, reason=reason, counts=counts, lanes={**lanes})

    async def counts(self, reason: str | None = None) -> QueueStatus:
        """See `counts_in`."""
        return await self._database.read(lambda connection: self.counts_in(connection, reason))

    async def unfinished(self) -> list[str]:
        """Jobs that a daemon before this one left running."""
        return await self._database.read(lambda connection: [row["id"] for row in connection.execute(UNFINISHED)])
