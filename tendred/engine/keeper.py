"""Keeps the engine process: starts it, hears it, watches it, and notes how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.backend import Spawn
from tendred.children import Child
from tendred.clock import Clock, Rng, rfc3339
from tendred.config.schema import EngineSection
from tendred.engine.answers import ending
from tendred.engine.restarts import Restarts
from tendred.engine.session import Session
from tendred.engine.work import BrokenWord, Work
from tendred.errors import Cancelled, EngineDied, EngineMissing, ShuttingDown, TendredError
from tendred.schema.frames import (
    Done,
    Drawn,
    Failed,
    Glimpse,
    Hello,
    ModelGone,
    ModelLoaded,
    Phased,
    Ready,
    Stopped,
    Up,
)
from tendred.schema.model import LoadedModel
from tendred.schema.system import EngineState, EngineStateName
from tendred.tasks import Tasks

MODULE: Final = "tendred.engine.worker"
KEY_BYTES: Final = 32
SECOND_LOOK_S: Final = 3.0
"""Three beats: how long a silent process is listened to once more before it is killed."""
LAST_WORDS_S: Final = 0.5
"""How long a child that closed its pipe, or spoke nonsense, gets to end by itself."""

Announce = Callable[[str, dict[str, Any]], None]
"""Called with a topic (engine.started|stopped|died, model.loaded|unloaded) and the event's data."""


class Keeper:
    """At most one process at a time: `session`. `current` is the work it is busy with: one order, or several in one go."""

    def __init__(
        self,
        *,
        config: EngineSection,
        spawn: Spawn,
        clock: Clock,
        tasks: Tasks,
        rng: Rng,
        announce: Announce,
        stderr: Path,
    ) -> None:
        self._config = config
        self._spawn = spawn
        self._clock = clock
        self._tasks = tasks
        self._rng = rng
        self._announce = announce
        self._stderr = stderr
        self._restarts = Restarts()
        self._missing: str | None = None
        self.session: Session | None = None
        self.current: list[Work] = []
        self.closing = False

    def state(self) -> EngineState:
        """The process, in words."""
        session = self.session
        if session is None:
            name: EngineStateName = "unstable" if self.unstable_s() else "missing" if self._missing else "off"
            return EngineState(state=name, device=None, model=None, pid=None)
        name = "starting" if session.ready is None else "busy" if self.current else "idle"
        device = session.ready.device if session.ready is not None else None
        return EngineState(state=name, device=device, model=next(iter(session.models), None), pid=session.child.pid)

    def unstable_s(self) -> float:
        """Seconds for which it should be left alone; 0 when it may be started."""
        return self._restarts.left_s(self._clock.mono())

    async def start(self) -> Session:
        """The running process, or a new one, not ready yet. Raises EngineDied when the system won't have one more."""
        if self.session is not None and self.session.deaf:
            await self.session.gone.wait()
        if self.session is not None:
            return self.session
        key = self._rng.bytes(KEY_BYTES)
        try:
            child = await Child.start(self._spawn, MODULE, {}, self._stderr)
        except OSError as problem:
            self._restarts.died(0, self._clock.mono())
            raise EngineDied(problem=f"it can't be started: {problem.strerror or problem}") from problem
        session = self.session = Session(child, key, self._clock.mono())
        self._tasks.spawn("engine-listen", self._listen(session))
        session.watcher = self._tasks.spawn("engine-watch", self._watch(session))
        await child.send(Hello(key=key, threads=self._config.threads, device=self._config.device))
        return session

    async def end(self, session: Session) -> None:
        """End a process that has nothing to do any more, and wait until it is gone."""
        session.wanted = True
        await session.child.end()
        await session.gone.wait()

    async def _listen(self, session: Session) -> None:
        """Hear a process out, then note how it ended."""
        try:
            while (frame := await session.child.read()) is not None:
                session.heard_at = self._clock.mono()
                self._hear(session, frame)
            if session.child.garbled:
                session.doom("it sent what is no frame")
        except BrokenWord as problem:
            session.doom(str(problem))
        finally:
            session.deaf = True
            status = await session.child.end(LAST_WORDS_S)
            self._bury(session, status)

    def _hear(self, session: Session, frame: Up) -> None:
        match frame:
            case Ready():
                session.ready, session.ready_at, self._missing = frame, self._clock.mono(), None
                self._announce("engine.started", self._engine())
            case Failed(job_id="", kind="engine_missing"):
                session.missing = str(frame.detail.get("problem") or "")
            case ModelLoaded():
                self._model_loaded(session, frame)
            case ModelGone():
                self._model_gone(session, frame.model)
            case Phased() | Glimpse() | Drawn() | Done() | Stopped() | Failed():
                for work in self.current:
                    if work.sent and work.order.job_id == frame.job_id:
                        work.take(frame)
            case _:
                pass
        session.poke()
        for work in self.current:
            work.poke()

    async def _watch(self, session: Session) -> None:
        """Kill a process that isn't ready in time, or that shows no sign of life."""
        while True:
            limit = self._config.heartbeat_s if session.ready else self._config.start_timeout_s
            since = session.heard_at if session.ready else session.started_at
            left = since + limit - self._clock.mono()
            if left > 0:
                await self._clock.sleep(min(left, self._config.heartbeat_s))
                continue
            # Perhaps it was the daemon that slept (a suspended machine): what waits in the pipe is read first.
            heard = session.heard_at
            await self._clock.sleep(SECOND_LOOK_S)
            if session.ready is None or session.heard_at == heard:
                words = "no sign of life for" if session.ready else "not ready after"
                session.doom(f"{words} {limit:g} s")
                return

    def _bury(self, session: Session, status: int) -> None:
        """The process is gone: models, job and statistics learn of it."""
        session.gone.set()
        if session.watcher is not None:
            session.watcher.cancel()
        if self.session is session:
            self.session = None
        for name in tuple(session.models):
            self._model_gone(session, name)
        problem = session.problem or ending(status)
        now = self._clock.mono()
        if session.missing is not None:
            self._missing = session.missing
        elif not session.wanted and not self.closing:
            self._restarts.died(session.lived_s(now), now)
            self._announce("engine.died", {**self._engine(), "problem": problem})
        elif session.ready is not None:
            self._announce("engine.stopped", self._engine())
        for work in self.current:
            work.end(self._verdict(session, work, problem))
        session.poke()

    def _verdict(self, session: Session, work: Work, problem: str) -> TendredError:
        """What the end of the process means for its job."""
        if work.cancelled:
            return Cancelled()
        if self.closing:
            return ShuttingDown()
        if session.missing is not None:
            return EngineMissing(problem=session.missing)
        return EngineDied(problem=problem)

    def _model_loaded(self, session: Session, frame: ModelLoaded) -> None:
        wanted = [work.order.model for work in self.current]
        if frame.model not in wanted or frame.model in session.models:
            return
        model = LoadedModel(
            model=frame.model,
            device=frame.device,
            bytes=frame.bytes,
            loaded_at=rfc3339(self._clock.now()),
            expires_at=None,
            busy=False,
        )
        session.models[frame.model] = model
        self._announce("model.loaded", {"model": msgspec.to_builtins(model)})

    def _model_gone(self, session: Session, name: str) -> None:
        model = session.models.pop(name, None)
        if model is not None:
            self._announce("model.unloaded", {"model": msgspec.to_builtins(model)})

    def _engine(self) -> dict[str, Any]:
        return {"engine": msgspec.to_builtins(self.state())}
