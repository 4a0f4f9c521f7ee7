"""A studio that behaves, as far as the hot folder can see: keys, jobs, files, receipts and events, in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from tendred.bus import Bus, Subscription
from tendred.core.studio import Submission
from tendred.errors import NotFound, TendredError
from tendred.schema.asset import Asset, EngineInfo, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.error import ErrorInfo, tell
from tendred.schema.event import Event
from tendred.schema.job import Job, Origin, State, Submitted

_AT = "2026-11-22T10:00:00.000Z"
_ENGINE = EngineInfo(
    version="1", torch="-", diffusers="-", device="cpu", dtype="float32", threads=1, batch_size=1
)  # fmt: skip
_MODEL = ModelUse(name="starter", sha256="0" * 64)


class HotStudio:
    """`auto`: every job succeeds by itself, a moment after it was taken. Else call `finish`, `fail` or `end`."""

    def __init__(self, pictures: Path, *, auto: bool = True, language: str = "en") -> None:
        self.language = language
        self.auto = auto
        self.judge: Callable[[Submission, Origin], TendredError | None] = lambda _submission, _origin: None
        self.jobs: dict[str, Job] = {}
        self.announced: list[tuple[str, dict[str, Any]]] = []
        self.settings: dict[str, Any] = {}
        self.bus = Bus()
        self._pictures = pictures
        self._keys: dict[str, str] = {}
        self._asked: dict[str, dict[str, Any]] = {}
        self._assets: dict[str, Asset] = {}
        self._receipts: dict[str, Receipt] = {}
        self._refs = 0
        pictures.mkdir(parents=True, exist_ok=True)

    def tell(self, error: BaseException) -> ErrorInfo:
        """Only TendredErrors are expected here; anything else is a fault that the test must see."""
        if not isinstance(error, TendredError):
            raise error
        self._refs += 1
        return tell(error, f"ref{self._refs}", self.language)

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        await asyncio.sleep(0)
        for row, submission in enumerate(submissions):
            if (error := self.judge(submission, origin)) is not None:
                if len(submissions) > 1:
                    error.path = f"[{row}].{error.path}" if error.path else f"[{row}]"
                raise error
        return [self._take(submission, origin) for submission in submissions]

    def _take(self, submission: Submission, origin: Origin) -> Submitted:
        if submission.key is not None and (known := self._keys.get(submission.key)) is not None:
            return Submitted(job=self.jobs[known], deduplicated=True)
        job_id = f"job_{len(self.jobs) + 1:026d}"
        job = Job(
            id=job_id, kind="still", state="queued", lane=submission.request.lane, rev=1,
            request=asdict(submission.request), origin=origin, progress=None, position=None, attempts=0,
            engine_deaths=0, created_at=_AT, started_at=None, finished_at=None, asset_ids=[], error=None,
            retry_of=None, policy="test", clip=None,
        )  # fmt: skip
        self.jobs[job_id] = job
        self._asked[job_id] = submission.asked
        if submission.key is not None:
            self._keys[submission.key] = job_id
        if self.auto:
            asyncio.get_running_loop().call_soon(self.finish, job_id)
        return Submitted(job=job, deduplicated=False)

    def finish(self, job_id: str) -> None:
        """The job succeeds: pictures, then the receipt, then its state and the event."""
        self.make(job_id, int(self.jobs[job_id].request["count"]))
        self.end(job_id, "succeeded")

    def fail(self, job_id: str, error: TendredError, state: State = "failed") -> None:
        """The job ends badly."""
        self.jobs[job_id] = replace(self.jobs[job_id], error=self.tell(error))
        self.end(job_id, state)

    def end(self, job_id: str, state: State) -> None:
        """The job comes to a state, and that is told."""
        job = self.jobs[job_id] = replace(self.jobs[job_id], state=state, finished_at=_AT)
        self.bus.publish(
            Event(seq=1, boot_id="boot_1", at=_AT, topic=f"job.{state}", job_id=job_id, data={"id": job.id})
        )

    def make(self, job_id: str, count: int) -> None:
        """Pictures and the receipt of a job; the bytes name job and index."""
        job = self.jobs[job_id]
        receipt_id = job_id.replace("job_", "rcp_")
        ending = {"png": "png", "jpeg": "jpg", "webp": "webp"}[str(job.request["format"])]
        assets = [self._asset(job, index, receipt_id, ending) for index in range(count)]
        self._assets.update({asset.id: asset for asset in assets})
        self.jobs[job_id] = replace(job, asset_ids=[asset.id for asset in assets])
        made = [
            Made(asset_id=one.id, file=Path(one.path).name, sha256=one.sha256, pixels_sha256=one.pixels_sha256,
                 media_type=one.media_type, width=64, height=64, seed=one.seed)
            for one in assets
        ]  # fmt: skip
        self._receipts[receipt_id] = Receipt(
            receipt=1, id=receipt_id, job_id=job_id, origin=job.origin, asked=self._asked[job_id],
            settings=job.request, verdict=ReceiptVerdict(policy="test", anchor=None, removed=[]), made=made,
            model=_MODEL, loras=[], character=None, engine=_ENGINE, cost=None, created_at=_AT, started_at=_AT,
            finished_at=_AT, body_sha256="1" * 64, prev_sha256="0" * 64,
        )  # fmt: skip

    def _asset(self, job: Job, index: int, receipt_id: str, ending: str) -> Asset:
        asset_id = f"{job.id.replace('job_', 'ast_')}{index}"
        path = self._pictures / f"{asset_id}.{ending}"
        data = f"picture {index} of {job.id}: {job.request['prompt']}".encode()
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return Asset(
            id=asset_id, kind="still", path=str(path), url=f"/media/{asset_id}", media_type=f"image/{ending}",
            bytes=len(data), sha256=digest, pixels_sha256=digest, width=64, height=64, duration_s=None, fps=None,
            audio=None, created_at=_AT, job_id=job.id, index=index, seed=index, settings=job.request, model=_MODEL,
            loras=[], character=None, engine=_ENGINE, parents=[], receipt_id=receipt_id, policy="test", tags=[],
            state="kept",
        )  # fmt: skip

    async def job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise NotFound(noun="job", name=job_id, near=[])
        return self.jobs[job_id]

    async def asset(self, asset_id: str) -> Asset:
        if asset_id not in self._assets:
            raise NotFound(noun="asset", name=asset_id, near=[])
        asset = self._assets[asset_id]
        return asset if os.path.exists(asset.path) else replace(asset, state="missing")

    async def receipt(self, receipt_id: str) -> Receipt:
        if receipt_id not in self._receipts:
            raise NotFound(noun="receipt", name=receipt_id, near=[])
        return self._receipts[receipt_id]

    def subscribe(self, topics: list[str]) -> Subscription:
        return self.bus.subscribe(topics)

    async def announce(self, topic: str, data: dict[str, Any], job_id: str | None = None) -> None:
        del job_id
        self.announced.append((topic, data))

    async def setting(self, name: str) -> Any:
        return self.settings.get(name)

    async def set_setting(self, name: str, value: Any) -> None:
        self.settings[name] = value
