"""Owns the media child: starts it when a file is wanted, hands it calls, survives its death, lets it go when idle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tendred.backend import Spawn
from tendred.children import Child
from tendred.clock import Clock
from tendred.config.schema import MediaSection
from tendred.errors import (
    Cancelled,
    ClipUnreadable,
    DiskFull,
    EngineMissing,
    FolderUnwritable,
    Internal,
    OutputWithheld,
    ShuttingDown,
    SignerBroken,
    StillNotOurs,
    TendredError,
)
from tendred.schema.footage import Enlarge, Enlarged, Footage, Look, Plain, Probe, Shown
from tendred.schema.frames import (
    ClipRequest,
    ClipStep,
    EncodeFailed,
    EncodeRequest,
    Hello,
    Leave,
    MediaAnswer,
    Ready,
    ShrinkRequest,
    SignRequest,
    Up,
    VerifyRequest,
)
from tendred.schema.marks import Sign, Signing, Verified, Verify
from tendred.schema.work import Encode, Encoded, Shrink, Shrunk
from tendred.tasks import Tasks

MODULE: Final = "tendred.media.worker"
IN_FLIGHT: Final = 16
"""Calls in the child at once. Bounded, so that its answers always fit in the pipe while we are still writing."""
STRIKES: Final = 2
TICK_S: Final = 1.0
Work = Encode | Shrink | Sign | Verify | Probe | Enlarge | Look | Plain
Told = Callable[[int, int], None]

_log = logging.getLogger(__name__)


@dataclass
class _Call:
    """Something that somebody waits for. `strikes` counts the children that ended while they worked on it."""

    work: Work
    told: Told | None
    answer: asyncio.Future[Any]
    sent: bool = False
    strikes: int = 0


class MediaProcess:
    """See backend.Media and backend.ClipMedia.

    The child works through its calls in order, so the oldest one is the one it is at: the clock runs for that
    one, and a death is held against that one alone. It is repeated once in a new child, the others as often
    as it takes.
    """

    def __init__(
        self, *, config: MediaSection, signing: Signing | None, spawn: Spawn, clock: Clock, tasks: Tasks, stderr: Path
    ) -> None:
        self._config = config
        self._signing = signing
        self._spawn = spawn
        self._clock = clock
        self._tasks = tasks
        self._stderr = stderr
        self._calls: dict[int, _Call] = {}
        self._number = 0
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._child: Child | None = None  # set while it takes calls
        self._serving: asyncio.Task[None] | None = None
        self._since = 0.0  # when the oldest call came up, or, without calls, when the child was last wanted
        self._why = ""  # why we ended the child; empty when it died of its own
        self._idle = False
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it takes calls."""
        return self._child.pid if self._child is not None else None

    async def encode(self, work: Encode) -> Encoded:
        return await self._done(work)

    async def shrink(self, work: Shrink) -> Shrunk:
        return await self._done(work)

    async def sign(self, work: Sign) -> Encoded:
        return await self._done(work)

    async def verify(self, work: Verify) -> Verified:
        return await self._done(work)

    async def probe(self, path: str) -> Footage:
        return await self._done(Probe(path=path))

    async def look(self, work: Look) -> Shown:
        return await self._done(work)

    async def plain(self, work: Plain) -> Shown:
        return await self._done(work)

    async def enlarge(self, work: Enlarge, told: Told) -> Enlarged:
        return await self._done(work, told)

    async def _done(self, work: Work, told: Told | None = None) -> Any:
        async with self._slots:
            if self._closed:
                raise ShuttingDown
            if not self._calls:
                self._since = self._clock.mono()
            self._number += 1
            number, call = self._number, _Call(work, told, asyncio.get_running_loop().create_future())
            self._calls[number] = call
            self._ensure()
            try:
                if self._child is not None:
                    await self._hand(self._child, number, call)
            except asyncio.CancelledError:
                self._calls.pop(number, None)
                raise
            # A caller that is cancelled from here on leaves its call in place until the child has dealt with it.
            try:
                return await call.answer
            except asyncio.CancelledError:
                if self._child is not None and told is not None:
                    await self._child.send(Leave(call=number))
                raise

    async def prewarm(self) -> None:
        if not self._closed:
            if not self._calls:
                self._since = self._clock.mono()
            self._ensure()

    async def close(self) -> None:
        """End the child. Calls still open raise ShuttingDown."""
        self._closed = True
        if self._serving is not None:
            serving = self._serving
            serving.cancel()
            await asyncio.wait([serving])

    def _ensure(self) -> None:
        if self._serving is None:
            self._serving = self._tasks.spawn("media", self._serve())

    async def _serve(self) -> None:
        """One child after another, as long as calls are open."""
        leftover: TendredError = Internal(problem="the media supervisor ended")
        try:
            await self._live()
            while self._calls:
                await self._live()
        except asyncio.CancelledError:
            leftover = ShuttingDown()
            raise
        finally:
            self._serving = None
            for call in self._calls.values():
                if not call.answer.done():
                    call.answer.set_exception(leftover)
            self._calls.clear()

    async def _live(self) -> None:
        """One child, from its start to its end."""
        self._why, self._idle, self._since = "", False, self._clock.mono()
        try:
            child = await Child.start(self._spawn, MODULE, {}, self._stderr)
        except OSError as problem:
            self._strike(str(problem), everyone=True)
            return
        guard = self._tasks.spawn("media watchdog", self._watch(child))
        ready = False
        status = 0
        try:
            await child.send(Hello(signing=self._signing, output_check=self._config.output_check))
            ready = isinstance(await child.read(), Ready)
            if ready:
                await self._talk(child)
        finally:
            self._child = None
            guard.cancel()
            status = await child.end()
        if not self._idle:
            self._strike(self._why or f"it ended with status {status}", everyone=not ready)

    async def _talk(self, child: Child) -> None:
        while waiting := [item for item in self._calls.items() if not item[1].sent]:
            for number, call in waiting:
                await self._hand(child, number, call)
        self._since = self._clock.mono()
        self._child = child
        while (frame := await child.read()) is not None:
            self._take(frame)

    async def _hand(self, child: Child, number: int, call: _Call) -> None:
        call.sent = True
        match call.work:
            case Encode() as work:
                await child.send(EncodeRequest(call=number, work=work, quality=self._config.jpeg_quality))
            case Shrink() as work:
                await child.send(ShrinkRequest(call=number, work=work))
            case Sign() as work:
                await child.send(SignRequest(call=number, work=work))
            case Verify() as work:
                await child.send(VerifyRequest(call=number, work=work))
            case work:
                await child.send(ClipRequest(call=number, work=work))

    def _take(self, frame: Up) -> None:
        if isinstance(frame, ClipStep):
            self._step(frame)
        if not isinstance(frame, MediaAnswer):
            return
        call = self._calls.pop(frame.call, None)
        self._since = self._clock.mono()
        if call is None or call.answer.done():
            return
        if isinstance(frame, EncodeFailed):
            call.answer.set_exception(_error(frame))
        else:
            call.answer.set_result(frame.made)

    def _step(self, frame: ClipStep) -> None:
        """It is at work: a long clip may take as long as it likes, as long as pictures come."""
        self._since = self._clock.mono()
        call = self._calls.get(frame.call)
        if call is not None and call.told is not None and not call.answer.done():
            call.told(frame.done, frame.total)

    async def _watch(self, child: Child) -> None:
        """Kill a child that is stuck, or has had nothing to do for long enough."""
        while True:
            busy = bool(self._calls) or self._child is None
            limit = self._config.timeout_s if busy else self._config.keep_alive_s
            left = self._since + limit - self._clock.mono()
            if left <= 0:
                break
            await self._clock.sleep(min(left, TICK_S))
        self._child = None  # from here on a new call waits for the next child
        self._idle = not busy
        self._why = f"it did not answer within {limit:g} s"
        child.kill()

    def _strike(self, problem: str, *, everyone: bool) -> None:
        """The child is gone: hold it against the call it was at (or everyone, if it never got ready)."""
        _log.warning("the media process is gone: %s", problem)
        for place, (number, call) in enumerate(list(self._calls.items())):
            call.sent = False
            call.strikes += everyone or place == 0
            if call.answer.done():
                del self._calls[number]
            elif call.strikes >= STRIKES:
                del self._calls[number]
                call.answer.set_exception(_gone(call.work, problem))


def _gone(work: Work, problem: str) -> TendredError:
    """What ended two children: a clip that came from elsewhere may be made for that."""
    if isinstance(work, Probe | Look):
        return ClipUnreadable(problem=f"the process that read it ended: {problem}")
    return Internal(problem=f"the media process is gone: {problem}")


def _error(frame: EncodeFailed) -> TendredError:
    match frame.kind:
        case DiskFull.kind:
            return DiskFull(folder=frame.folder)
        case FolderUnwritable.kind:
            return FolderUnwritable(folder=frame.folder, problem=frame.problem)
        case ClipUnreadable.kind:
            return ClipUnreadable(problem=frame.problem)
        case EngineMissing.kind:
            return EngineMissing(frame.variant, problem=frame.problem)
        case StillNotOurs.kind:
            return StillNotOurs(frame.variant)
        case SignerBroken.kind:
            return SignerBroken(frame.variant, **frame.detail)
        case OutputWithheld.kind:
            return OutputWithheld(frame.variant, **frame.detail)
        case Cancelled.kind:
            return Cancelled()
        case _:
            return Internal(problem=frame.problem)
