"""A job: work that was accepted, and where it stands."""

from __future__ import annotations

from typing import Any, Literal

from tendred.schema.base import Record
from tendred.schema.error import ErrorInfo
from tendred.schema.still import Kind, Lane

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "parked", "unknown"]
TERMINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
Phase = Literal["loading", "sampling", "decoding", "saving", "uploading", "rendering", "downloading"]


class Origin(Record, frozen=True):
    """Where a request came in. `file` is the prompt file's name as dropped."""

    door: Literal["rpc", "hotfolder", "cli", "plugin", "compat"]
    client: str | None = None
    file: str | None = None


class Progress(Record, frozen=True):
    """How far a running job is: `done` of `total` in `phase`, seconds left if they can be told."""

    phase: Phase
    done: int
    total: int | None
    eta_s: float | None


class Repeated(Record, frozen=True):
    """A job that follows the recipe of `asset_id`: whether the same pixels were promised, and came (null: not made yet)."""

    asset_id: str
    promised: bool
    equal: bool | None


class PreviewInfo(Record, frozen=True):
    """A rough picture of the `index`-th output after `done` of `total` steps: `data` is base64 of `bytes` bytes."""

    index: int
    done: int
    total: int
    width: int
    height: int
    media_type: str
    bytes: int
    data: str


class Job(Record, frozen=True):
    """One accepted piece of work. `request` holds the final values, after plugins and expansion.

    `position` counts the jobs before it in line; `eta_s` the seconds until it is expected to be done, where the
    models that come before it were measured. `removed`: words that the boundary left out of what is drawn.
    """

    id: str
    kind: Kind
    state: State
    lane: Lane
    rev: int
    request: dict[str, Any]
    origin: Origin
    progress: Progress | None
    position: int | None
    attempts: int
    engine_deaths: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    asset_ids: list[str]
    error: ErrorInfo | None
    retry_of: str | None
    policy: str
    clip: dict[str, Any] | None
    eta_s: float | None = None
    again: Repeated | None = None
    removed: list[str] = []


class Submitted(Record, frozen=True):
    """The answer to a submit; `deduplicated` says that the idempotency key had made this job before."""

    job: Job
    deduplicated: bool


class Previewed(Record, frozen=True):
    """The newest preview of a running job; null while there is none."""

    preview: PreviewInfo | None


class JobPage(Record, frozen=True):
    """A page of jobs, newest first."""

    jobs: list[Job]
    next: str | None


class QueueStatus(Record, frozen=True):
    """How full the queue is: jobs per state, queued jobs per lane and client, and whether it is paused, and why.

    `warm_s`: seconds for which jobs of a loaded model may pass one that is first in line. `eta_s`: seconds until
    nothing waits any more, where that is known.
    """

    paused: bool
    reason: str | None
    counts: dict[str, int]
    lanes: dict[str, int]
    clients: dict[str, int] = {}
    warm_s: float = 0.0
    eta_s: float | None = None
