"""Pulls: asked for, paused, gone on with; one is worked at at a time, the oldest first."""

from __future__ import annotations

import asyncio
import difflib
import itertools
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict, replace

from tendred.backend import Hub
from tendred.bus import Bus
from tendred.clock import Clock, Ids, rfc3339
from tendred.core.pace import Pace, left_s
from tendred.core.pull_rows import PullRows
from tendred.core.pulling import Pulling
from tendred.errors import DiskFull, InvalidParams, NotFound, ProviderUnavailable, TendredError
from tendred.models.catalog import Catalog
from tendred.schema.error import ErrorInfo
from tendred.schema.event import Event
from tendred.schema.pull import Fetched, Pull, PullPage, PullState
from tendred.store.database import Tx
from tendred.tasks import Tasks, offload

MAIN: Final = "main"
RETRIES_S: Final = (1, 5, 15, 60, 300)
"""Waits before another try where the network was to blame; every new byte begins them anew."""
UNREACHED_S: Final = (1, 5)
"""The same where nothing was ever heard of the host: there is no network, or no such host."""
STUCK_S: Final = 5.0
MOVING: Final[frozenset[PullState]] = frozenset({"queued", "running"})
HELD: Final[frozenset[PullState]] = frozenset({"paused", "failed"})
_STILL: Final = {"phase": None, "rate_bytes": None, "eta_s": None, "retry_at": None}
_ENDS: Final = ("model.pulled", "model.pull_paused", "model.pull_failed", "model.pull_cancelled")
_log = logging.getLogger(__name__)


class Pulls:
    """What can be asked of them. Every failure is a TendredError."""

    def __init__(
        self,
        *,
        hub: Hub,
        rows: PullRows,
        pulling: Pulling,
        catalog: Catalog,
        bus: Bus,
        clock: Clock,
        ids: Ids,
        tasks: Tasks,
        boot_id: str,
        tell: Callable[[BaseException], ErrorInfo],
    ) -> None:
        self._hub = hub
        self._rows = rows
        self._pulling = pulling
        self._catalog = catalog
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._boot_id = boot_id
        self._tell = tell
        self._wake = asyncio.Event()
        self._working: str | None = None
        self._now: Pull | None = None  # the one being worked at, as it is told
        self._task: asyncio.Task[None] | None = None

    # -- what a door asks for

    async def start(self, repo: str, revision: str | None, variant: str | None, name: str | None) -> Pull:
        """Pull a model. The same asked for again is the same pull, gone on with if it was held. Raises InvalidParams."""
        called = name or "-".join(part for part in (repo.rpartition("/")[2], variant) if part)
        pull = self._new(repo, revision or MAIN, variant, called)

        def work(tx: Tx) -> Pull:
            if (same := self._rows.same_in(tx, pull)) is not None:
                return self._requeue_in(tx, same.id)
            if name is not None and not self._catalog.is_free_in(tx, name):
                raise InvalidParams(path="name", problem=f"a model is called {name} already")
            self._rows.insert_in(tx, pull, "model.pull_queued")
            return pull

        started = await self._rows.database.write(work)
        self._wake.set()
        return self._live(started)

    async def get(self, pull_id: str) -> Pull:
        """One pull. Raises NotFound."""
        return self._live(await self._rows.get(pull_id))

    async def page(self, states: Collection[PullState] | None, limit: int, cursor: str | None) -> PullPage:
        """Some, newest first."""
        found = await self._rows.page(states, limit + 1, cursor)
        following = found[limit - 1].id if len(found) > limit else None
        return PullPage(pulls=[self._live(pull) for pull in found[:limit]], next=following)

    async def pause(self, pull_id: str) -> Pull:
        """Let it rest, in whatever state; what was fetched stays. Raises NotFound."""
        return await self._hold(pull_id, MOVING, "model.pull_paused", "paused")

    async def resume(self, pull_id: str) -> Pull:
        """Go on with one that rests or failed; any other comes back as it is. Raises NotFound."""
        pull = await self._rows.database.write(lambda tx: self._requeue_in(tx, pull_id))
        self._wake.set()
        return self._live(pull)

    async def cancel(self, pull_id: str) -> Pull:
        """Give it up and remove what was fetched. Raises NotFound."""
        pull = await self._hold(pull_id, MOVING | HELD, "model.pull_cancelled", "cancelled")
        if pull.state == "cancelled":
            await offload(self._pulling.clear, pull_id)
        return pull

    async def wait(self, pull_id: str, timeout_s: float) -> Pull:
        """The pull once it neither waits nor runs, or as it is after `timeout_s`. Raises NotFound."""
        subscription = self._bus.subscribe(_ENDS)
        try:
            async with asyncio.timeout(timeout_s):
                # Subscribed before the look, so that an end between the two isn't missed.
                while (await self._rows.get(pull_id)).state in MOVING:
                    if await subscription.get() is None:
                        subscription.close()
                        subscription = self._bus.subscribe(_ENDS)
        except TimeoutError:
            pass
        finally:
            subscription.close()
        return await self.get(pull_id)

    # -- the work

    async def run(self) -> None:
        """Work through them for as long as the daemon lives; what an earlier one was at goes first."""
        try:
            await offload(self._pulling.sweep, await self._rows.open_ids())
        except OSError as problem:
            _log.warning("what is left of old pulls can't be removed: %s", problem)
        while True:
            self._wake.clear()
            if (pull := await self._rows.following()) is None:
                await self._wake.wait()
                continue
            self._working = pull.id
            self._task = self._tasks.spawn(f"pull {pull.repo}", self._one(pull.id))
            await asyncio.wait([self._task])
            self._working = self._task = self._now = None

    async def _one(self, pull_id: str) -> None:
        """Work at one until it has ended in one way or another, and that is written down."""
        ending: Callable[[Tx], object] | None = None
        while True:
            try:
                if ending is None:
                    pull = await self._rows.change(pull_id, {"queued"}, "model.pulling", state="running", error=None)
                    if pull.state != "running":
                        return
                    self._now = pull
                    ending = await self._tried(pull)
                await self._rows.database.write(ending)
            except TendredError as problem:
                # Most likely the database's disk is full: nothing can be written down, so nothing is given up.
                _log.warning("the pull %s waits: %s", pull_id, problem)
                await self._rest(problem, STUCK_S)
            else:
                return

    async def _tried(self, pull: Pull) -> Callable[[Tx], object]:
        """Try, again where the network was to blame. Returns what is to be written down in the end."""
        pace, tries, best = Pace(self._clock), 0, -1

        def told(frame: Fetched) -> None:
            self._progress(frame, pace)

        while True:
            try:
                self._show(replace(pull, phase="fetching" if pull.commit else "looking", done_bytes=self._done()))
                pull, settled = await self._pulling.settle(pull)
                self._show(replace(pull, phase="fetching", done_bytes=self._done()))
                place = await self._pulling.fetch(pull, settled, told)
            except TendredError as problem:
                if isinstance(problem, DiskFull) and not problem.variant:
                    # The database's: whatever became of the pull could not be written down either.
                    await self._rest(problem, STUCK_S)
                    continue
                passing = isinstance(problem, ProviderUnavailable) and problem.variant in {"pull", "unreached"}
                # Where the plan is known, the host was there once.
                waits = UNREACHED_S if problem.variant == "unreached" and pull.commit is None else RETRIES_S
                reached = self._done()
                tries, best = (tries + 1, best) if reached <= best else (1, reached)
                if not passing or tries > len(waits):
                    return await self._failure(pull, problem)
                await self._rest(problem, waits[tries - 1])
            except Exception as fault:  # noqa: BLE001 - a fault of ours ends this pull, not the others
                return await self._failure(pull, fault)
            else:
                return lambda tx: self._finish_in(tx, pull, place)

    async def _failure(self, pull: Pull, problem: Exception) -> Callable[[Tx], object]:
        if isinstance(problem, NotFound) and problem.variant == "hub":
            problem.detail["near"] = difflib.get_close_matches(
                pull.repo, [repo for repo in await self._rows.repos() if repo != pull.repo], 3, 0.6
            )
        error, done = self._tell(problem), self._done()

        def work(tx: Tx) -> object:
            changes = {**_STILL, "state": "failed", "error": error, "done_bytes": done}
            return self._rows.change_in(tx, pull.id, {"running"}, "model.pull_failed", **changes)

        return work

    def _finish_in(self, tx: Tx, pull: Pull, place: Path) -> None:
        """The row of the model and the end of the pull, together."""
        other = f"{pull.name}-{(pull.commit or '')[:7]}"
        names = itertools.chain([pull.name, other], (f"{other}-{number}" for number in itertools.count(2)))
        name = next(name for name in names if self._catalog.is_free_in(tx, name, place))
        changes = {**_STILL, "state": "succeeded", "error": None, "finished_at": rfc3339(tx.now)}
        ended = self._rows.change_in(
            tx, pull.id, {"running"}, "model.pulled", name=name, done_bytes=pull.total_bytes, **changes
        )
        if ended.state == "succeeded":
            self._catalog.add_in(tx, ended.name, place)

    async def _rest(self, problem: TendredError, seconds: float) -> None:
        if self._now is not None:
            retry_at = rfc3339(self._clock.now() + seconds)
            self._show(replace(self._now, **{**_STILL, "error": self._tell(problem), "retry_at": retry_at}))
        await self._clock.sleep(seconds)

    # -- small things

    def _new(self, repo: str, revision: str, variant: str | None, name: str) -> Pull:
        return Pull(
            id=self._ids.new("pul"), state="queued", repo=repo, revision=revision, variant=variant,
            host=self._hub.host, name=name, commit=None, licence=None, gated=None, files=None, phase=None,
            done_bytes=0, total_bytes=None, rate_bytes=None, eta_s=None, created_at=rfc3339(self._clock.now()),
            finished_at=None, retry_at=None, error=None,
        )  # fmt: skip

    def _requeue_in(self, tx: Tx, pull_id: str) -> Pull:
        return self._rows.change_in(tx, pull_id, HELD, "model.pull_queued", state="queued", error=None)

    async def _hold(self, pull_id: str, allowed: Collection[PullState], topic: str, state: PullState) -> Pull:
        """Written down first, then stopped: a daemon that dies in between starts with it at rest."""
        changes: dict[str, Any] = {}
        if state == "cancelled":
            changes = {"finished_at": rfc3339(self._clock.now()), "done_bytes": 0}
        elif self._now is not None and self._now.id == pull_id:
            changes = {"done_bytes": self._done()}
        pull = await self._rows.change(pull_id, allowed, topic, state=state, **_STILL, **changes)
        if pull.state == state and self._working == pull_id and self._task is not None:
            self._task.cancel()
            # Its process is gone at once. A hash over a whole model, if it is at that, goes on by itself for a while.
            await asyncio.wait([self._task], timeout=STUCK_S)
        if pull.state == "paused":
            here = await offload(self._pulling.present, pull_id)
            pull = await self._rows.change(pull_id, {"paused"}, None, done_bytes=here)
        return pull

    def _done(self) -> int:
        return self._now.done_bytes if self._now is not None else 0

    def _live(self, pull: Pull) -> Pull:
        now = self._now
        if now is None or now.id != pull.id or pull.state != "running":
            return pull
        return replace(
            pull, phase=now.phase, done_bytes=now.done_bytes, rate_bytes=now.rate_bytes, eta_s=now.eta_s,
            retry_at=now.retry_at, error=now.error,
        )  # fmt: skip

    def _progress(self, frame: Fetched, pace: Pace) -> None:
        if self._now is None:
            return
        rate = pace.at(frame.done_bytes) if frame.phase == "fetching" else None
        missing = (self._now.total_bytes or frame.done_bytes) - frame.done_bytes
        self._show(
            replace(
                self._now, phase=frame.phase, done_bytes=frame.done_bytes, rate_bytes=rate,
                eta_s=left_s(rate, missing), retry_at=None, error=None,
            )
        )  # fmt: skip

    def _show(self, pull: Pull) -> None:
        self._now = pull
        at = rfc3339(self._clock.now())
        self._bus.publish(
            Event(
                seq=None, boot_id=self._boot_id, at=at, topic="model.pull_progress", job_id=None,
                data={"pull": asdict(pull)},
            )
        )  # fmt: skip
