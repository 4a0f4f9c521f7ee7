"""What happened, told upwards."""

from __future__ import annotations

from typing import Any, Final

from tendred.schema.base import Record

MEANINGS: Final[dict[str, tuple[str, str]]] = {
    "job.queued": ("job", "A job was accepted; it is a committed row."),
    "job.started": ("job", "A backend took it."),
    "job.progress": ("progress", "How far it is."),
    "job.preview": ("preview", "A rough picture of what is being drawn."),
    "job.output": ("asset", "One of its outputs is in the library."),
    "job.requeued": ("job", "It waits again: the daemon or the engine ended, or something was in the way."),
    "job.moved": ("job", "A person put it elsewhere in the line."),
    "job.cancelling": ("job", "It was told to stop and still runs."),
    "job.cancelled": ("job", "It stopped because somebody wanted it to."),
    "job.succeeded": ("job", "Everything asked for is in the library, and its receipt is written."),
    "job.failed": ("job", "It can't be done; `error` says why."),
    "job.parked": ("job", "It took the engine down twice, or was interrupted five times; it waits for a person."),
    "job.unknown": ("job", "Nobody knows whether a provider took it; a person resolves it."),
    "asset.kept": ("asset", "A file came into the library, or came back."),
    "asset.removed": ("asset", "It was taken out of the library; its file stays."),
    "queue.paused": ("queue", "No job starts any more, or for another reason than before; `reason` says why."),
    "queue.resumed": ("queue", "Jobs start again."),
    "engine.started": ("engine", "The process that draws is ready."),
    "engine.stopped": ("engine", "It ended as it was told to."),
    "engine.died": ("engine", "It ended by itself or had to be killed; `problem` says how."),
    "model.loaded": ("model", "A model came into memory."),
    "model.unloaded": ("model", "A model left memory."),
    "model.added": ("model", "A model, a LoRA or another file was taken into the catalogue."),
    "model.removed": ("removed", "It was forgotten, or deleted."),
    "model.scanning": ("progress", "How far a scan is: entries looked at, models found, where."),
    "model.verifying": ("progress", "Which file is being hashed anew, and how far."),
    "hotfolder.claimed": ("file", "A prompt file was taken in; `hotfolder_id`, `claim` and `job_ids` go with it."),
    "hotfolder.done": ("file", "Its pictures and its receipt stand in `done/`."),
    "hotfolder.failed": ("file", "It stands in `failed/`, with the reason."),
    "boundary.refused": ("refusal", "A request was refused: rule, policy and door, never the words."),
    "plugin.disabled": ("plugin", "A plugin was switched off; `reason` says why."),
    "system.started": ("system", "A daemon's doors are open."),
    "system.stopping": ("system", "It is going down."),
    "model.pull_queued": ("pull", "A model was asked for, or goes on once it is its turn."),
    "model.pulling": ("pull", "It is being looked up or fetched; once it is looked up, `commit` and sizes are known."),
    "model.pull_progress": ("pull", "How far it is."),
    "model.pulled": ("pull", "The model is in the catalogue, whole and checked; `name` is what it is called."),
    "model.pull_paused": ("pull", "A person lets it rest; what was fetched stays."),
    "model.pull_failed": ("pull", "Something is in the way that doesn't pass by itself; `error` says what."),
    "model.pull_cancelled": ("pull", "It was given up, and what was fetched is removed."),
    "shot.created": ("shot", "Somebody wrote down what they are after."),
    "shot.locked": ("shot", "A take of it was frozen."),
    "shot.finishing": ("shot", "A job makes the 4K final of its locked take."),
    "take.rendering": ("take", "Another take of a shot was paid for; its job goes with it."),
}
"""What an event's `data` holds, and what happened. A reference page is made of this."""
TOPICS: Final = tuple(MEANINGS)
LIVE: Final = frozenset({"job.progress", "job.preview", "model.pull_progress", "model.scanning", "model.verifying"})
"""Never stored: `seq` is null and only the newest counts (of a job; of all pulls, since one runs at a time)."""


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
