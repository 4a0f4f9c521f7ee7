"""A Studio without anything behind it: jobs, assets and events in memory, with the real one's signatures and errors."""

from __future__ import annotations

import asyncio
import difflib
import logging
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from tendred.bus import Bus, Subscription
from tendred.clock import Clock, Ids, SystemClock, SystemRng, rfc3339
from tendred.cloud.adapters.table import PACKAGED
from tendred.core.credentials import Credentials
from tendred.core.studio import Search, Submission, UpscaleSubmission
from tendred.core.telling import Teller, spoken
from tendred.errors import (
    EventsGone,
    IdempotencyConflict,
    Internal,
    NotFound,
    TendredError,
    WrongState,
)
from tendred.schema.asset import Asset, AssetPage, Receipt
from tendred.schema.cache import Models
from tendred.schema.character import Character, CharacterLora, Characters
from tendred.schema.error import ErrorInfo, tell
from tendred.schema.event import LIVE, Event, EventPage
from tendred.schema.job import TERMINAL, Job, JobPage, Origin, QueueStatus, State, Submitted
from tendred.schema.marks import Verified
from tendred.schema.model import Loaded, ModelInfo, ModelKind, Unloaded
from tendred.schema.sealed import Verdict
from tendred.schema.still import Kind, Lane, LoraUse, StillRequest
from tendred.schema.system import CloudState, DiskState, EngineState, Hello, Limits, Status
from tendred.testing.cache import FakeCache
from tendred.testing.credentials import FakeCloud, MemorySecrets
from tendred.testing.hot_folders import FakeHotFolders
from tendred.testing.pulls import FakePulls
from tendred.testing.recipes import FakeRecipes
from tendred.testing.records import asset_at, queued
from tendred.testing.shots import FakeShots

_log = logging.getLogger(__name__)


MIRA: Final = Character(
    name="mira",
    version=1,
    fragment="mira, a tan woman",
    loras=[CharacterLora(name="mira", weight=1.0)],
    seed=None,
    reference_asset_id=None,
    created_at=None,
    ships=True,
    state="missing",
    reason="the LoRA mira is not there",
)


class FakeStudio(FakeRecipes):
    """Takes jobs and keeps them queued until `finish`. `oldest` may be raised to forget events."""

    def __init__(self, language: str = "en", clock: Clock | None = None) -> None:
        super().__init__()
        self._language = language
        self._clock = clock or SystemClock()
        self._ids = Ids(self._clock, SystemRng())
        self.hotfolders = FakeHotFolders(self._ids)
        self.pulls = FakePulls(self._ids, self.happen)
        self.secrets = MemorySecrets()
        self.credentials = Credentials(self.secrets, lambda: PACKAGED, Teller(language, SystemRng()))
        self.cloud = FakeCloud(self.credentials)
        self.shots = FakeShots(self._ids)
        self.bus = Bus()
        self.boot_id = self._ids.new("boot")
        self.events: list[Event] = []
        self.oldest = 1
        self.submissions: list[Submission] = []
        self.stops: list[bool] = []
        self.stopping = False
        self.told: list[BaseException] = []
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, tuple[str, StillRequest]] = {}
        self._assets: dict[str, Asset] = {}
        self._settings: dict[str, Any] = {}
        self.cache = FakeCache()
        self._loaded: list[str] = []
        self._paused = False
        self.obstacle: str | None = None
        """Holds the queue, unless a person does."""

    # -- system

    @property
    def language(self) -> str:
        return spoken.get() or self._language

    def hello(self) -> Hello:
        limits = Limits(body_bytes=1024 * 1024, batch=32, depth=32, prompt_bytes=8192, queue=100)
        return Hello(api="1.0", version="0.0", boot_id=self.boot_id, features=["stills"], limits=limits)

    async def status(self) -> Status:
        return Status(
            version="0.0",
            api="1.0",
            boot_id=self.boot_id,
            pid=1,
            started_at=self._now(),
            engine=EngineState(state="off", device=None, model=None, pid=None),
            queue=await self.queue_status(),
            cloud=CloudState(enabled=False, reason=None),
            disk=DiskState(free_bytes=1, reserve_bytes=0),
            budgets=await self.cache.budgets(),
            plugins=[],
        )

    def stop(self, *, drain: bool) -> None:
        self.stops.append(drain)

    def tell(self, error: BaseException) -> ErrorInfo:
        self.told.append(error)
        ref = f"ref{len(self.told)}"
        if isinstance(error, TendredError):
            return tell(error, ref, self.language)
        _log.error("fault [%s]", ref, exc_info=error)
        return tell(Internal(), ref, self.language)

    # -- stills

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        return [await self._submit(submission, origin) for submission in submissions]

    async def upscale(self, submission: UpscaleSubmission, origin: Origin) -> Submitted:
        asset = await self.asset(submission.request.asset_id)
        request = StillRequest(prompt=f"{asset.id} x {submission.request.factor}", lane=submission.request.lane)
        return await self._submit(Submission(request=request, asked=submission.asked, key=submission.key), origin)

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
        del character, loras, kind
        at = prompt.find("child")
        path = "prompt" if at >= 0 else "negative_prompt" if "child" in negative_prompt else None
        refused = path is not None
        return Verdict(
            verdict="refuse" if refused else "allow",
            rule="minor" if refused else None,
            reason=("un mot" if lang == "fr" else "a word") if refused else None,
            span=(at, at + 5) if at >= 0 else None,
            removed=[],
            policy="fake",
            passes=("dites adulte" if lang == "fr" else "say adult") if refused else None,
            path=path,
        )

    # -- jobs and queue

    async def job(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise NotFound(noun="job", name=job_id, near=difflib.get_close_matches(job_id, self._jobs))
        return self._jobs[job_id]

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
        wanted = [
            job
            for job in reversed(self._jobs.values())
            if (not state or job.state in state)
            and kind in {None, job.kind}
            and model in {None, job.request["model"]}
            and (cursor is None or job.id < cursor)
            and (after or "") <= job.created_at < (before or "~")
        ]
        return JobPage(jobs=wanted[:limit], next=wanted[limit - 1].id if len(wanted) > limit else None)

    async def cancel(self, job_id: str) -> Job:
        job = await self.job(job_id)
        return job if job.state in TERMINAL else await self._change(job, "cancelled", "job.cancelled")

    async def move(self, job_id: str, to: str) -> Job:
        job = await self.job(job_id)
        if job.state != "queued":
            raise WrongState(path="job_id", name=job_id, state=job.state)
        lane = (await self.job(to)).lane if to.startswith("job_") else to if to in get_args(Lane) else job.lane
        self._jobs[job_id] = moved = msgspec.structs.replace(job, lane=lane, rev=job.rev + 1, position=0, eta_s=1.5)
        self.happen("job.moved", {"job": msgspec.to_builtins(moved)}, job_id)
        return moved

    async def retry(self, job_id: str, origin: Origin) -> Submitted:
        before = await self.job(job_id)
        if before.state not in {"failed", "cancelled", "parked"}:
            raise WrongState("retry", path="job_id", name=job_id, state=before.state)
        request = StillRequest(prompt=before.request["prompt"], lane=before.lane)
        [made] = await self.submit([Submission(request=request, asked={}, key=None)], origin)
        self._jobs[made.job.id] = job = msgspec.structs.replace(made.job, retry_of=job_id)
        return Submitted(job=job, deduplicated=False)

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        subscription = self.bus.subscribe(["job."])
        try:
            async with asyncio.timeout(timeout_s):
                while (await self.job(job_id)).state not in TERMINAL:
                    await subscription.get()
        except TimeoutError:
            pass
        finally:
            subscription.close()
        return await self.job(job_id)

    async def queue_status(self) -> QueueStatus:
        states = [job.state for job in self._jobs.values()]
        counts: dict[str, int] = {state: states.count(state) for state in states}
        reason = "user" if self._paused else self.obstacle
        waiting = [job.origin.client or "local" for job in self._jobs.values() if job.state == "queued"]
        return QueueStatus(
            paused=reason is not None, reason=reason, counts=counts, lanes={}, warm_s=60.0,
            clients={client: waiting.count(client) for client in waiting}, eta_s=90.0 if waiting else None,
        )  # fmt: skip

    async def pause(self, *, mode: Literal["drain", "now"], unload: bool) -> QueueStatus:
        del mode
        self._paused = True
        self._loaded = [] if unload else self._loaded
        await self.announce("queue.paused", {})
        return await self.queue_status()

    async def resume(self) -> QueueStatus:
        self._paused = False
        await self.announce("queue.resumed", {})
        return await self.queue_status()

    # -- library

    async def search(self, search: Search) -> AssetPage:
        found = [asset for asset in self._assets.values() if search.tag is None or search.tag in asset.tags]
        start = int(search.cursor or 0)
        end = start + search.limit
        return AssetPage(assets=found[start:end], next=str(end) if len(found) > end else None)

    async def asset(self, asset_id: str) -> Asset:
        if asset_id not in self._assets:
            raise NotFound(noun="asset", name=asset_id, near=list(self._assets)[:3])
        return self._assets[asset_id]

    async def receipt(self, receipt_id: str) -> Receipt:
        raise NotFound(noun="receipt", name=receipt_id, near=[])

    async def verify(self, asset_id: str, *, deep: bool) -> Verified:
        del deep
        asset = await self.asset(asset_id)
        return Verified(
            file=Path(asset.path).name,
            media_type=asset.media_type,
            bytes=asset.bytes,
            sha256=asset.sha256,
            state="unsigned",
        )

    async def remove_asset(self, asset_id: str) -> Asset:
        return self._keep(msgspec.structs.replace(await self.asset(asset_id), state="removed"))

    async def restore_asset(self, asset_id: str) -> Asset:
        return self._keep(msgspec.structs.replace(await self.asset(asset_id), state="kept"))

    async def erase_asset(self, asset_id: str) -> Asset:
        return self._keep(msgspec.structs.replace(await self.asset(asset_id), settings={}))

    async def tag_asset(self, asset_id: str, *, add: list[str], remove: list[str]) -> Asset:
        asset = await self.asset(asset_id)
        return self._keep(msgspec.structs.replace(asset, tags=sorted({*asset.tags, *add} - set(remove))))

    # -- models

    async def models(self, kind: ModelKind | None) -> Models:
        return await self.cache.every(kind)

    async def add_model(self, path: str, name: str | None) -> ModelInfo:
        return await self.cache.add(path, name)

    async def use_model(self, name: str) -> ModelInfo:
        return self.cache.use(name)

    def loaded(self) -> Loaded:
        return Loaded(loaded=[])

    async def unload(self, model: str | None) -> Unloaded:
        if model is not None and model not in self._loaded:
            raise NotFound(path="model", noun="loaded model", name=model, near=self._loaded)
        return Unloaded(unloaded=self._loaded if model is None else [model])

    # -- characters

    async def characters(self) -> Characters:
        return Characters(characters=[MIRA])

    async def character(self, name: str, version: int | None = None) -> Character:
        del version
        if name != MIRA.name:
            raise NotFound(path="name", noun="character", name=name, near=[MIRA.name])
        return MIRA

    # -- events

    async def events_since(self, seq: int, topics: list[str], limit: int) -> EventPage:
        if seq < self.oldest and self.oldest > 1:
            raise EventsGone(oldest_seq=self.oldest)
        wanted = [
            event for event in self.events[max(seq, 1) - 1 :] if not topics or event.topic.startswith(tuple(topics))
        ][:limit]
        last = wanted[-1].seq if len(wanted) == limit else len(self.events)
        following = max((last or 0) + 1, seq)
        return EventPage(events=wanted, next_seq=following, oldest_seq=self.oldest, boot_id=self.boot_id)

    async def last_seq(self) -> int:
        return len(self.events)

    def subscribe(self, topics: list[str]) -> Subscription:
        return self.bus.subscribe(topics)

    async def announce(self, topic: str, data: dict[str, Any], job_id: str | None = None) -> None:
        self.happen(topic, data, job_id)

    # -- settings

    async def setting(self, name: str) -> Any:
        return self._settings.get(name)

    async def set_setting(self, name: str, value: Any) -> None:
        self._settings[name] = value

    # -- what a test does to it

    def happen(self, topic: str, data: dict[str, Any] | None = None, job_id: str | None = None) -> Event:
        """Store (unless it is live only) and publish an event."""
        seq = None if topic in LIVE else len(self.events) + 1
        event = Event(seq=seq, boot_id=self.boot_id, at=self._now(), topic=topic, job_id=job_id, data=data or {})
        if seq is not None:
            self.events.append(event)
        self.bus.publish(event)
        return event

    async def finish(self, job_id: str) -> Job:
        """The job succeeds."""
        return await self._change(await self.job(job_id), "succeeded", "job.succeeded")

    def add_asset(self, path: Path, media_type: str = "image/png") -> Asset:
        """An asset whose file stands at `path`."""
        return self._keep(asset_at(path, media_type, self._ids, self._now()))

    def _now(self) -> str:
        return rfc3339(self._clock.now())

    def _keep(self, asset: Asset) -> Asset:
        self._assets[asset.id] = asset
        return asset

    async def _submit(self, submission: Submission, origin: Origin) -> Submitted:
        self.submissions.append(submission)
        if submission.key in self._keys:
            job_id, request = self._keys[submission.key]
            if request != submission.request:
                raise IdempotencyConflict(key=submission.key)
            return Submitted(job=self._jobs[job_id], deduplicated=True)
        job = queued(submission.request, origin, self._ids, self._now())
        if submission.key is not None:
            self._keys[submission.key] = (job.id, submission.request)
        self._jobs[job.id] = job
        self.happen("job.queued", {"job": msgspec.to_builtins(job)}, job.id)
        return Submitted(job=job, deduplicated=False)

    async def _change(self, job: Job, state: State, topic: str) -> Job:
        changed = msgspec.structs.replace(job, state=state, rev=job.rev + 1, finished_at=self._now())
        self._jobs[job.id] = changed
        self.happen(topic, {"job": msgspec.to_builtins(changed)}, job.id)
        return changed
