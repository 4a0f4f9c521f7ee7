"""One order on its way through the process: what came back of it, until it is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tendred.engine.answers import error_of
from tendred.errors import Cancelled, TendredError
from tendred.schema.frames import Done, Drawn, Failed, Glimpse, Phased, Stopped
from tendred.schema.work import PREVIEW_SIDE, Advance, Output, Preview, Report, WorkOrder


class BrokenWord(Exception):  # noqa: N818  read as a sentence: the child broke its word
    """The child said something that can't be: it is not to be trusted with anything any more."""


class Party:
    """Orders that the process gets in one go. The turn is theirs until the last of them is through with it."""

    def __init__(self, works: list[Work]) -> None:
        self.works = works
        self.inside = len(works)
        self.holds = False
        """Whether the turn is theirs."""
        self.door = asyncio.Lock()
        """Whoever comes first takes the turn."""
        self.handing_over = False
        """Whether one of them is at it for all; the next one goes on where that one is cancelled meanwhile."""

    @property
    def wanted(self) -> list[Work]:
        """Those that nobody has cancelled yet."""
        return [work for work in self.works if not work.over]


class Work:
    """Filled by whoever listens to the child, emptied by `Engine.run`.

    Only the newest progress and the newest preview are kept, so that a child that floods fills nothing.
    """

    def __init__(self, order: WorkOrder, mono: Callable[[], float]) -> None:
        self.order = order
        self.cancelled = False
        self.sent = False
        self.over = False
        self._error: TendredError | None = None
        self._left = set(order.indices)
        self._reports: deque[Report] = deque()
        self._mono = mono
        self._since: tuple[float, int] | None = None
        self._changed = asyncio.Event()

    def take(self, frame: Phased | Glimpse | Drawn | Done | Stopped | Failed) -> None:
        """A frame about this order. Raises BrokenWord."""
        if self.over:
            return
        match frame:
            case Phased():
                self._advance(frame)
            case Glimpse():
                self._newest(self._preview(frame))
            case Drawn():
                self._reports.append(self._output(frame))
            case Done():
                if self._left:
                    raise BrokenWord("it said done before every picture was there")
                self.end(None)
            case Stopped():
                if not self.cancelled:
                    raise BrokenWord("it stopped a job that nobody had stopped")
                self.end(Cancelled())
            case Failed():
                self.end(Cancelled() if self.cancelled else error_of(frame))
        self.poke()

    def end(self, error: TendredError | None) -> None:
        """Nothing more comes of it; the first ending counts."""
        if not self.over:
            self.over, self._error = True, error
            self.poke()

    def poke(self) -> None:
        """Let whoever waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for something about the process; raises the order's error if it ends before."""
        while not there() and not self.over:
            await self._changed.wait()
        if self._error is not None:
            raise self._error

    async def ended(self) -> None:
        """Wait until the process has nothing to do with it any more."""
        while not self.over:
            await self._changed.wait()

    async def report(self) -> Report | None:
        """The next report; None after the last. Raises what the order ended with, once its reports are read."""
        while not self._reports and not self.over:
            await self._changed.wait()
        if self._reports:
            return self._reports.popleft()
        if self._error is not None:
            raise self._error
        return None

    def _advance(self, frame: Phased) -> None:
        self._newest(Advance(phase=frame.phase, done=frame.done, total=frame.total, eta_s=self._eta(frame)))

    def _newest(self, report: Advance | Preview) -> None:
        """Take the place of the one of its kind that nobody has read yet, since the last picture."""
        for waiting in reversed(self._reports):
            if isinstance(waiting, Output):
                break
            if type(waiting) is type(report):
                self._reports.remove(waiting)
                break
        self._reports.append(report)

    def _preview(self, frame: Glimpse) -> Preview:
        sides = (frame.width, frame.height)
        fits = min(sides) >= 1 and max(sides) <= PREVIEW_SIDE and len(frame.rgb) == frame.width * frame.height * 3
        if not fits or frame.index not in self._left:
            raise BrokenWord("it sent a preview that can't be one")
        return Preview(
            index=frame.index, done=frame.done, total=frame.total, width=frame.width, height=frame.height, rgb=frame.rgb
        )

    def _eta(self, frame: Phased) -> float | None:
        """Seconds left, by the pace since the first step; the first one is slower than the others."""
        if frame.phase not in {"sampling", "rendering"} or frame.total is None:
            return None
        now = self._mono()
        if self._since is None:
            self._since = now, frame.done
        since, first = self._since
        steps = frame.done - first
        return round((now - since) / steps * max(0, frame.total - frame.done), 3) if steps > 0 else None

    def _output(self, frame: Drawn) -> Output:
        # The path goes on to other rooms, so it is the one that was agreed on and no other.
        expected = Path(self.order.staging) / f"{self.order.job_id}-{frame.index}.rgb"
        if frame.index not in self._left or frame.path != str(expected) or min(frame.width, frame.height) < 1:
            raise BrokenWord("it sent a picture that nobody had asked for")
        self._left.discard(frame.index)
        return Output(
            index=frame.index,
            path=frame.path,
            width=frame.width,
            height=frame.height,
            seed=frame.seed,
            pixels_sha256=frame.pixels_sha256,
            engine=frame.engine,
            findings=frame.findings,
        )
