"""The whole inside API on one page: what the doors talk to."""

from __future__ import annotations

import datetime as dt
import difflib
import os
from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec.structs import replace

from tendred import __version__
from tendred.backend import HotFolders, Residency
from tendred.bus import Bus, Subscription
from tendred.clock import Clock, rfc3339
from tendred.core.characters import Cast
from tendred.core.history import History
from tendred.core.pauses import Pauses
from tendred.core.progress import Watch
from tendred.core.run import Runner
from tendred.core.settings import Settings
from tendred.core.submit import Submission, Submitter
from tendred.core.telling import Teller
from tendred.core.upscale import UpscaleSubmission, Upscaling
from tendred.core.waiting import Waiting
from tendred.errors import InvalidParams, NotFound, ShuttingDown
from tendred.hooks.manager import Plugins
from tendred.library.index import Index, Query
from tendred.library.receipts import Receipts
from tendred.models.catalog import Catalog
from tendred.models.shelf import Shelf
from tendred.models.takes import takes
from tendred.queue.machine import CancelAsked
from tendred.queue.store import Queue
from tendred.schema.asset import Asset, AssetPage, Receipt
from tendred.schema.base import Record
from tendred.schema.character import Character, Characters
from tendred.schema.error import ErrorInfo
from tendred.schema.event import EventPage
from tendred.schema.job import Job, JobPage, Origin, QueueStatus, State, Submitted
from tendred.schema.model import Loaded, ModelInfo, ModelKind, Models, ModelShown, Unloaded
from tendred.schema.sealed import Verdict
from tendred.schema.still import PROMPT_BYTES, Kind, LoraUse, StillRequest
from tendred.schema.system import BATCH, BODY_BYTES, DEPTH, CloudState, Hello, Limits, Status
from tendred.store.database import Database

__all__ = ["API", "Search", "Studio", "Submission", "UpscaleSubmission"]

API: Final = "1.0"


class Search(Record, frozen=True):
    """What `library.search` looks for. `after` and `before` are RFC 3339 times."""

    query: str = ""
    kind: str | None = None
    model: str | None = None
    character: str | None = None
    tag: str | None = None
    after: str | None = None
    before: str | None = None
    order: Literal["newest", "oldest", "best"] = "newest"
    limit: int = 50
    cursor: str | None = None


class Parts(Record, frozen=True):
    """What a studio is made of; `app.daemon` builds them."""

    database: Database
    bus: Bus
    queue: Queue
    submitter: Submitter
    upscaling: Upscaling
    runner: Runner
    residency: Residency
    pauses: Pauses
    watch: Watch
    waiting: Waiting
    index: Index
    receipts: Receipts
    catalog: Catalog
    shelf: Shelf
    cast: Cast
    plugins: Plugins
    history: History
    settings: Settings
    teller: Teller
    clock: Clock


class Studio:
    """What can be asked of a running daemon. Every failure is a TendredError."""

    hotfolders: HotFolders

    def __init__(self, parts: Parts, *, boot_id: str, queue_limit: int, stop: Callable[[bool], None]) -> None:
        self._p = parts
        self._boot_id = boot_id
        self._queue_limit = queue_limit
        self._stop = stop
        self._started_at = rfc3339(parts.clock.now())
        self.stopping = False

    @property
    def language(self) -> str:
        """What messages are told in: the asker's language, or the daemon's own."""
        return self._p.teller.language

    # -- system --------------------------------------------------------------------------------------------

    def hello(self) -> Hello:
        """Who answers, and what it can do."""
        limits = Limits(
            body_bytes=BODY_BYTES, batch=BATCH, depth=DEPTH, prompt_bytes=PROMPT_BYTES, queue=self._queue_limit
        )
        features = ["stills", "sources", "upscale", "loras", "characters", "hotfolders", "events", "plugins"]
        return Hello(api=API, version=__version__, boot_id=self._boot_id, features=features, limits=limits)

    async def status(self) -> Status:
        """The whole of it."""
        return Status(
            version=__version__,
            api=API,
            boot_id=self._boot_id,
            pid=os.getpid(),
            started_at=self._started_at,
            engine=self._p.residency.state(),
            queue=await self.queue_status(),
            cloud=CloudState(enabled=False, reason="cloud jobs are not part of this version"),
            disk=self._p.pauses.disk(),
            plugins=self._p.plugins.status(),
        )

    def stop(self, *, drain: bool) -> None:
        """Ask the daemon to end; returns at once."""
        self.stopping = True
        self._stop(drain)

    def tell(self, error: BaseException) -> ErrorInfo:
        """Any failure in words, with a reference into the log; what isn't ours is told as `internal`."""
        return self._p.teller(error)

    # -- stills --------------------------------------------------------------------------------------------

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        """Take all or none; with several, a failure's `path` begins with `[row]`."""
        if self.stopping:
            raise ShuttingDown
        submitted = await self._p.submitter.submit(submissions, origin)
        self._p.runner.wake()
        return submitted

    async def upscale(self, submission: UpscaleSubmission, origin: Origin) -> Submitted:
        """Make a still of the library larger."""
        if self.stopping:
            raise ShuttingDown
        submitted = await self._p.upscaling.submit(submission, origin)
        self._p.runner.wake()
        return submitted

    async def check(
        self,
        prompt: str,
        negative_prompt: str,
        *,
        character: str | None,
        loras: list[LoraUse],
        kind: Literal["still", "clip"],
        lang: str,
    ) -> Verdict:
        """What the boundary would say. Stores nothing."""
        request = StillRequest(prompt=prompt, negative_prompt=negative_prompt, character=character, loras=loras)
        return await self._p.submitter.check(request, kind, lang)

    # -- jobs and queue ------------------------------------------------------------------------------------

    async def job(self, job_id: str) -> Job:
        """One job."""
        return self._live(await self._p.queue.get(job_id))

    async def jobs(self, *, state: list[State] | None, kind: Kind | None, limit: int, cursor: str | None) -> JobPage:
        """A page of jobs, newest first."""
        jobs = await self._p.queue.page(state=state, kind=kind, limit=limit + 1, before=cursor)
        following = jobs[limit - 1].id if len(jobs) > limit else None
        return JobPage(jobs=[self._live(job) for job in jobs[:limit]], next=following)

    async def cancel(self, job_id: str) -> Job:
        """Cancel, in any state; twice is fine."""
        job = await self._p.queue.apply(job_id, CancelAsked())
        if job.state == "cancelling":
            await self._p.runner.cancel(job_id)
        return self._live(job)

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """A job once it is terminal or parked, or as it stands after `timeout_s`."""
        await self._p.waiting.until_done(job_id, timeout_s, self._p.queue)
        return await self.job(job_id)

    async def queue_status(self) -> QueueStatus:
        """How full the queue is, and whether it moves."""
        return await self._p.queue.counts(self._p.pauses.reason)

    async def pause(self, *, mode: Literal["drain", "now"], unload: bool) -> QueueStatus:
        """Let nothing more start; `now` puts the running job back; `unload` gives the engine's memory back."""
        await self._p.pauses.set_user(paused=True)
        if mode == "now":
            await self._p.runner.interrupt()
        if unload:
            await self._p.residency.unload(None)
        return await self.queue_status()

    async def resume(self) -> QueueStatus:
        """Go on."""
        await self._p.pauses.set_user(paused=False)
        self._p.runner.wake()
        return await self.queue_status()

    def _live(self, job: Job) -> Job:
        return replace(job, progress=self._p.watch.get(job.id)) if job.state in {"running", "cancelling"} else job

    # -- library -------------------------------------------------------------------------------------------

    async def search(self, search: Search) -> AssetPage:
        """A page of the library."""
        return await self._p.index.search(
            Query(
                query=search.query,
                kind=search.kind,
                model=search.model,
                character=search.character,
                tag=search.tag,
                after=_seconds("after", search.after),
                before=_seconds("before", search.before),
                order=search.order,
                limit=search.limit,
                cursor=search.cursor,
            )
        )

    async def asset(self, asset_id: str) -> Asset:
        """One asset."""
        return await self._p.index.get(asset_id)

    async def receipt(self, receipt_id: str) -> Receipt:
        """How an asset came to be."""
        return await self._p.receipts.get(receipt_id)

    async def remove_asset(self, asset_id: str) -> Asset:
        """Take an asset out of the library. Its file stays where it is, and `restore_asset` brings it back."""
        return await self._p.index.set_state(asset_id, "removed", "asset.removed")

    async def restore_asset(self, asset_id: str) -> Asset:
        """Bring a removed asset back."""
        return await self._p.index.set_state(asset_id, "kept", "asset.kept")

    async def tag_asset(self, asset_id: str, *, add: list[str], remove: list[str]) -> Asset:
        """Change an asset's tags."""
        return await self._p.index.tag(asset_id, add=add, remove=remove)

    # -- models --------------------------------------------------------------------------------------------

    async def models(self, kind: ModelKind | None) -> Models:
        """The catalogue: models first, then the single files."""
        models = await self._p.catalog.list() if kind in {None, "model"} else []
        return Models(models=[*models, *await self._p.shelf.list(kind)])

    async def model(self, name: str | None) -> ModelShown:
        """One model, and what a request for it may say; None is the default."""
        model = await self._p.catalog.get(name)
        return ModelShown(model=await self._p.catalog.info(model.name), takes=takes(model.folder))

    async def add_model(self, path: str, name: str | None) -> ModelInfo:
        """Take a model folder into the catalogue, in place."""
        return await self._p.catalog.add(path, name)

    async def use_model(self, name: str) -> ModelInfo:
        """Make a model the default."""
        await self._p.catalog.get(name)
        await self._p.settings.set("default_model", name)
        return await self._p.catalog.info(name)

    async def remove_model(self, name: str) -> None:
        """Forget a model; its files stay."""
        await self._p.catalog.remove(name)

    def loaded(self) -> Loaded:
        """Models in the engine's memory."""
        return Loaded(loaded=self._p.residency.loaded())

    async def unload(self, model: str | None) -> Unloaded:
        """Let one go, or all."""
        loaded = [entry.model for entry in self._p.residency.loaded()]
        if model is not None and model not in loaded:
            near = difflib.get_close_matches(model, loaded, 3, 0.4) or loaded
            raise NotFound(path="model", noun="loaded model", name=model, near=near)
        return Unloaded(unloaded=await self._p.residency.unload(model))

    # -- characters ----------------------------------------------------------------------------------------

    async def characters(self) -> Characters:
        """Everyone who can be asked for."""
        return Characters(characters=await self._p.cast.list())

    async def character(self, name: str) -> Character:
        """One of them."""
        return await self._p.cast.get(name)

    # -- events --------------------------------------------------------------------------------------------

    async def events_since(self, seq: int, topics: list[str], limit: int) -> EventPage:
        """Stored events from a number on."""
        return await self._p.history.since(seq, topics, limit)

    async def last_seq(self) -> int:
        """Number of the newest stored event."""
        return await self._p.history.last_seq()

    def subscribe(self, topics: list[str]) -> Subscription:
        """Listen from now on; see bus.Subscription."""
        return self._p.bus.subscribe(topics)

    async def announce(self, topic: str, data: dict[str, Any], job_id: str | None = None) -> None:
        """Record and publish an event of a door."""
        await self._p.database.write(lambda tx: tx.emit(topic, data, job_id))

    # -- settings ------------------------------------------------------------------------------------------

    async def setting(self, name: str) -> Any:
        """A value that clients change at run time, or None."""
        return await self._p.settings.get(name)

    async def set_setting(self, name: str, value: Any) -> None:
        """Change one."""
        await self._p.settings.set(name, value)


def _seconds(path: str, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        stamp = dt.datetime.fromisoformat(value)
    except ValueError as problem:
        raise InvalidParams(path=path, problem="not an RFC 3339 time, such as 2026-11-22T10:00:00Z") from problem
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=dt.UTC)).timestamp()
