"""Sheets: a job that waits until its cells have ended, then puts their pictures on one. No engine, no GPU.

The runner claims it like any other and hands it over here; it counts as running while it waits. So it needs no order of
its own in the queue, and survives what every job survives: found running at a start, it is queued and claimed again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.boundary.judge import Boundary, Words
from tendred.bus import Bus, Subscription
from tendred.clock import Clock, rfc3339
from tendred.core.judging import judged
from tendred.core.keep import Keeper, asset_id, receipt_id
from tendred.core.layout import lay_out
from tendred.core.pauses import Pauses
from tendred.core.progress import Watch
from tendred.errors import BoundaryRefused, DiskFull, FolderUnwritable, Internal, NotFound, ShuttingDown, StillNotOurs
from tendred.library.files import SUFFIX, stem
from tendred.library.index import Index
from tendred.library.own import OwnStills
from tendred.library.parameters import parameters_text
from tendred.queue.machine import Failed, Finished, Happening, PutBack, Stopped
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Asset, Receipt, ReceiptVerdict
from tendred.schema.error import ErrorInfo
from tendred.schema.job import TERMINAL, Job
from tendred.schema.sealed import Verdict
from tendred.schema.sheet import SheetRequest
from tendred.schema.work import Advance, Encode, Encoded

ENDED: Final = frozenset({*TERMINAL, "parked"})
"""A parked cell waits for a person; its sheet doesn't."""
_ENDS: Final = ("job.succeeded", "job.failed", "job.cancelled", "job.parked")
_log = logging.getLogger(__name__)


class Open:
    """A sheet that waits. `request` and `left`, the jobs it waits for, are known once it was looked at."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.stem = ""
        self.request: SheetRequest | None = None
        self.left: set[str] = set()
        self.all = 0


async def refused(boundary: Boundary, request: SheetRequest, lang: str) -> Verdict | None:
    """What the boundary says of the words on a sheet, if it refuses them. Its cells are judged for themselves."""
    labels = [cell.label for cell in request.cells if cell.label]
    names = list(dict.fromkeys([request.title, *request.columns, *request.rows, *labels, *request.tags]))
    verdict, _ = await judged(boundary, Words(prompt="", names=[name for name in names if name]), lang)
    return verdict if verdict.verdict == "refuse" else None


class Sheets:
    """Makes them, one after another. `closed(job, receipt)` is told of every end."""

    def __init__(
        self,
        *,
        queue: Queue,
        boundary: Boundary,
        index: Index,
        keeper: Keeper,
        pauses: Pauses,
        watch: Watch,
        bus: Bus,
        clock: Clock,
        own: OwnStills,
        tell: Callable[[BaseException], ErrorInfo],
        closed: Callable[[Job, Receipt | None], None],
    ) -> None:
        self._queue = queue
        self._boundary = boundary
        self._index = index
        self._keeper = keeper
        self._pauses = pauses
        self._watch = watch
        self._bus = bus
        self._clock = clock
        self._own = own
        self._tell = tell
        self._closed = closed
        self._open: dict[str, Open] = {}
        self._unwanted: set[str] = set()
        self._news = asyncio.Event()
        self._looking = asyncio.Lock()

    def take(self, claim: Claim) -> None:
        """A sheet was claimed: from here on it is ours to end."""
        self._open[claim.job.id] = Open(claim)
        self._news.set()

    def cancel(self, job_id: str) -> None:
        """Nobody wants it any more."""
        self._unwanted.add(job_id)
        self._news.set()

    async def run(self) -> None:
        """Work for as long as the daemon lives."""
        ended = self._bus.subscribe(_ENDS)
        while True:
            self._news.clear()
            try:
                for job_id in tuple(self._open):
                    async with self._looking:
                        await self._look(job_id)
            except Exception as problem:  # noqa: BLE001 - an end that can't be written now is written later
                self._tell(problem)
                await self._pauses.retry()
                self._news.set()
            if not await self._heard(ended):
                ended.close()
                ended = self._bus.subscribe(_ENDS)
                for one in self._open.values():
                    one.request = None  # ends may have been missed: all of it is asked for again

    async def close(self) -> None:
        """At the end: what waits is put back, uncounted."""
        async with self._looking:
            while self._open:
                job_id, _ = self._open.popitem()
                await self._queue.apply(job_id, PutBack())

    async def _heard(self, ended: Subscription) -> bool:
        """Wait until a job has ended, or a sheet came or is not wanted any more. False: there was too much to hear."""
        event = asyncio.ensure_future(ended.get())
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait([event, news], return_when=asyncio.FIRST_COMPLETED)
            if not event.done():
                return True
            heard = event.result()
            if heard is None:
                return False
            for one in self._open.values():
                one.left.discard(heard.job_id or "")
            return True
        finally:
            event.cancel()
            news.cancel()

    async def _look(self, job_id: str) -> None:
        """Make a sheet if there is nothing left to wait for."""
        one = self._open.get(job_id)
        if one is None:
            return
        try:
            if job_id in self._unwanted:
                await self._end(one, Stopped())
                return
            if one.request is None:
                await self._read(one)
            self._watch.advance(job_id, Advance(phase="rendering", done=one.all - len(one.left), total=one.all))
            if not one.left and one.request is not None:
                await self._end(one, await self._make(one, one.request))
        except (DiskFull, FolderUnwritable) as problem:
            await self._pauses.begin(problem)
            await self._end(one, PutBack())
        except ShuttingDown:
            return  # `close` puts it back
        except Exception as problem:  # noqa: BLE001 - the job's end must be written whatever it died of
            await self._end(one, Failed(self._tell(problem)))

    async def _read(self, one: Open) -> None:
        """Break the seal, and see which cells are still to come. Raises BoundaryRefused if the policy is another now."""
        sealed, _ = self._boundary.open(one.claim.reviewed)
        request = msgspec.json.decode(sealed, type=SheetRequest)
        if msgspec.json.decode(sealed)["job_id"] != one.claim.job.id:
            raise Internal(problem="the seal belongs to another job")
        if one.claim.reviewed.policy != self._boundary.policy and (no := await refused(self._boundary, request, "en")):
            raise BoundaryRefused(rule=no.rule, reason=no.reason, span=None, policy=no.policy, passes=no.passes)
        created = await self._queue.created(one.claim.job.id)
        one.stem = stem(one.claim.job.id, created, f"sheet {request.title}")
        jobs = {cell.job_id for cell in request.cells if cell.job_id is not None}
        one.left = {job for job in sorted(jobs) if (there := await self._job(job)) and there.state not in ENDED}
        one.all = len(jobs)
        one.request = request

    async def _end(self, one: Open, happening: Happening) -> None:
        job_id, receipt, request = one.claim.job.id, None, one.request
        if isinstance(happening, Finished):
            await self._pauses.passed()  # its file is written; see Runner
        if isinstance(happening, Finished) and request is not None:
            verdict = ReceiptVerdict(policy=one.claim.reviewed.policy, anchor=None, removed=one.claim.removed)
            settings = msgspec.to_builtins(request)
            job, receipt = await self._keeper.end(
                job_id,
                one.stem,
                happening,
                lambda assets: self._keeper.receipt(one.claim, assets, settings, verdict),
                lambda _: None,
            )
        else:
            job = await self._queue.apply(job_id, happening)
        self._open.pop(job_id, None)
        self._unwanted.discard(job_id)
        self._watch.forget(job_id)
        await self._keeper.discard(job_id)
        _log.info("job %s: %s", job_id, job.state)
        if job.state in TERMINAL:
            self._closed(job, receipt)

    async def _make(self, one: Open, request: SheetRequest) -> Happening:
        """Draw, publish and index the sheet."""
        there, missing, error = await self._cells(request)
        if not there:
            return Failed(error) if error is not None else Stopped()
        job_id = one.claim.job.id
        layout = lay_out(request, there, missing)
        staging = await self._keeper.stage(job_id)
        sheet, ending = asset_id(job_id, 0), SUFFIX[request.format]
        settings: dict[str, Any] = msgspec.to_builtins(request)
        made, path = await self._keeper.publish(
            Encode(
                raw="",
                width=layout.width,
                height=layout.height,
                pixels_sha256="",
                format=request.format,
                target=str(staging / f"0.{ending}"),
                thumbnail=self._keeper.thumbnail(sheet),
                settings={"tendred": 1, "asset_id": sheet, "job_id": job_id, "settings": settings},
                parameters=parameters_text({"prompt": request.title}),
                sheet=layout.plan,
            ),
            f"{one.stem}.{ending}",
        )
        parents = [there[place] for place in sorted(there, key=lambda at: (at[1], at[0]))]
        asset = self._asset(one, request, made, parents, path, (layout.width, layout.height))
        labels = [cell.label for cell in request.cells if cell.label]
        await self._keeper.add(asset, " ".join((request.title, *request.columns, *request.rows, *labels)))
        return Finished()

    def _asset(
        self, one: Open, request: SheetRequest, made: Encoded, parents: list[Asset], path: Path, size: tuple[int, int]
    ) -> Asset:
        """Model and engine are those of the first cell; each cell tells its own."""
        job_id = one.claim.job.id
        sheet = asset_id(job_id, 0)
        whose = {asset.character for asset in parents}
        return Asset(
            id=sheet,
            kind="sheet",
            path=str(path),
            url=f"/media/{sheet}",
            media_type=made.media_type,
            bytes=made.bytes,
            sha256=made.sha256,
            pixels_sha256=made.pixels_sha256,
            width=size[0],
            height=size[1],
            duration_s=None,
            fps=None,
            audio=None,
            created_at=rfc3339(self._clock.now()),
            job_id=job_id,
            index=0,
            seed=request.seed,
            settings=msgspec.to_builtins(request),
            model=parents[0].model,
            loras=[],
            character=whose.pop() if len(whose) == 1 else None,
            engine=parents[0].engine,
            parents=list(dict.fromkeys(parent.id for parent in parents)),
            receipt_id=receipt_id(job_id),
            policy=one.claim.reviewed.policy,
            tags=request.tags,
            state="kept",
            output_check=made.output_check,
        )

    async def _job(self, job_id: str) -> Job | None:
        """A cell's job; None for one that history has forgotten."""
        try:
            return await self._queue.get(job_id)
        except NotFound:
            return None

    async def _cells(
        self, request: SheetRequest
    ) -> tuple[dict[tuple[int, int], Asset], dict[tuple[int, int], str], ErrorInfo | None]:
        """The pictures by place; of the others what became of them, and the first error among them."""
        there: dict[tuple[int, int], Asset] = {}
        missing: dict[tuple[int, int], str] = {}
        error: ErrorInfo | None = None
        for cell in request.cells:
            if cell.job_id is None:
                found = [await self._index.get(cell.asset_id)] if cell.asset_id is not None else []
            else:
                found = await self._index.of_job(cell.job_id)
            kept = next((asset for asset in found if asset.state == "kept"), None)
            if kept is not None and not await self._own.vouched(kept):
                missing[cell.x, cell.y] = StillNotOurs.kind  # what isn't ours gets no place among what is
            elif kept is not None:
                there[cell.x, cell.y] = kept
            elif cell.job_id is not None:
                job = await self._job(cell.job_id)
                failed = None if job is None else job.error
                missing[cell.x, cell.y] = failed.kind if failed else "gone" if job is None else job.state
                error = error or failed
            else:
                missing[cell.x, cell.y] = "gone"
        return there, missing, error
