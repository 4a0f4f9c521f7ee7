"""A job's row, and the only way it changes: read it, ask the machine, guarded update, event row, commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast, get_args

import msgspec

from tendred.clock import rfc3339
from tendred.errors import IdempotencyConflict, NotFound, QueueFull, WrongState
from tendred.queue import line
from tendred.queue.clips import clip_of
from tendred.queue.line import RANKS, WARM_S
from tendred.queue.machine import CancelAsked, Change, Facts, Finished, Happening, transition
from tendred.queue.pace import Paces, work_of
from tendred.queue.pages import JobQuery, select
from tendred.queue.places import NOWHERE, Place, emptied_s, place, places
from tendred.schema.base import Record
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Job, Origin, QueueStatus, Repeated, State
from tendred.schema.sealed import Reviewed
from tendred.schema.still import Kind, Lane, Repeat
from tendred.store.database import Database, Tx

COLUMNS: Final = (
    "id, kind, state, lane, rev, request, origin, policy, attempts, engine_deaths, created_at, started_at, "
    "finished_at, error, retry_of, model, claimed_at, removed"
)
GET: Final = f"SELECT {COLUMNS} FROM job WHERE id = ?"
BY_KEY: Final = f"SELECT {COLUMNS}, idem_hash FROM job WHERE idem = ?"
OPEN_RETRY: Final = (
    f"SELECT {COLUMNS} FROM job WHERE retry_of = ? AND state IN ('queued', 'running', 'cancelling') ORDER BY id LIMIT 1"
)
THERE: Final = "SELECT 1 FROM job WHERE id = ?"
APPROVED: Final = "UPDATE job SET sealed_request = ?, conditioning = ?, policy = ?, mac = ?, removed = ? WHERE id = ?"
CREATED: Final = "SELECT created_at FROM job WHERE id = ?"
ASKED: Final = "SELECT asked FROM job WHERE id = ?"
DOCUMENT: Final = "SELECT doc FROM asset WHERE job_id = ? ORDER BY idx LIMIT 1"
ASSETS: Final = "SELECT id FROM asset WHERE job_id = ? ORDER BY idx"
INSERT: Final = (
    "INSERT INTO job(id, kind, state, lane, lane_rank, rev, request, asked, origin, sealed_request, conditioning, "
    "policy, mac, removed, attempts, engine_deaths, created_at, retry_of, idem, idem_hash, model) "
    "VALUES (?, ?, 'queued', ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?)"
)
APPLY: Final = (
    "UPDATE job SET state = ?1, rev = rev + 1, attempts = ?2, engine_deaths = ?3, error = coalesce(?4, error), "
    "finished_at = CASE WHEN ?5 THEN ?6 ELSE finished_at END, "
    "started_at = CASE WHEN ?1 = 'running' AND started_at IS NULL THEN ?6 ELSE started_at END, "
    "claimed_at = CASE WHEN ?1 = 'running' THEN ?6 ELSE claimed_at END "
    "WHERE id = ?7 AND rev = ?8"
)
"""What parked a job stays told when a person cancels it."""
MOVE: Final = "UPDATE job SET lane = ?, lane_rank = ?, rev = rev + 1 WHERE id = ?"
TALLY: Final = "SELECT state, lane, count FROM tally WHERE count > 0"
WAITING: Final = "SELECT coalesce(sum(waiting), 0) FROM share"
WAITING_OF: Final = "SELECT coalesce(sum(waiting), 0) FROM share WHERE line = ?"
CLIENTS: Final = (
    "SELECT line, sum(waiting) AS waiting FROM share WHERE waiting > 0 GROUP BY line ORDER BY 2 DESC, 1 LIMIT 50"
)
UNFINISHED: Final = "SELECT id FROM job WHERE state IN ('running', 'cancelling') AND kind <> 'clip' ORDER BY id"
DRAWN: Final[frozenset[Kind]] = frozenset({"still", "upscale", "sheet"})
"""What stands in the line: work of this machine. Clips are the broker's, who remembers by itself where each one is."""
RETRIED: Final[frozenset[State]] = frozenset({"parked", "failed", "cancelled"})
"""States in which a job may be tried again."""


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
    """A job as its runner sees it: with the sealed request, and those that were claimed to be drawn in one go with it."""

    job: Job
    reviewed: Reviewed
    asked: dict[str, Any]
    removed: list[str]
    beside: list[Claim] = msgspec.field(default_factory=list["Claim"])


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


def job_of(connection: sqlite3.Connection, row: sqlite3.Row, at: Place = NOWHERE) -> Job:
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
        position=at.position,
        eta_s=at.eta_s,
        attempts=row["attempts"],
        engine_deaths=row["engine_deaths"],
        created_at=rfc3339(row["created_at"]),
        started_at=None if row["started_at"] is None else rfc3339(row["started_at"]),
        finished_at=None if row["finished_at"] is None else rfc3339(row["finished_at"]),
        asset_ids=[asset["id"] for asset in connection.execute(ASSETS, (row["id"],))],
        error=error,
        retry_of=row["retry_of"],
        policy=row["policy"],
        clip=clip_of(connection, row["id"]) if row["kind"] == "clip" else None,
        again=_repeated(connection, row["id"], request),
        removed=msgspec.json.decode(row["removed"], type=list[str]),
    )


def _by_key(connection: sqlite3.Connection, key: str, key_hash: bytes) -> Job | None:
    row = connection.execute(BY_KEY, (key,)).fetchone()
    if row is None:
        return None
    if row["idem_hash"] != key_hash:
        raise IdempotencyConflict(key=key.rsplit(":", 1)[-1])
    return job_of(connection, row)


class Queue:
    """Jobs in the database.

    `limit` jobs may wait, `client_limit` of one client. A job that is first in line lets jobs of a loaded model pass
    for `warm_s` at most.
    """

    def __init__(
        self, database: Database, limit: int, *, client_limit: int | None = None, warm_s: float = WARM_S
    ) -> None:
        self._database = database
        self._limit = limit
        self._client_limit = limit if client_limit is None else client_limit
        self.warm_s = warm_s

    async def add(self, jobs: Sequence[NewJob]) -> list[tuple[Job, bool]]:
        """Enqueue all or none; see `add_in`."""
        return await self._database.write(lambda tx: [self.add_in(tx, job) for job in jobs])

    def add_in(self, tx: Tx, new: NewJob) -> tuple[Job, bool]:
        """Enqueue one. True beside the job says that its key had made it before.

        Raises IdempotencyConflict when the key stands for another request, QueueFull.
        """
        if new.key is not None and (known := _by_key(tx.connection, new.key, new.key_hash)) is not None:
            return known, True
        client = line.line_of(new.origin)
        self._check_room(tx, client)
        encode, model = msgspec.json.encode, str(new.request.get("model", ""))
        tx.run(
            INSERT, new.id, new.kind, new.lane, RANKS[new.lane], encode(new.request), encode(new.asked),
            encode(new.origin), new.reviewed.request, new.reviewed.conditioning, new.reviewed.policy, new.reviewed.mac,
            encode(new.removed), tx.now, new.retry_of, new.key, new.key_hash, model,
        )  # fmt: skip
        if new.kind in DRAWN:
            line.enter(tx, new.id, new.lane, client, model, work_of(new.kind, new.request))
        job = self.get_in(tx.connection, new.id)
        tx.emit("job.queued", {"job": job}, job.id)
        return job, False

    async def retry(self, new: NewJob) -> tuple[Job, bool]:
        """Enqueue the same once more, with `retry_of` linked. True beside the job: it was waiting or running already.

        A parked one has been seen to with that, and is cancelled. Raises NotFound, WrongState, QueueFull.
        """
        return await self._database.write(lambda tx: self._retry_in(tx, new))

    def _retry_in(self, tx: Tx, new: NewJob) -> tuple[Job, bool]:
        assert new.retry_of is not None
        if (known := tx.one(OPEN_RETRY, new.retry_of)) is not None:
            return job_of(tx.connection, known), True
        before = self._row(tx.connection, new.retry_of)
        if before["state"] not in RETRIED:
            raise WrongState("retry", path="job_id", name=new.retry_of, state=before["state"])
        made = self.add_in(tx, new)
        if before["state"] == "parked":
            self.apply_in(tx, new.retry_of, CancelAsked())
        return made

    def _check_room(self, tx: Tx, client: str) -> None:
        waiting, own = (cast("sqlite3.Row", tx.one(*ask))[0] for ask in ((WAITING,), (WAITING_OF, client)))
        if own >= self._client_limit:
            # Clients take turns: one of its own jobs starts once each of the others has had one.
            room_s = Paces(tx.connection).room_s(len(tx.run(CLIENTS).fetchall()))
            raise QueueFull("client", queued=own, limit=self._client_limit, retry_after_s=room_s)
        if waiting >= self._limit:
            raise QueueFull(queued=waiting, limit=self._limit, retry_after_s=Paces(tx.connection).room_s())

    async def by_key(self, key: str | None, key_hash: bytes) -> Job | None:
        """The job that a key made before; None without a key. Raises IdempotencyConflict."""
        if key is None:
            return None
        return await self._database.read(lambda connection: _by_key(connection, key, key_hash))

    async def created(self, job_id: str) -> float:
        """When a job was accepted, in seconds since 1970."""
        row = await self._database.read(lambda connection: connection.execute(CREATED, (job_id,)).fetchone())
        return float(row["created_at"])

    async def approved(self, job_id: str, reviewed: Reviewed, removed: list[str]) -> None:
        """A job was judged anew: from here on this is what was approved."""
        left = msgspec.json.encode(removed)
        await self._database.write(
            lambda tx: (
                tx.run(
                    APPROVED, reviewed.request, reviewed.conditioning, reviewed.policy, reviewed.mac, left, job_id
                ).rowcount
            )
        )

    async def asked(self, job_id: str) -> dict[str, Any]:
        """What the client wrote, as it wrote it. Raises NotFound."""
        row = await self._database.read(lambda connection: connection.execute(ASKED, (job_id,)).fetchone())
        if row is None:
            raise NotFound(noun="job", name=job_id, near=[])
        return msgspec.json.decode(row["asked"], type=dict[str, Any])

    async def apply(self, job_id: str, happening: Happening) -> Job:
        """Let something happen to a job; see `apply_in`."""
        return await self._database.write(lambda tx: self.apply_in(tx, job_id, happening))

    async def cancel(self, job_id: str) -> list[Job]:
        """Cancel a job, and the cells of a grid with it: nobody wants them without the grid. All or none.

        Returns the job, then its cells; one that history has forgotten is left out. Raises NotFound.
        """

        def work(tx: Tx) -> list[Job]:
            job = self.apply_in(tx, job_id, CancelAsked())
            unwanted = job.kind == "sheet" and job.state in {"cancelling", "cancelled"}
            cells: list[dict[str, Any]] = job.request["cells"] if unwanted else []
            asked: list[str] = [cell["job_id"] for cell in cells if cell["job_id"] is not None]
            there = [cell for cell in dict.fromkeys(asked) if tx.one(THERE, cell) is not None]
            return [job, *(self.apply_in(tx, cell, CancelAsked()) for cell in there)]

        return await self._database.write(work)

    def apply_in(self, tx: Tx, job_id: str, happening: Happening) -> Job:
        """The only write path of a job's state. Raises NotFound, IllegalTransitionError."""
        row = self._row(tx.connection, job_id)
        change = transition(Facts(row["state"], row["attempts"], row["engine_deaths"]), happening)
        if change is None:
            return job_of(tx.connection, row)
        self._update(tx, row, change)
        if row["kind"] not in DRAWN:
            pass  # it waits for its provider, not in the engine's line
        elif row["state"] == "queued":
            line.leave(tx, job_id)  # one that was claimed is gone from there already
        elif change.state == "queued":
            line.come_back(tx, job_id, row["lane"], _client(row), row["model"], _work(row))
        elif isinstance(happening, Finished) and row["attempts"] == 1:
            # Of a later attempt some pictures may have been there already.
            took = (tx.now - row["claimed_at"]) * happening.share
            line.settle(tx, row["lane"], _client(row), row["model"], _work(row), took)
        job = self.get_in(tx.connection, job_id)
        tx.emit(change.topic, {"job": job}, job_id)
        return job

    async def move(self, job_id: str, to: str) -> Job:
        """Put a waiting job elsewhere: `first` or `last` of its lane, in a lane, or before the job of that id.

        In a lane it takes its turn as if it had been sent just now. Raises NotFound, WrongState.
        """
        return await self._database.write(lambda tx: self._move_in(tx, job_id, to))

    def _move_in(self, tx: Tx, job_id: str, to: str) -> Job:
        row = self._waiting(tx, job_id, "job_id")
        lane: Lane = row["lane"]
        if to == job_id:
            return self.get_in(tx.connection, job_id, position=True)
        if to == "first":
            line.put_first(tx, job_id)
        elif to == "last":
            line.put_last(tx, job_id)
        elif to in RANKS:
            lane = to
            line.leave(tx, job_id)
            line.enter(tx, job_id, lane, _client(row), row["model"], _work(row))
        else:
            lane = self._waiting(tx, to, "to")["lane"]
            line.put_before(tx, job_id, to)
        tx.run(MOVE, lane, RANKS[lane], job_id)
        job = self.get_in(tx.connection, job_id, position=True)
        tx.emit("job.moved", {"job": job}, job_id)
        return job

    def _waiting(self, tx: Tx, job_id: str, path: str) -> sqlite3.Row:
        row = self._row(tx.connection, job_id, path)
        if row["kind"] not in DRAWN:
            raise WrongState("clip", path=path, name=job_id, state=row["state"])
        if row["state"] != "queued":
            raise WrongState(path=path, name=job_id, state=row["state"])
        return row

    @staticmethod
    def _row(connection: sqlite3.Connection, job_id: str, path: str | None = None) -> sqlite3.Row:
        row: sqlite3.Row | None = connection.execute(GET, (job_id,)).fetchone()
        if row is None:
            raise NotFound(path=path, noun="job", name=job_id, near=[])
        return row

    @staticmethod
    def _update(tx: Tx, row: sqlite3.Row, change: Change) -> None:
        error = None if change.error is None else msgspec.json.encode(change.error)
        done = tx.run(
            APPLY, change.state, change.attempts, change.engine_deaths, error, change.finished, tx.now, row["id"],
            row["rev"],
        )  # fmt: skip
        assert done.rowcount == 1, "the writer is alone, so a row can't move under it"

    def get_in(self, connection: sqlite3.Connection, job_id: str, *, position: bool = False) -> Job:
        """One job. Raises NotFound."""
        row = self._row(connection, job_id)
        at = place(connection, job_id) if position and row["state"] == "queued" else NOWHERE
        return job_of(connection, row, at)

    async def get(self, job_id: str) -> Job:
        """One job with its place in line. Raises NotFound."""
        return await self._database.read(lambda connection: self.get_in(connection, job_id, position=True))

    async def page(self, query: JobQuery) -> list[Job]:
        """Jobs newest first, with their places in line."""
        sql, values = select(COLUMNS, query)

        def work(connection: sqlite3.Connection) -> list[Job]:
            rows = connection.execute(sql, values).fetchall()
            found = places(connection) if any(row["state"] == "queued" for row in rows) else {}
            return [job_of(connection, row, found.get(row["id"], NOWHERE)) for row in rows]

        return await self._database.read(work)

    def counts_in(self, connection: sqlite3.Connection, reason: str | None) -> QueueStatus:
        """How many jobs are in which state, and who waits for how long. `reason` says why nothing starts."""
        counts: dict[str, int] = dict.fromkeys(get_args(State), 0)
        lanes = dict.fromkeys(RANKS, 0)
        for row in connection.execute(TALLY):
            counts[row["state"]] = counts.get(row["state"], 0) + row["count"]
            if row["state"] == "queued":
                lanes[row["lane"]] += row["count"]
        return QueueStatus(
            paused=reason is not None,
            reason=reason,
            counts=counts,
            lanes={**lanes},
            clients={row["line"]: row["waiting"] for row in connection.execute(CLIENTS)},
            warm_s=self.warm_s,
            eta_s=None if reason is not None else emptied_s(connection),
        )

    async def counts(self, reason: str | None = None) -> QueueStatus:
        """See `counts_in`."""
        return await self._database.read(lambda connection: self.counts_in(connection, reason))

    async def unfinished(self) -> list[str]:
        """Jobs that a daemon before this one left running, but for clips."""
        return await self._database.read(lambda connection: [row["id"] for row in connection.execute(UNFINISHED)])


def _client(row: sqlite3.Row) -> str:
    return line.line_of(msgspec.json.decode(row["origin"], type=Origin))


def _work(row: sqlite3.Row) -> float:
    return work_of(row["kind"], msgspec.json.decode(row["request"], type=dict[str, Any]))
