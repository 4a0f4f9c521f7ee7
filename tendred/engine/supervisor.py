"""The engine as the rest of the house sees it: a Backend and a Residency over one process.

The process is started when there is work and ended when nobody needs it. It may die, hang or talk nonsense at any
moment; all of that ends one job, never the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

import msgspec

from tendred import __version__
from tendred.backend import Spawn
from tendred.clock import Clock, Rng, rfc3339
from tendred.config.schema import EngineSection
from tendred.engine.keeper import Announce, Keeper
from tendred.engine.session import Session
from tendred.engine.work import Party, Work
from tendred.errors import Cancelled, EngineDied, EngineMissing, ShuttingDown
from tendred.schema.asset import Identity
from tendred.schema.frames import Cancel, Previews, Run, Unload
from tendred.schema.model import LoadedModel
from tendred.schema.sealed import Reviewed
from tendred.schema.system import EngineState
from tendred.schema.work import Advance, Report, WorkOrder
from tendred.tasks import Tasks

POLL_S: Final = 0.5

Reseal = Callable[[Reviewed, bytes], Reviewed]
"""Opens an order's seal with the daemon's key and seals it for another; raises what the boundary raises."""


class Engine:
    """Draws, in a process of its own. One job at a time: a second `run` waits for the first.

    An engine that died five times in a row within 10 s is *unstable*: `state().state` says so, `unstable` is true,
    and `run` waits for up to 30 s before it tries again. So that a job doesn't wait as running, pause the queue
    (reason `engine_unstable`) after an EngineDied that leaves `unstable` true, and resume it after `wait_stable()`.
    """

    def __init__(
        self,
        *,
        config: EngineSection,
        spawn: Spawn,
        clock: Clock,
        tasks: Tasks,
        reseal: Reseal,
        rng: Rng,
        announce: Announce,
        stderr: Path,
    ) -> None:
        self._config = config
        self._clock = clock
        self._tasks = tasks
        self._reseal = reseal
        self._keeper = Keeper(
            config=config, spawn=spawn, clock=clock, tasks=tasks, rng=rng, announce=announce, stderr=stderr
        )
        self._turn = asyncio.Lock()
        self._works: dict[str, Work] = {}
        # The idle time that may still end the process, and the timer that does so (None once it is about to).
        self._rest: object | None = None
        self._timer: asyncio.Task[None] | None = None
        self._leave = False

    # Backend

    def run(self, order: WorkOrder) -> AsyncGenerator[Report, None]:
        """See Backend.run. Closing it early stops the job as a cancel does. Raises ShuttingDown after `close`."""
        return self.together([order])[0]

    def together(self, orders: list[WorkOrder]) -> list[AsyncGenerator[Report, None]]:
        """See Backend.together. The process gets all of them at once, without those that were cancelled before."""
        party = Party([Work(order, self._clock.mono) for order in orders])
        for work in party.works:
            self._works[work.order.job_id] = work
        return [self._reports(work, party) for work in party.works]

    async def _reports(self, work: Work, party: Party) -> AsyncGenerator[Report, None]:
        try:
            async with party.door:
                if not party.holds:
                    await self._turn.acquire()
                    party.holds, self._keeper.current = True, party.works
                    self._wake_up()
            yield Advance(phase="loading", done=0, total=None)
            while not work.sent:
                await work.until(lambda: work.sent or not party.handing_over)
                if not work.sent:
                    await self._hand_over(work, party)
            while (report := await work.report()) is not None:
                yield report
        finally:
            try:
                await self._wind_up(work, party)
            finally:
                self._works.pop(work.order.job_id, None)
                if party.holds and not party.inside:
                    self._turn.release()

    async def cancel(self, job_id: str) -> None:
        """See Backend.cancel: a word first, the kill after `cancel_grace_s`."""
        work, session = self._works.get(job_id), self._keeper.session
        if work is None or work.over or work.cancelled:
            return
        work.cancelled = True
        if not work.sent or session is None:
            work.end(Cancelled())
            return
        self._tasks.spawn("engine-insist", self._insist(session, work))
        await session.child.send(Cancel(job_id=job_id))

    async def previews(self, job_id: str, *, wanted: bool) -> None:
        """See Backend.previews."""
        work, session = self._works.get(job_id), self._keeper.session
        if work is None or work.over:
            return
        if not work.sent or session is None:
            work.order = msgspec.structs.replace(work.order, previews=wanted)
            return
        await session.child.send(Previews(job_id=job_id, wanted=wanted))

    # Residency

    async def identity(self) -> Identity:
        """See Residency.identity."""
        session = self._keeper.session or await self._started()
        try:
            await session.until(lambda: session.ready is not None)
        finally:
            if self._keeper.session is session:
                self._never_mind(session)
        if session.ready is None:
            if session.missing is not None:
                raise EngineMissing(problem=session.missing)
            raise EngineDied(problem=session.problem or "it ended while it started")
        fields = {name: getattr(session.ready, name) for name in ("device", "torch", "diffusers", "threads")}
        more = {name: getattr(session.ready, name) for name in ("hardware", "libraries", "dtypes")}
        return Identity(version=__version__, **fields, **more)

    async def _started(self) -> Session:
        """A process that nobody has work for yet."""
        async with self._turn:
            if self._keeper.closing:
                raise ShuttingDown
            if self.unstable:
                raise EngineDied(problem="it died too often to be started at once")
            return await self._keeper.start()

    def state(self) -> EngineState:
        """The process, in words."""
        return self._keeper.state()

    def loaded(self) -> list[LoadedModel]:
        """Models in memory; while one is busy its end isn't known."""
        if self._keeper.session is None:
            return []
        busy = self._keeper.current[0].order.model if self._keeper.current else None
        models = self._keeper.session.models.values()
        return [msgspec.structs.replace(m, busy=True, expires_at=None) if m.model == busy else m for m in models]

    async def unload(self, model: str | None) -> list[str]:
        """See Residency.unload."""
        session = self._keeper.session
        if session is None:
            return []
        names = [name for name in session.models if model in (None, name)]
        if model is None:
            await self._leave_now(session)
        elif names:
            await session.child.send(Unload(model=model))
            if not self._keeper.current:
                await session.until(lambda: model not in session.models)
                self._never_mind(session)
        return names

    # What app and core need besides

    @property
    def unstable(self) -> bool:
        """Whether it died too often to be started at once."""
        return self._keeper.unstable_s() > 0

    async def wait_stable(self) -> None:
        """Return when the engine may be started again: at once, or up to 30 s after its last death."""
        while (left := self._keeper.unstable_s()) > 0:
            await self._clock.sleep(left)

    async def close(self) -> None:
        """End the process, whatever it does. A job that runs ends with ShuttingDown, and so does any later one."""
        self._keeper.closing = True
        self._wake_up()
        for work in tuple(self._works.values()):
            if not work.sent:
                work.end(ShuttingDown())
        if self._keeper.session is not None:
            await self._keeper.end(self._keeper.session)

    # One job

    async def _hand_over(self, work: Work, party: Party) -> None:
        """Get a ready process and give it the orders, sealed for it. Raises what ends this order before that."""
        party.handing_over = True
        try:
            await self._sent(work, party)
        finally:
            party.handing_over = False
            for one in party.works:
                one.poke()

    async def _sent(self, work: Work, party: Party) -> None:
        while (left := self._keeper.unstable_s()) > 0 and not work.over:
            # In short naps, so that a cancel gets through.
            await self._clock.sleep(min(left, POLL_S))
        if self._keeper.closing:
            work.end(ShuttingDown())
        await work.until(lambda: True)
        session = await self._keeper.start()
        await work.until(lambda: session.ready is not None)
        sealed: list[WorkOrder] = []
        for one in party.wanted:
            reviewed = self._reseal(one.order.reviewed, session.key)
            sealed.append(msgspec.structs.replace(one.order, reviewed=reviewed))
            one.sent = True
        await session.child.send(Run(order=sealed[0], beside=sealed[1:]))

    async def _wind_up(self, work: Work, party: Party) -> None:
        """After the last report, or when nobody reads on: nothing of the job runs any more.

        The last of a party lets the process rest.
        """
        try:
            if work.sent and not work.over:
                await self.cancel(work.order.job_id)
                await work.ended()
        except asyncio.CancelledError:
            if self._keeper.session is not None:
                self._keeper.session.put_down()
            raise
        finally:
            work.end(Cancelled())
            party.inside -= 1
            if party.holds and not party.inside:
                self._keeper.current = []
                self._go_idle(work.order.keep_alive_s)
        if party.holds and not party.inside:
            session = self._keeper.session
            if self._leave and session is not None:
                await self._keeper.end(session)
            self._leave = False

    async def _insist(self, session: Session, work: Work) -> None:
        await self._clock.sleep(self._config.cancel_grace_s)
        if not work.over:
            session.put_down()

    # Idle time

    def _go_idle(self, keep_alive_s: float) -> None:
        """From here on the process costs memory for nothing: note when to end it."""
        session = self._keeper.session
        if session is None:
            return
        if keep_alive_s == 0:
            self._leave = True
        expires = rfc3339(self._clock.now() + keep_alive_s) if keep_alive_s > 0 else None
        for name, model in session.models.items():
            session.models[name] = msgspec.structs.replace(model, expires_at=expires)
        if keep_alive_s > 0:
            self._rest = rest = object()
            self._timer = self._tasks.spawn(
                "engine-rest", self._expire(session, rest, self._clock.mono() + keep_alive_s)
            )

    def _wake_up(self) -> None:
        """The idle time is over."""
        self._rest = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _expire(self, session: Session, rest: object, end: float) -> None:
        await self._clock.sleep(end - self._clock.mono())
        self._timer = None  # From here on it isn't cancelled any more: half an end would be worse than none.
        async with self._turn:
            if self._rest is rest and self._keeper.session is session:
                await self._keeper.end(session)

    def _never_mind(self, session: Session) -> None:
        """A process that was kept for its models' sake and has none any more gets the usual idle time."""
        if not session.models and self._rest is None and not self._keeper.current:
            self._go_idle(max(1.0, self._config.keep_alive_s))

    async def _leave_now(self, session: Session) -> None:
        """End an idle process; a busy one goes when its job is done."""
        if self._keeper.current:
            self._leave = True
            return
        async with self._turn:
            if self._keeper.session is session:
                await self._keeper.end(session)
