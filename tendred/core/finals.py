"""The 4K master of a locked take, by upscaling: the way into the queue, and what the spine does with such a job.

Lanczos is the media process's own affair. An upscaler draws in the engine: then the media process hands it one picture
after another through two FIFOs, and takes the larger ones back the same way, so that a clip is never in memory whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from tendred import __version__
from tendred.backend import Backend, ClipMedia
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Clock, Ids, rfc3339
from tendred.core.judging import judged
from tendred.core.keep import Keeper, Run, asset_id, receipt_id
from tendred.core.progress import Watch
from tendred.core.refusals import Refusals
from tendred.core.sources import Finder
from tendred.core.upscale import RESAMPLER
from tendred.errors import BoundaryRefused, Cancelled, TendredError, UnsupportedParameter
from tendred.models.shelf import Part
from tendred.queue.store import Claim, NewJob, Queue
from tendred.schema.asset import Asset, Audio, EngineInfo, ModelUse
from tendred.schema.footage import FINAL_SIDES, Engine, Enlarge, Enlarged
from tendred.schema.job import Job, Origin
from tendred.schema.marks import Parent, Sign
from tendred.schema.sealed import Conditioning, Reviewed
from tendred.schema.shot import Locked
from tendred.schema.source import PartUse
from tendred.schema.still import Lane
from tendred.schema.upscale import LANCZOS, ClipUpscale
from tendred.schema.work import Advance, Encoded, PartFile, WorkOrder

_WORDLESS: Final = Conditioning(prompt=[], negative=[], anchor=None)
_NOBODY: Final = EngineInfo(
    version=__version__, torch="", diffusers="", device="cpu", dtype="uint8", threads=0, batch_size=1
)
_LET_GO_S: Final = 0.1
_LAST_WORDS_S: Final = 2.0


class Finals:
    """See submit.Submitter; this is its like for clips that are there already."""

    def __init__(
        self,
        *,
        finder: Finder,
        boundary: Boundary,
        queue: Queue,
        refusals: Refusals,
        keeper: Keeper,
        backend: Backend,
        clips: ClipMedia,
        watch: Watch,
        ids: Ids,
        clock: Clock,
        language: Callable[[], str],
        keep_alive_s: float,
    ) -> None:
        self._finder = finder
        self._boundary = boundary
        self._queue = queue
        self._refusals = refusals
        self._keeper = keeper
        self._backend = backend
        self._clips = clips
        self._watch = watch
        self._ids = ids
        self._clock = clock
        self._language = language
        self._keep_alive_s = keep_alive_s
        self._running: dict[str, asyncio.Task[Enlarged]] = {}

    # -- the way in ----------------------------------------------------------------------------------------

    async def submit(
        self, shot_id: str, locked: Locked, *, upscaler: str | None, tags: list[str], lane: Lane, origin: Origin
    ) -> Job:
        """Put it into the queue. Raises StillNotOurs, NotFound, ModelRefused, UnsupportedParameter, BoundaryRefused, QueueFull."""
        part = await self._upscaler(upscaler)
        final = self._settled(shot_id, locked, part, tags, lane)
        await self._finder.clip(final.clip, "take_id")
        key_hash = hashlib.sha256(b"final" + canonical(final)).digest()
        job_id = self._ids.new("job")
        new = NewJob(
            id=job_id, kind="upscale", lane=lane, request=asdict(final),
            asked={"shot_id": shot_id, "way": "upscale", "upscaler": upscaler}, origin=origin,
            reviewed=await self._review(job_id, final, part, origin), removed=[], retry_of=None, key=None,
            key_hash=key_hash,
        )  # fmt: skip
        [(job, _)] = await self._queue.add([new])
        return job

    async def review(self, job_id: str, final: ClipUpscale, origin: Origin) -> Reviewed:
        """The same once more, for another job. Raises as `submit`."""
        await self._finder.clip(final.clip, "take_id")
        return await self._review(job_id, final, await self._upscaler(final.model), origin)

    async def _upscaler(self, name: str | None) -> Part:
        if name in {None, LANCZOS}:
            return RESAMPLER
        if not hasattr(os, "mkfifo"):
            raise UnsupportedParameter("clips", path="upscaler", model=name)
        return await self._finder.shelf.part("upscaler", str(name), "upscaler")

    def _settled(self, shot_id: str, locked: Locked, part: Part, tags: list[str], lane: Lane) -> ClipUpscale:
        clip = locked.clip
        factor = FINAL_SIDES[clip.width, clip.height]  # `lock` let no other size in
        return ClipUpscale(
            clip=PartUse(name=locked.asset_id, sha256=locked.sha256), shot_id=shot_id, take_id=locked.take_id,
            factor=factor, model=part.name, width=clip.width * factor, height=clip.height * factor, fps=clip.fps,
            frames=clip.frames, prompt=locked.prompt, seed=locked.seed, count=1, character=locked.character, lane=lane,
            keep_alive_s=self._keep_alive_s, tags=tags,
        )  # fmt: skip

    async def _review(self, job_id: str, final: ClipUpscale, part: Part, origin: Origin) -> Reviewed:
        names = [part.name, *final.tags, *([final.character.name] if final.character else [])]
        who = final.character and final.character.name
        words = Words(prompt=final.prompt, names=names, kind="clip", character=who)
        verdict, _ = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse":
            await self._refusals.note(verdict, final.prompt, origin)
            raise BoundaryRefused(
                "named",
                path="take_id",
                rule=verdict.rule,
                reason=verdict.reason,
                span=None,
                policy=verdict.policy,
                passes=verdict.passes,
            )
        sealed = {**asdict(final), "job_id": job_id, "model_sha256": part.sha256}
        return self._boundary.approve(canonical(sealed), _WORDLESS)

    # -- on the road ---------------------------------------------------------------------------------------

    async def opened(self, claimed: Claim, sealed: dict[str, Any], created: float) -> Run:
        """The job as its runner needs it, judged anew if the policy or the weights changed."""
        final = msgspec.convert(sealed, ClipUpscale)
        part = await self._upscaler(final.model)
        if claimed.reviewed.policy != self._boundary.policy or sealed["model_sha256"] != part.sha256:
            reviewed = await self._review(claimed.job.id, final, part, claimed.job.origin)
            claimed = replace(claimed, reviewed=reviewed)
        return Run(claim=claimed, still=final, conditioning=_WORDLESS, model=part, loras=[], created=created)

    async def make(self, run: Run, final: ClipUpscale, wanted: Callable[[str], bool]) -> None:
        """Make the file and keep it, if it is still wanted by then. Raises Cancelled, ClipUnreadable, StillNotOurs, and what engine and media raise."""
        if not await self._keeper.missing(run):
            return
        clip = await self._finder.clip(final.clip, "take_id")
        staging = await self._keeper.stage(run.id)
        settings: dict[str, Any] = msgspec.to_builtins(final)
        work = Enlarge(
            source=clip.path, sha256=clip.sha256, target=str(staging / "enlarged.mp4"), width=final.width, height=final.height,
            engine=None, settings={"tendred": 1, "asset_id": asset_id(run.id, 0), "job_id": run.id, "settings": settings},
        )  # fmt: skip
        if not wanted(run.id):
            raise Cancelled
        task = asyncio.ensure_future(self._enlarged(run, final, work, staging))
        self._running[run.id] = task  # from here on `cancel` reaches it
        try:
            made = await task
        except asyncio.CancelledError:
            if asyncio.current_task() is not None and asyncio.current_task().cancelling():  # pyright: ignore[reportOptionalMemberAccess]
                raise
            raise Cancelled from None
        finally:
            self._running.pop(run.id, None)
        self._watch.advance(run.id, Advance(phase="saving", done=0, total=1))
        take = Parent(path=clip.path, sha256=clip.sha256, relation="parentOf")
        sign = Sign(source=work.target, target=str(staging / "0.mp4"), media_type="video/mp4", parents=[take])
        signed, path = await self._keeper.shelve(sign, run.file(0))
        await self._keeper.add(self._asset(run, final, made, signed, path, settings), f"{final.prompt} {final.model}")

    async def cancel(self, job_id: str) -> None:
        """Stop one soon; others are none of its business."""
        if task := self._running.get(job_id):
            task.cancel()

    async def _enlarged(self, run: Run, final: ClipUpscale, work: Enlarge, staging: Path) -> Enlarged:
        def told(done: int, total: int) -> None:
            self._watch.advance(run.id, Advance(phase="rendering", done=done, total=total))

        if not run.model.path:
            return await self._clips.enlarge(work, told)
        pipes = Engine(there=str(staging / "there"), back=str(staging / "back"))
        for path in (pipes.there, pipes.back):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.mkfifo(path, 0o600)
        drawn = asyncio.ensure_future(self._drawn(run, final, pipes, staging))
        made = asyncio.ensure_future(self._clips.enlarge(replace(work, engine=pipes), told))
        return await _both(made, drawn, (pipes.there, pipes.back), lambda: self._backend.cancel(run.id))

    async def _drawn(self, run: Run, final: ClipUpscale, pipes: Engine, staging: Path) -> None:
        order = WorkOrder(
            job_id=run.id, reviewed=run.claim.reviewed, model=run.model.name, model_path=run.model.path, loras=[],
            indices=[], staging=str(staging), keep_alive_s=final.keep_alive_s, kind="frames",
            parts=[PartFile(role="there", path=pipes.there), PartFile(role="back", path=pipes.back)],
        )  # fmt: skip
        async with aclosing(self._backend.run(order)) as reports:
            async for _ in reports:
                pass

    def _asset(
        self, run: Run, final: ClipUpscale, made: Enlarged, signed: Encoded, path: Path, settings: dict[str, Any]
    ) -> Asset:
        clip, one = made.footage, asset_id(run.id, 0)
        return Asset(
            id=one, kind="clip", path=str(path), url=f"/media/{one}", media_type="video/mp4", bytes=signed.bytes,
            sha256=signed.sha256, pixels_sha256=made.pictures_sha256, width=clip.width, height=clip.height,
            duration_s=clip.duration_s, fps=clip.fps,
            audio=None if clip.sound is None else Audio(rate=clip.sound.rate, channels=clip.sound.channels),
            created_at=rfc3339(self._clock.now()), job_id=run.id, index=0, seed=final.seed, settings=settings,
            model=ModelUse(name=run.model.name, sha256=run.model.sha256), loras=[], character=final.character,
            engine=_NOBODY, parents=run.parents, receipt_id=receipt_id(run.id), policy=run.claim.reviewed.policy,
            tags=final.tags, state="kept",
        )  # fmt: skip


async def _both(
    made: asyncio.Future[Enlarged],
    drawn: asyncio.Future[None],
    pipes: tuple[str, str],
    stop: Callable[[], Awaitable[None]],
) -> Enlarged:
    """Wait for the two processes. Where one fails the other is let go: it may wait at a FIFO for ever otherwise."""
    try:
        await asyncio.wait([made, drawn], return_when=asyncio.FIRST_EXCEPTION)
    except asyncio.CancelledError:
        made.cancel()
        await _let_go([made, drawn], pipes, stop)
        raise
    if not drawn.done():
        # It may have ended first, and the media process only said so sooner.
        await asyncio.wait([drawn], timeout=_LAST_WORDS_S)
    if not (made.done() and drawn.done()):
        await _let_go([made, drawn], pipes, stop)
    # The engine's own words come first: the media process only saw its pictures end.
    problem = drawn.exception()
    if problem is not None and not (isinstance(problem, Cancelled) and isinstance(made.exception(), TendredError)):
        made.exception()
        raise problem
    return made.result()


async def _let_go(
    waiting: list[asyncio.Future[Any]], pipes: tuple[str, str], stop: Callable[[], Awaitable[None]]
) -> None:
    await stop()
    while left := [one for one in waiting if not one.done()]:
        for path in pipes:
            with contextlib.suppress(OSError):
                # Whoever waits for the other end has it for a moment, and reads that nothing comes.
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        await asyncio.wait(left, timeout=_LET_GO_S)
