"""The whole inside API on one page: what the doors talk to."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, TypeVar

from msgspec.structs import replace

from tendred import __version__
from tendred.backend import HotFolders
from tendred.bus import Subscription
from tendred.clock import rfc3339
from tendred.core.again import Wish
from tendred.core.cache import Cache
from tendred.core.clips import Quoting
from tendred.core.cloud import Cloud
from tendred.core.parts import Parts
from tendred.core.pulls import Pulls
from tendred.core.search import Search, query_of, seconds
from tendred.core.spend import Spend
from tendred.core.submit import Submission
from tendred.core.tokens import TokenRoom
from tendred.core.upscale import UpscaleSubmission
from tendred.errors import NotFound, ShuttingDown, TendredError
from tendred.queue.pages import JobQuery
from tendred.schema.again import Again
from tendred.schema.asset import Asset, AssetPage, Receipt
from tendred.schema.cache import Models
from tendred.schema.character import Character, CharacterChanges, Characters, NewCharacter
from tendred.schema.clip import ClipRequest
from tendred.schema.error import ErrorInfo
from tendred.schema.event import EventPage
from tendred.schema.job import Job, JobPage, Origin, Previewed, QueueStatus, State, Submitted
from tendred.schema.marks import Verified
from tendred.schema.model import Loaded, ModelInfo, ModelKind, Unloaded
from tendred.schema.sealed import Verdict
from tendred.schema.sheet import ContactRequest, Grid, GridRequest
from tendred.schema.still import PROMPT_BYTES, Kind, LoraUse, StillRequest
from tendred.schema.system import BATCH, BODY_BYTES, DEPTH, Hello, Limits, Status
from tendred.schema.work import PreviewForm

__all__ = ["API", "Search", "Studio", "Submission", "UpscaleSubmission", "Wish"]

_T = TypeVar("_T")

API: Final = "1.0"


class Studio:
    """What can be asked of a running daemon. Every failure is a TendredError."""

    hotfolders: HotFolders
    cache: Cache
    """Models of every kind: what there is, what it takes, what other programs hold."""
    pulls: Pulls
    """Models on their way here; see there."""
    # What has to do with a provider or with money speaks for itself too.
    cloud: Cloud
    clips: Quoting
    spend: Spend
    tokens: TokenRoom

    def __init__(self, parts: Parts, *, boot_id: str, queue_limit: int, stop: Callable[[bool], None]) -> None:
        self._p = parts
        self.cloud, self.clips, self.spend, self.tokens = parts.cloud, parts.clips, parts.spend, parts.tokens
        self.cache = parts.cache
        self.pulls = parts.pulls
        self.credentials = parts.credentials
        self.shots = parts.shots
        # What belongs to words before they are final speaks for itself: its methods are those of the doors.
        self.wildcards = parts.wildcards
        self.presets = parts.presets
        self.expander = parts.expander
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
        features = [
            "stills", "sources", "strokes", "upscale", "loras", "characters", "prompts", "again", "previews", "sheets", "grids",
            "shots", "clips", "tokens", "hotfolders", "events", "plugins", "pulls",
        ]  # fmt: skip
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
            cloud=self.cloud.state(),
            disk=self._p.pauses.disk(),
            budgets=await self.cache.budgets(),
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
        return await self._woken(origin, self._p.submitter.submit(submissions, origin))

    async def stand(
        self, request: ClipRequest, asked: dict[str, Any], key: str, origin: Origin, door: str
    ) -> Submitted:
        """Have a clip made that nobody confirms, under the standing cap of a door: see `Quoting.stand`."""
        return await self._woken(origin, self.clips.stand(request, asked, key, origin, door))

    async def grid(self, request: GridRequest, asked: dict[str, Any], key: str | None, origin: Origin) -> Grid:
        """Stills along two axes, and one sheet of them: all jobs or none."""
        return await self._woken(origin, self._p.grids.grid(request, asked, key, origin))

    async def upscale(self, submission: UpscaleSubmission, origin: Origin) -> Submitted:
        """Make a still of the library larger."""
        return await self._woken(origin, self._p.upscaling.submit(submission, origin))

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

    async def again(self, asset_id: str, wish: Wish, *, dry_run: bool, insist: bool) -> Again:
        """The same picture once more: whether that can be promised, and the job."""
        return await self._woken(wish.origin, self._p.recipes.again(asset_id, wish, dry_run=dry_run, insist=insist))

    async def variations(
        self, asset_id: str, wish: Wish, *, count: int, strength: float, seed: int | None
    ) -> Submitted:
        """Pictures near one of the library."""
        varied = self._p.recipes.variations(asset_id, wish, count=count, strength=strength, seed=seed)
        return await self._woken(wish.origin, varied)

    async def sheet(self, request: ContactRequest, wish: Wish) -> Submitted:
        """A labelled sheet of stills: a job of the kind `sheet`."""
        return await self._woken(wish.origin, self._p.grids.chosen(request, wish))

    async def preview(self, job_id: str, form: PreviewForm, side: int) -> Previewed:
        """The newest rough picture of a running job."""
        await self._p.queue.get(job_id)
        return Previewed(preview=await self._p.previews.latest(job_id, form, side))

    async def _woken(self, origin: Origin, submitting: Coroutine[Any, Any, _T]) -> _T:
        """Let a submit in, and the runner know. Raises ShuttingDown, SlowDown after refusals in a row."""
        try:
            if self.stopping:
                raise ShuttingDown
            self._p.refusals.admit(origin)
        except TendredError:
            submitting.close()
            raise
        submitted = await submitting
        self._p.runner.wake()
        return submitted

    # -- jobs and queue ------------------------------------------------------------------------------------

    async def job(self, job_id: str) -> Job:
        """One job."""
        return self._live(await self._p.queue.get(job_id))

    async def jobs(
        self,
        *,
        state: list[State] | None,
        kind: Kind | None,
        limit: int,
        cursor: str | None,
        model: str | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> JobPage:
        """A page of jobs, newest first. `before` and `after` are RFC 3339 times of their making."""
        query = JobQuery(
            state=state, kind=kind, model=model, after=seconds("after", after), before=seconds("before", before),
            limit=limit + 1, cursor=cursor,
        )  # fmt: skip
        jobs = await self._p.queue.page(query)
        following = jobs[limit - 1].id if len(jobs) > limit else None
        return JobPage(jobs=[self._live(job) for job in jobs[:limit]], next=following)

    async def cancel(self, job_id: str) -> Job:
        """Cancel, in any state; twice is fine."""
        if (await self._p.queue.get(job_id)).kind == "clip":
            return self._live(await self.clips.cancel(job_id))
        jobs = await self._p.queue.cancel(job_id)
        for job in jobs:
            if job.state == "cancelling" and job.kind == "sheet":
                self._p.sheets.cancel(job.id)
            elif job.state == "cancelling":
                await self._p.runner.cancel(job.id)
        return self._live(jobs[0])

    async def move(self, job_id: str, to: str) -> Job:
        """Put a waiting job `first` or `last` of its lane, in a lane, or before the job of that id."""
        return self._live(await self._p.queue.move(job_id, to))

    async def retry(self, job_id: str, origin: Origin) -> Submitted:
        """Make a job anew that failed, was cancelled or is parked."""
        return await self._woken(origin, self._p.retries.retry(job_id, origin))

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """A job once it is terminal or parked, or as it stands after `timeout_s`."""
        await self._p.waiting.until_done(job_id, timeout_s, self._p.queue)
        return await self.job(job_id)

    async def queue_status(self) -> QueueStatus:
        """How full the queue is, and whether it moves."""
        status = await self._p.queue.counts(self._p.pauses.reason)
        return (
            status if status.eta_s is None else replace(status, eta_s=round(status.eta_s + self._p.watch.left_s(), 1))
        )

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
        """With what is known of it just now: nobody can tell how long a pause lasts."""
        if job.state in {"running", "cancelling"}:
            progress = self._p.watch.get(job.id)
            return replace(job, progress=progress, eta_s=None if progress is None else progress.eta_s)
        if job.eta_s is None:
            return job
        left_s = None if self._p.pauses.reason is not None else round(job.eta_s + self._p.watch.left_s(), 1)
        return replace(job, eta_s=left_s)

    # -- library -------------------------------------------------------------------------------------------

    async def search(self, search: Search) -> AssetPage:
        """A page of the library."""
        return await self._p.index.search(query_of(search))

    async def asset(self, asset_id: str) -> Asset:
        """One asset."""
        return await self._p.index.get(asset_id)

    async def receipt(self, receipt_id: str) -> Receipt:
        """How an asset came to be."""
        return await self._p.receipts.get(receipt_id)

    async def verify(self, asset_id: str, *, deep: bool) -> Verified:
        """What an asset's file says of itself, and whether that holds."""
        return await self._p.verifier.verify(asset_id, deep=deep)

    async def remove_asset(self, asset_id: str) -> Asset:
        """Take an asset out of the library. Its file stays where it is, and `restore_asset` brings it back."""
        return await self._p.index.set_state(asset_id, "removed", "asset.removed")

    async def restore_asset(self, asset_id: str) -> Asset:
        """Bring a removed asset back."""
        return await self._p.index.set_state(asset_id, "kept", "asset.kept")

    async def erase_asset(self, asset_id: str) -> Asset:
        """Take what it was asked for with out of everything that was written down, for good."""
        return await self._p.eraser.erase(asset_id)

    async def tag_asset(self, asset_id: str, *, add: list[str], remove: list[str]) -> Asset:
        """Change an asset's tags."""
        return await self._p.index.tag(asset_id, add=add, remove=remove)

    # -- models --------------------------------------------------------------------------------------------

    async def models(self, kind: ModelKind | None) -> Models:
        """The catalogue: models first, then the single files."""
        return await self.cache.every(kind)

    async def add_model(self, path: str, name: str | None) -> ModelInfo:
        """Take a model folder or a single file into the catalogue, in place."""
        return await self.cache.add(path, name)

    async def use_model(self, name: str) -> ModelInfo:
        """Make a model the default."""
        await self._p.catalog.get(name)
        await self._p.settings.set("default_model", name)
        return await self._p.catalog.info(name)

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

    async def character(self, name: str, version: int | None = None) -> Character:
        """One of them, as they are now or were in an older version."""
        return await self._p.cast.get(name, version)

    async def create_character(self, new: NewCharacter, origin: Origin) -> Character:
        """Write down somebody new."""
        self._p.refusals.admit(origin)
        return await self._p.cast.told(await self._p.roster.create(new, origin))

    async def update_character(self, changes: CharacterChanges, origin: Origin) -> Character:
        """Make a new version of somebody."""
        self._p.refusals.admit(origin)
        return await self._p.cast.told(await self._p.roster.update(changes, origin))

    async def remove_character(self, name: str) -> None:
        """Let nobody ask for them any more; stills and versions stay."""
        await self._p.roster.remove(name)

    async def contact_sheet(self, name: str, version: int | None, limit: int, origin: Origin) -> Submitted:
        """One picture of a character's newest stills."""
        who = await self.character(name, version)
        return await self._woken(origin, self._p.grids.contact(who, version, limit, origin))

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
