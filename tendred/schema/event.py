"""What happened, told upwards."""

from __future__ import annotations

from typing import Any, Final

from tendred.schema.base import Record

TOPICS: Final = (
    "job.queued", "job.started", "job.progress", "job.preview", "job.output", "job.requeued", "job.cancelling",
    "job.cancelled", "job.succeeded", "job.failed", "job.parked", "job.unknown", "asset.kept", "asset.removed",
    "queue.paused", "queue.resumed", "engine.started", "engine.stopped", "engine.died", "model.loaded",
    "model.unloaded", "hotfolder.claimed", "hotfolder.done", "hotfolder.failed", "boundary.refused",
    "plugin.disabled", "system.started", "system.stopping",
)  # fmt: skip
LIVE: Final = frozenset({"job.progress", "job.preview"})
"""Never stored: `seq` is null and only the newest counts."""


class Event(Record, frozen=True):
    """Stored if and only if a state changed; `seq` then counts up by one across runs. `boot_id` names the run."""

    seq: int | None
    boot_id: str
    at: str
    topic: str
    job_id: str | None
    data: dict[str, Any]


class EventPage(Record, frozen=True):
    """Events from a number on. `next_seq` is where to go on."""

    events: list[Event]
    next_seq: int
    oldest_seq: int
    boot_id: str


class Subscribed(Record, frozen=True):
    """A subscription; `seq` is the last stored event at that moment, replay up to it comes first."""

    subscription_id: str
    seq: int
    boot_id: str
