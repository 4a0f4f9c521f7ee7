"""The database: whole transactions on one writer thread, reads beside it.

WAL with `synchronous=FULL`: what was answered as accepted survives a power cut. Transactions that wait at the
same moment share one commit (each in a savepoint of its own), so that many small ones cost one fsync.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

import msgspec

from tendred.clock import Clock, rfc3339
from tendred.errors import DiskFull, FolderUnwritable, StoreBroken
from tendred.schema.event import Event
from tendred.store.migrations import migrate
from tendred.tasks import offload

_T = TypeVar("_T")
_GROUP: Final = 64
_READERS: Final = 2
_INSERT_EVENT: Final = "INSERT INTO event(boot_id, at, topic, job_id, data) VALUES (?, ?, ?, ?, ?)"


class Tx:
    """A transaction under way. Events emitted here are rows of it, and are published once it is durable."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, boot_id: str) -> None:
        self.connection = connection
        self.now = clock.now()
        self.events: list[Event] = []
        self._boot_id = boot_id

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Execute one statement."""
        return self.connection.execute(sql, values)

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def emit(self, topic: str, data: dict[str, Any], job_id: str | None = None) -> None:
        """Record that a state changed."""
        built: dict[str, Any] = msgspec.to_builtins(data)
        values = (self._boot_id, self.now, topic, job_id, msgspec.json.encode(built))
        seq = self.connection.execute(_INSERT_EVENT, values).lastrowid
        self.events.append(
            Event(seq=seq, boot_id=self._boot_id, at=rfc3339(self.now), topic=topic, job_id=job_id, data=built)
        )


class _Waiting(Generic[_T]):
    """A transaction in the writer's queue."""

    def __init__(self, work: Callable[[Tx], _T]) -> None:
        self.work = work
        self.future: Future[_T] = Future()
        self.events: list[Event] = []
        self.outcome: tuple[bool, Any] = (False, None)

    def attempt(self, connection: sqlite3.Connection, clock: Clock, boot_id: str) -> None:
        """Run inside a savepoint; a failure undoes this transaction only."""
        connection.execute("SAVEPOINT one")
        tx = Tx(connection, clock, boot_id)
        try:
            self.outcome = (True, self.work(tx))
        except Exception as problem:  # noqa: BLE001 - it belongs to the caller, who gets it
            if connection.in_transaction:
                connection.execute("ROLLBACK TO one")
            self.outcome = (False, problem)
        else:
            self.events = tx.events
        if connection.in_transaction:
            connection.execute("RELEASE one")

    def settle(self) -> None:
        """Hand the outcome to whoever waits."""
        good, value = self.outcome
        if good:
            self.future.set_result(value)
        else:
            self.future.set_exception(value)


class Database:
    """One SQLite file. `committed` hears of every durable commit; `inline` works on the caller's thread (simulations)."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        committed: Callable[[Path], None],
        boot_id: str,
        publish: Callable[[Event], None],
        inline: bool = False,
    ) -> None:
        self._path = path
        self._clock = clock
        self._committed = committed
        self._boot_id = boot_id
        self._publish = publish
        self._inline = inline
        self._queue: SimpleQueue[_Waiting[Any] | None] = SimpleQueue()
        self._readers: list[sqlite3.Connection] = []
        self._free = threading.Semaphore(_READERS)
        self._writer: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Open, migrate, start the writer. Raises StoreBroken."""
        try:
            # SQLite gives its other files the mode of this one.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._writer = _connect(self._path)
            self._writer.execute("PRAGMA journal_mode=WAL")
            migrate(self._writer, self._path, self._clock)
            self._readers = [_connect(self._path, readonly=True) for _ in range(_READERS)]
        except (sqlite3.Error, OSError) as problem:
            raise StoreBroken(file=str(self._path), problem=str(problem)) from problem
        self._committed(self._path)
        if not self._inline:
            self._thread = threading.Thread(target=self._write_loop, name="tendred-db", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Finish what waits, then close."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        for connection in (*self._readers, *([self._writer] if self._writer else [])):
            connection.close()
        self._readers, self._writer = [], None

    async def write(self, work: Callable[[Tx], _T]) -> _T:
        """Run `work` as one durable transaction and return what it returns; what it raises undoes it.

        Raises DiskFull or FolderUnwritable when the file can't grow or be written.
        """
        waiting = _Waiting(work)
        self._loop = asyncio.get_running_loop()
        if self._inline:
            self._commit([waiting])
            self._tell([waiting])
        else:
            self._queue.put(waiting)
        return await asyncio.wrap_future(waiting.future)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run queries on a read connection, in a thread (inline: at once)."""
        return self._read(work) if self._inline else await offload(self._read, work)

    def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._free:
            connection = self._readers.pop()
            try:
                return work(connection)
            finally:
                self._readers.append(connection)

    def _write_loop(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < _GROUP and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self._commit(batch)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._tell, batch)

    def _commit(self, batch: list[_Waiting[Any]]) -> None:
        connection = self._writer
        assert connection is not None
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in batch:
                waiting.attempt(connection, self._clock, self._boot_id)
                if not connection.in_transaction:
                    # A full disk makes SQLite undo everything at once, the neighbours of this commit too.
                    raise waiting.outcome[1]  # noqa: TRY301 - the same end as a failed commit
            connection.execute("COMMIT")
            self._committed(self._path)
        except BaseException as problem:  # noqa: BLE001 - a crash injected by a simulation must reach the caller too
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for waiting in batch:
                waiting.outcome, waiting.events = (False, problem), []
        for waiting in batch:
            good, value = waiting.outcome
            if not good and isinstance(value, sqlite3.OperationalError):
                waiting.outcome = (False, _typed(value, self._path))

    def _tell(self, batch: list[_Waiting[Any]]) -> None:
        for waiting in batch:
            for event in waiting.events:
                self._publish(event)
            if not waiting.future.cancelled():
                waiting.settle()


def _connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    if readonly:
        connection.execute("PRAGMA query_only=ON")
    else:
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone doesn't reach the disk there
    return connection


def _typed(problem: sqlite3.OperationalError, path: Path) -> Exception:
    """SQLite's words for a full or read-only disk, as our kinds."""
    text = str(problem)
    if "full" in text:
        return DiskFull(folder=str(path.parent))
    if "readonly" in text or "disk I/O" in text or "unable to open" in text:
        return FolderUnwritable(folder=str(path.parent), problem=text)
    return problem
