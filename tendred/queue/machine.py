"""What may happen to a job. Pure: facts and an event in, a change out. The only place that knows the states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tendred.schema.error import ErrorInfo
from tendred.schema.job import TERMINAL, State

ENGINE_DEATHS: Final = 2
"""So often may a job's engine die before the job is parked, so that it can't loop."""
INTERRUPTIONS: Final = 5
"""So often may the daemon itself go away under a running job before the job is parked."""


@dataclass(frozen=True)
class Claimed:
    """A backend takes it."""


@dataclass(frozen=True)
class CancelAsked:
    """Somebody doesn't want it any more."""


@dataclass(frozen=True)
class Stopped:
    """The backend let go of it, as it was told to."""


@dataclass(frozen=True)
class Finished:
    """Everything asked for is in the library. `share` of the time since the claim was its own."""

    share: float = 1.0


@dataclass(frozen=True)
class Failed:
    """It can't be done."""

    error: ErrorInfo


@dataclass(frozen=True)
class EngineDied:
    """The engine process ended under it while the daemon lived."""

    error: ErrorInfo


@dataclass(frozen=True)
class Interrupted:
    """The daemon started and found it running."""

    error: ErrorInfo


@dataclass(frozen=True)
class PutBack:
    """Something outside the job is in the way (shutdown, full disk, pause): it waits again, and nothing is counted."""


@dataclass(frozen=True)
class Lost:
    """Nobody knows whether a provider took it (clips only)."""

    error: ErrorInfo


@dataclass(frozen=True)
class Found:
    """A person, or the provider's own list, says that it was taken, and by which name it is known there."""


Happening = Claimed | CancelAsked | Stopped | Finished | Failed | EngineDied | Interrupted | PutBack | Lost | Found


@dataclass(frozen=True)
class Facts:
    """What decides."""

    state: State
    attempts: int
    engine_deaths: int


@dataclass(frozen=True)
class Change:
    """The new state, the topic that tells it, and the counters."""

    state: State
    topic: str
    attempts: int
    engine_deaths: int
    error: ErrorInfo | None = None
    finished: bool = False


class IllegalTransitionError(Exception):
    """A fault of ours: this can't happen to a job in that state."""


def transition(facts: Facts, happening: Happening) -> Change | None:
    """The change, or None where the happening changes nothing (a cancel that comes too late, or twice)."""

    def change(
        state: State, topic: str, *, error: ErrorInfo | None = None, attempts: int = 0, deaths: int = 0
    ) -> Change:
        return Change(
            state,
            topic,
            facts.attempts + attempts,
            facts.engine_deaths + deaths,
            error,
            finished=state in TERMINAL,
        )

    match facts.state, happening:
        case "queued", Claimed():
            return change("running", "job.started", attempts=1)
        case "queued" | "parked", CancelAsked():
            return change("cancelled", "job.cancelled")
        case "running", CancelAsked():
            return change("cancelling", "job.cancelling")
        case "running" | "cancelling", Finished():
            return change("succeeded", "job.succeeded")
        case "running" | "cancelling", Lost(error):
            return change("unknown", "job.unknown", error=error)
        case "unknown", Found():
            return change("running", "job.started")
        case "running" | "cancelling" | "unknown", Failed(error):
            return change("failed", "job.failed", error=error)
        case "running" | "cancelling", Stopped():
            return change("cancelled", "job.cancelled")
        case "cancelling", EngineDied() | Interrupted() | PutBack():
            return change("cancelled", "job.cancelled")
        case "running", PutBack():
            return change("queued", "job.requeued", attempts=-1)
        case "running", EngineDied(error):
            if facts.engine_deaths + 1 >= ENGINE_DEATHS:
                return change("parked", "job.parked", error=error, deaths=1)
            return change("queued", "job.requeued", deaths=1)
        case "running", Interrupted(error):
            if facts.attempts - facts.engine_deaths >= INTERRUPTIONS:
                return change("parked", "job.parked", error=error)
            return change("queued", "job.requeued")
        case _, CancelAsked():
            return None
        case _:
            raise IllegalTransitionError(f"{type(happening).__name__} in state {facts.state}")


Left = Literal["queued", "running", "cancelling", "parked", "unknown"]
LEGAL: Final[frozenset[tuple[Left, type[Happening]]]] = frozenset({
    ("queued", Claimed), ("queued", CancelAsked), ("parked", CancelAsked), ("running", CancelAsked),
    ("running", Finished), ("cancelling", Finished), ("running", Failed), ("cancelling", Failed),
    ("running", Stopped), ("cancelling", Stopped), ("cancelling", EngineDied), ("cancelling", Interrupted),
    ("cancelling", PutBack), ("running", PutBack), ("running", EngineDied), ("running", Interrupted),
    ("running", Lost), ("cancelling", Lost), ("unknown", Found), ("unknown", Failed),
})  # fmt: skip
"""Every arrow that changes something, for tests and the page in ARCHITECTURE."""
