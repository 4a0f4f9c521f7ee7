"""What passes between the broker and an adapter of a provider. Nothing here holds a key or lasts as a URL."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record

Orientation = Literal["landscape", "portrait"]
RemotePhase = Literal["waiting", "rendering", "ready", "failed", "gone"]
CancelTruth = Literal["cancelled", "asked", "still_billed", "too_late"]


class Size(Record, frozen=True):
    """What a model renders at one size: seconds by rate (`"24"`, `"24000/1001"`)."""

    width: int
    height: int
    seconds: dict[str, list[int]]


class ProviderModel(Record, frozen=True):
    """One model of a provider. `replaced_by` is set where the provider has retired it."""

    name: str
    sizes: list[Size]
    seed: bool
    first_frame: bool
    last_frame: bool
    audio: bool
    prompt_chars: int | None
    replaced_by: str | None


class Features(Record, frozen=True):
    """What a provider declares. `result_s`: how long a finished clip can be fetched; `idempotency`: submits can carry a key.

    `deadline_s`: how long it may have a clip before its outcome counts as unknown.
    """

    provider: str
    models: list[ProviderModel]
    cancel: bool
    idempotency: bool
    listing: bool
    cost: bool
    result_s: float | None
    poll_s: float
    concurrency: int
    table_date: str
    source: str
    deadline_s: float = 3600.0
    refine: bool = False
    """Whether it keeps a take's latents, and can make a 4K final of them."""


class ClipOrder(Record, frozen=True):
    """One clip to render, final and sealed. `first` and `last` are what `upload` returned; `key` is the job's id."""

    job_id: str
    key: str
    model: str
    prompt: str
    width: int
    height: int
    seconds: int
    fps: str
    audio: bool
    seed: int | None
    first: str | None
    last: str | None
    refine_of: str | None = None
    """The remote id of a clip whose latents the provider kept: this one is made from them."""


class Accepted(Record, frozen=True):
    """The provider took it. `remote_id` is all that is needed to poll again, by another process too."""

    remote_id: str
    request_id: str | None


class RemoteState(Record, frozen=True):
    """What the provider says of a job. `url` is for `download` alone: it is written nowhere. `cost_mcr` where it says one."""

    phase: RemotePhase
    raw: str
    url: str | None
    cost_mcr: int | None
    problem: str | None
    kind: str | None
    """An error kind of ours (`provider_filtered`, `insufficient_funds`, `provider_refused`, ...) where `phase` is failed."""
