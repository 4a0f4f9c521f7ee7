"""A still of ours made larger: the way in, and what the spine needs of it. No word is drawn; all of them are judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from tendred.backend import Residency
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Ids
from tendred.core.judging import judged
from tendred.core.keep import Run
from tendred.core.refusals import Refusals
from tendred.core.sources import Finder, Sources
from tendred.core.submit import asked_hash, check_engine
from tendred.errors import BoundaryRefused, InvalidParams
from tendred.library.index import Index
from tendred.models.catalog import STARTER
from tendred.models.shelf import Part
from tendred.queue.store import Claim, NewJob, Queue
from tendred.schema.asset import Asset
from tendred.schema.base import Record
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.sealed import Conditioning, OwnStill, Reviewed
from tendred.schema.source import SourceUse
from tendred.schema.upscale import LANCZOS, SIDE, Upscale, UpscaleRequest

RESAMPLER: Final = Part(kind="upscaler", name=LANCZOS, path="", sha256="", ships=True)


class UpscaleSubmission(Record, frozen=True):
    """One request on its way in. `asked` is what the client wrote; `key` the idempotency key, scoped by the door."""

    request: UpscaleRequest
    asked: dict[str, Any]
    key: str | None


class Upscaling:
    """See submit.Submitter; this is its like for pictures that are there already."""

    def __init__(
        self,
        *,
        index: Index,
        finder: Finder,
        boundary: Boundary,
        queue: Queue,
        refusals: Refusals,
        residency: Residency,
        ids: Ids,
        language: Callable[[], str],
        keep_alive_s: float,
    ) -> None:
        self._index = index
        self._finder = finder
        self._boundary = boundary
        self._queue = queue
        self._refusals = refusals
        self._residency = residency
        self._ids = ids
        self._language = language
        self._keep_alive_s = keep_alive_s

    async def submit(self, submission: UpscaleSubmission, origin: Origin) -> Submitted:
        """Take it. Raises StillNotOurs, NotFound, ModelRefused, InvalidParams, BoundaryRefused, QueueFull."""
        request = submission.request
        key_hash = asked_hash(request, b"upscale")
        if (known := await self._queue.by_key(submission.key, key_hash)) is not None:
            return Submitted(job=known, deduplicated=True)
        check_engine(self._residency)
        still = await self._finder.own(request.asset_id, "asset_id")
        asset = await self._index.get(request.asset_id)
        part = await self._upscaler(request.model, asset)
        upscale = self._settled(request, still, asset, part)
        job_id = self._ids.new("job")
        new = NewJob(
            id=job_id,
            kind="upscale",
            lane=upscale.lane,
            request=asdict(upscale),
            asked=submission.asked,
            origin=origin,
            reviewed=await self._review(job_id, upscale, still, part, origin),
            removed=[],
            retry_of=None,
            key=submission.key,
            key_hash=key_hash,
        )
        [(job, deduplicated)] = await self._queue.add([new])
        return Submitted(job=job, deduplicated=deduplicated)

    async def opened(self, claimed: Claim, sealed: dict[str, Any], conditioning: Conditioning, created: float) -> Run:
        """The job as its runner needs it, judged anew if the policy or the weights changed."""
        job: Job = claimed.job
        upscale = msgspec.convert(sealed, Upscale)
        still, part = await self._found(upscale)
        if claimed.reviewed.policy != self._boundary.policy or sealed["model_sha256"] != part.sha256:
            claimed = replace(claimed, reviewed=await self._review(job.id, upscale, still, part, job.origin))
        return Run(
            claim=claimed, still=upscale, conditioning=conditioning, model=part, loras=[],
            sources=Sources(image=still), created=created,
        )  # fmt: skip

    async def review(self, job_id: str, upscale: Upscale, origin: Origin) -> Reviewed:
        """The same once more, for another job. Raises StillNotOurs, NotFound, ModelRefused, BoundaryRefused."""
        still, part = await self._found(upscale)
        return await self._review(job_id, upscale, still, part, origin)

    async def _found(self, upscale: Upscale) -> tuple[OwnStill, Part]:
        """What a final request names: the same bytes as then."""
        still = await self._finder.same(upscale.image, "asset_id")
        if upscale.model == LANCZOS:
            return still, RESAMPLER
        return still, await self._finder.shelf.part("upscaler", upscale.model, "model")

    async def _upscaler(self, name: str | None, asset: Asset) -> Part:
        """The one that was asked for; or the one in the package, which was made for what the starter draws."""
        if name == LANCZOS:
            return RESAMPLER
        if name is not None:
            return await self._finder.shelf.part("upscaler", name, "model")
        if asset.model.name != STARTER:
            return RESAMPLER
        known = await self._finder.shelf.list("upscaler")
        ships = next(
            (info.name for info in known if info.state == "ready" and self._finder.shelf.ships(info.path)), None
        )
        return RESAMPLER if ships is None else await self._finder.shelf.part("upscaler", ships, "model")

    def _settled(self, request: UpscaleRequest, still: OwnStill, asset: Asset, part: Part) -> Upscale:
        width, height = still.width * request.factor, still.height * request.factor
        if max(width, height) > SIDE:
            problem = f"{still.width} x {still.height} would become {width} x {height}; at most {SIDE} pixels are made"
            raise InvalidParams(path="factor", problem=problem)
        keep_alive = self._keep_alive_s if request.keep_alive_s is None else request.keep_alive_s
        return Upscale(
            image=SourceUse(asset_id=still.asset_id, sha256=still.sha256, strength=0.0),
            factor=request.factor,
            model=part.name,
            width=width,
            height=height,
            prompt=still.words,
            negative_prompt="",
            seed=asset.seed,
            count=1,
            character=asset.character,
            format=request.format,
            lane=request.lane,
            keep_alive_s=keep_alive,
            tags=list(dict.fromkeys(request.tags)),
            painted=still.painted,
        )

    async def _review(self, job_id: str, upscale: Upscale, still: OwnStill, part: Part, origin: Origin) -> Reviewed:
        """Have the picture's own words, and those that are new, judged and sealed. Raises BoundaryRefused.

        No words draw here; the anchor says who is in the picture, for whatever is made of the larger one.
        """
        names = {f"tags[{number}]": tag for number, tag in enumerate(upscale.tags)} | {"model": part.name}
        names |= {} if origin.file is None else {"file name": origin.file}
        words = {"asset_id": Words(prompt=upscale.prompt)}
        words |= {path: Words(prompt="", names=[name]) for path, name in names.items()}
        for path, said in words.items():
            verdict, _ = await judged(self._boundary, said, self._language())
            if verdict.verdict == "refuse":
                await self._refusals.note(verdict, upscale.prompt, origin)
                raise BoundaryRefused(
                    "named", path=path, rule=verdict.rule, reason=verdict.reason, span=None, policy=verdict.policy,
                    passes=verdict.passes,
                )  # fmt: skip
        sealed = {**asdict(upscale), "job_id": job_id, "model_sha256": part.sha256}
        return self._boundary.approve(canonical(sealed), Conditioning(prompt=[], negative=[], anchor=still.anchor))
