"""One watched folder: two loops, one that takes files in and one that hands results over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from tendred.core.studio import Submission
from tendred.errors import (
    DiskFull,
    FolderUnwritable,
    Internal,
    InvalidParams,
    QueueFull,
    ShuttingDown,
    SlowDown,
    TendredError,
)
from tendred.hotfolder import claim, deliver, ground
from tendred.hotfolder.alone import Alone
from tendred.hotfolder.handover import Handover
from tendred.hotfolder.outcome import pointed
from tendred.hotfolder.parse import Parsed, parse
from tendred.hotfolder.pending import ENDED, RETRY_S, Blocked, Parts, Pending, Tracker
from tendred.hotfolder.settle import Settler, ignored, where
from tendred.hotfolder.wake import Alarm, from_thread
from tendred.hotfolder.watch import Watch, silent
from tendred.schema.clip import ClipRequest
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin, Submitted
from tendred.schema.system import HotFolder
from tendred.tasks import offload

_LATER: Final = (QueueFull, ShuttingDown, DiskFull, FolderUnwritable, SlowDown)
"""Not the file's fault: it stays claimed and is submitted again."""

_POLL_S: Final = 1.0
_BUSY_S: Final = 0.02
_BUSY_TRIES: Final = 3
_RECHECKED: Final = 100
_log = logging.getLogger(__name__)


class Spot:
    """One watched folder. Use from the loop's thread."""

    def __init__(self, hotfolder_id: str, root: Path, parts: Parts) -> None:
        self.id = hotfolder_id
        self.root = root
        self._parts = parts
        self._desk, self._fs, self._clock = parts.desk, parts.fs, parts.clock
        self._settler = Settler(parts.config.settle_s)
        self._in = Alarm(f"{hotfolder_id} in", parts.clock, parts.tasks)
        self._out = Alarm(f"{hotfolder_id} out", parts.clock, parts.tasks)
        self._blocked = Blocked(root)
        self._handover = Handover(hotfolder_id, root, parts, self._blocked, self._out)
        self._tracker = Tracker(parts.desk, self._handover.ready)
        self._pending = self._handover.pending
        self._alone = Alone()
        self._watch: Watch | None = None
        self._poll = False
        self._rescan_at = 0.0
        self._busy: dict[str, int] = {}
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to watch."""
        spawn = self._parts.tasks.spawn
        self._loops = [
            spawn(f"{self.id} intake", self._loop(self._in, self._intake)),
            spawn(f"{self.id} delivery", self._loop(self._out, self._handover.work)),
        ]

    async def stop(self) -> None:
        """Stop watching, after the file operation under way. Nothing is lost: the next start goes on."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._in.stop()
        self._out.stop()
        await self._unwatch()
        self._alone.release()

    def rescan(self) -> None:
        """Look through the whole folder soon."""
        self._rescan_at = 0.0
        self._in.ring()

    def job_ended(self, job_id: str) -> None:
        """A job of any door is finished."""
        self._tracker.ended(job_id)

    async def recheck(self) -> None:
        """News of jobs were lost: ask for all that are open."""
        await self._tracker.recheck(list(self._pending.values()))

    async def describe(self) -> HotFolder:
        """The folder with its counts."""
        there, waiting, done, failed = await offload(_counts, self.root)
        present: Literal["ok", "unwritable"] = "unwritable" if self._blocked else "ok"
        return HotFolder(
            id=self.id,
            path=str(self.root),
            watch="poll" if self._poll else "events",
            state=present if there else "missing",
            waiting=waiting,
            claimed=len(self._pending),
            done=done,
            failed=failed,
        )

    async def _loop(self, alarm: Alarm, work: Callable[[], Awaitable[float | None]]) -> None:
        while True:
            try:
                alarm.ring_at(await work())
            except OSError as error:
                self._blocked.add("all files", error)
                alarm.ring_at(self._clock.mono() + RETRY_S[0] * 4)
            except Exception as error:  # noqa: BLE001 - one bad file must not end the watch; `tell` logs it
                self._desk.tell(error)
                alarm.ring_at(self._clock.mono() + RETRY_S[1])
            else:
                self._blocked.discard("all files")
            await alarm.wait()

    async def _intake(self) -> float | None:
        if self._clock.mono() >= self._rescan_at:
            await self._scan()
        now = self._clock.mono()
        names = self._settler.due(now)
        looks = await offload(claim.look_at, self.root, names) if names else []
        for name, look in zip(names, looks, strict=True):
            if self._settler.finished(name, look, now):
                await self._claim(name)
        for pending in [one for one in self._pending.values() if one.rows is not None]:
            if pending.retry_at <= self._clock.mono():
                await self._submit(pending)
        times = [self._rescan_at, *(one.retry_at for one in self._pending.values() if one.rows is not None)]
        look_at = self._settler.next_due()
        return min(times if look_at is None else [*times, look_at])

    # The folder as a whole

    async def _scan(self) -> None:
        poll_s = min(_POLL_S, self._parts.config.rescan_s)
        found = await offload(claim.survey, self.root)
        if found is not None and found.identity != self._handover.identity:
            await self._opened(found.identity)
            found = await offload(claim.survey, self.root)
        now = self._clock.mono()
        if found is None or found.identity != self._handover.identity:
            await self._closed()
            self._rescan_at = now + poll_s
            return
        self._rescan_at = now + (poll_s if self._poll else self._parts.config.rescan_s)
        self._settler.scanned(found.names, now)
        self._busy = {name: tries for name, tries in self._busy.items() if name in set(found.names)}
        for claim_id in found.claims:
            if claim_id not in self._pending:
                await self._adopt(claim_id)
        waiting = [pending for pending in self._pending.values() if pending.open]
        await self._tracker.recheck(waiting[:_RECHECKED])

    async def _opened(self, identity: claim.Identity) -> None:
        """The folder is there, for the first time or again, or another one stands in its place."""
        await self._closed()
        await offload(self._alone.take, self.root)
        config, loop = self._parts.config, asyncio.get_running_loop()
        self._poll = config.poll == "always" or (config.poll == "auto" and await offload(silent, self.root))
        self._handover.identity = identity
        if config.poll == "always":
            return

        try:
            # Kept before it starts: whoever is stopped meanwhile must still be able to stop it.
            self._watch = Watch(self.root, from_thread(loop, self._hint), from_thread(loop, self.rescan))
            await offload(self._watch.start)
        except OSError as error:
            # No inotify watches left, or none on this file system: looking every second does the same, later.
            _log.warning("no events for %s, it is polled: %s", self.root, error)
            self._poll = True

    async def _closed(self) -> None:
        """The folder is gone, and with it what is known of it; its claims are found again when it is back."""
        await self._unwatch()
        self._alone.release()
        self._settler.clear()
        self._handover.clear()
        self._tracker.clear()

    async def _unwatch(self) -> None:
        if self._watch is not None:
            watch, self._watch = self._watch, None
            await offload(watch.stop)

    def _hint(self, name: str, finished: bool) -> None:  # noqa: FBT001 - the shape of watch.Hint
        if ignored(name):
            return
        if finished:
            self._settler.closed(name, self._clock.mono())
        else:
            self._settler.appeared(name, self._clock.mono())
        self._in.ring()

    # One file

    async def _claim(self, name: str) -> None:
        claim_id, now = self._parts.ids.ulid(), self._clock.mono()
        try:
            pending = await offload(self._take, name, claim_id)
        except claim.Busy:
            # A close is told a moment before the kernel counts the writer as gone.
            self._busy[name] = tries = self._busy.get(name, 0) + 1
            if tries <= _BUSY_TRIES:
                self._settler.closed(name, now, _BUSY_S)
            else:
                self._settler.again(name, now)
        except OSError as error:
            self._blocked.add("prompt files", error)
            wait_s = RETRY_S[0] * 4
            self._settler.again(name, now, wait_s)
            # If it was moved before the failure, the scan finds it among the claims.
            self._rescan_at = min(self._rescan_at, now + wait_s)
        else:
            self._blocked.discard("prompt files")
            self._busy.pop(name, None)
            if pending is not None:
                await self._begin(pending)

    def _take(self, name: str, claim_id: str) -> Pending | None:
        folder = claim.take(self._fs, self.root, name, claim_id)
        return None if folder is None else self._load(Pending(claim_id, claim.kept_name(name), folder))

    def _load(self, pending: Pending) -> Pending:
        try:
            data = claim.read(pending.folder, pending.name, self._parts.config.max_bytes)
            pending.rows = parse(pending.name, data)
        except TendredError as error:
            pending.refused = error
        return pending

    async def _adopt(self, claim_id: str) -> None:
        """Go on with a claim of an earlier run, or with one that was broken off."""
        try:
            pending = await offload(self._left, claim_id)
        except OSError as error:
            self._blocked.add("prompt files", error)
            return
        except Exception as fault:  # noqa: BLE001 - a fault of ours with one claim must not stop the folder's others
            self._desk.tell(fault)
            return
        if pending is not None:
            await self._begin(pending)

    def _left(self, claim_id: str) -> Pending | None:
        folder = where(self.root)[0] / claim_id
        plan, name = deliver.read_plan(folder), claim.dropped_name(folder)
        if plan is not None:
            return Pending(claim_id, plan.file, folder, plan=plan)
        if name is not None:
            pending = Pending(claim_id, name, folder)
            if not claim.attempt(self._fs, folder):
                pending.refused = Internal()
                return pending
            self._load(pending)
            claim.parsed(self._fs, folder)
            return pending
        claim.clear(self._fs, folder)
        return None

    async def _begin(self, pending: Pending) -> None:
        self._pending[pending.id] = pending
        if pending.refused is not None:
            pending.error = self._told(pending, pending.refused)
        if pending.rows is None:
            self._handover.ready(pending)
        else:
            await self._submit(pending)

    def _told(self, pending: Pending, error: Exception) -> ErrorInfo:
        """In words; of several rows one may be bad, and then it is said that the good ones weren't made either."""
        told = pointed(self._desk.tell(error), pending.rows or [])
        several = len(pending.rows or []) > 1 or (isinstance(error, TendredError) and error.detail.get("several_rows"))
        if not several:
            return told
        none = self._desk.tell(InvalidParams("none_made", file=pending.name))
        return msgspec.structs.replace(told, next=f"{none.message} {told.next}")

    async def _submit(self, pending: Pending) -> None:
        """Submit all rows of a claim. The keys are made of claim and row, so that a second time makes no second job."""
        rows = pending.rows or []
        try:
            submitted = await self._submitted(pending, rows)
        except _LATER as error:
            pending.postpone(self._clock.mono(), error.detail.get("retry_after_s"))
            return
        except Exception as error:  # noqa: BLE001 - any failure is told in a reason file; `tell` logs it
            pending.error, pending.rows = self._told(pending, error), None
            self._handover.ready(pending)
            return
        pending.rows, pending.failures, pending.retry_at = None, 0, 0.0
        pending.jobs = [one.job.id for one in submitted]
        pending.prompts = [request.prompt for request, _ in rows]
        self._tracker.expect(pending, {one.job.id for one in submitted if one.job.state not in ENDED})
        if not all(one.deduplicated for one in submitted):
            await self._handover.announce("claimed", pending.id, pending.name, pending.jobs)

    async def _submitted(self, pending: Pending, rows: Parsed) -> list[Submitted]:
        origin, submissions = Origin(door="hotfolder", file=pending.name), list[Submission]()
        for index, (request, asked) in enumerate(rows):
            key = f"hot:{pending.id}:{index}"
            if isinstance(request, ClipRequest):  # `parse` saw to it that it is alone
                await offload(ground.check, self.root, "kind")
                return [await self._desk.stand(request, asked, key, origin, f"hotfolder:{self.root}")]
            submissions.append(Submission(request=request, asked=asked, key=key))
        return await self._desk.submit(submissions, origin)


def _counts(root: Path) -> tuple[bool, int, int, int]:
    """Whether it is there; prompt files waiting, done and failed."""
    try:
        found = claim.survey(root)
    except OSError:
        return True, 0, 0, 0  # it is there; why it can't be read, the intake says
    _, done, failed = where(root)
    if found is None:
        return False, 0, 0, 0
    return True, len(found.names), deliver.count_done(done), deliver.count_failed(failed)
