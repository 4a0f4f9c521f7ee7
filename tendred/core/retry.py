"""The same once more: a job that failed, was cancelled or is parked, as a new one."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from tendred.clock import Ids
from tendred.core.grids import Grids
from tendred.core.loras import check_fit, resolved
from tendred.core.sources import Finder
from tendred.core.submit import Submitter, asked_hash
from tendred.core.upscale import Upscaling
from tendred.errors import NotFound, WrongState
from tendred.models.catalog import Catalog
from tendred.queue.store import RETRIED, NewJob, Queue
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.sealed import Reviewed
from tendred.schema.sheet import Cell, SheetRequest
from tendred.schema.still import Still
from tendred.schema.upscale import Upscale

Judged = tuple[dict[str, Any], Reviewed, list[str]]
"""A final request, its seal, and the wishes that were left out."""


class Retries:
    """Jobs anew."""

    def __init__(
        self,
        *,
        queue: Queue,
        catalog: Catalog,
        finder: Finder,
        submitter: Submitter,
        grids: Grids,
        upscaling: Upscaling,
        ids: Ids,
    ) -> None:
        self._queue: Final = queue
        self._catalog: Final = catalog
        self._finder: Final = finder
        self._submitter: Final = submitter
        self._grids: Final = grids
        self._upscaling: Final = upscaling
        self._ids: Final = ids

    async def retry(self, job_id: str, origin: Origin) -> Submitted:
        """The effective request of a job, judged anew and sealed for another one; see `Queue.retry`.

        Plugins amended it already and words were expanded already, so neither happens again. Raises NotFound,
        WrongState, BoundaryRefused, QueueFull, ModelMissing, ModelRefused, StillNotOurs.
        """
        before = await self._queue.get(job_id)
        if before.state not in RETRIED:
            raise WrongState("retry", path="job_id", name=job_id, state=before.state)
        new_id = self._ids.new("job")
        request, reviewed, removed = await self._judged(before, new_id, origin)
        new = NewJob(
            id=new_id,
            kind=before.kind,
            lane=before.lane,
            request=request,
            asked=await self._queue.asked(job_id),
            origin=origin,
            reviewed=reviewed,
            removed=removed,
            retry_of=job_id,
            key=None,
            key_hash=asked_hash(request),
        )
        job, deduplicated = await self._queue.retry(new)
        return Submitted(job=job, deduplicated=deduplicated)

    async def _judged(self, before: Job, new_id: str, origin: Origin) -> Judged:
        # It goes where the job stood last: somebody may have moved it.
        request = {**before.request, "lane": before.lane}
        match before.kind:
            case "sheet":
                return await self._sheet(msgspec.convert(request, SheetRequest), new_id, origin)
            case "upscale":
                upscale = msgspec.convert(request, Upscale)
                return asdict(upscale), await self._upscaling.review(new_id, upscale, origin), []
            case _:
                return await self._still(msgspec.convert(request, Still), new_id, origin)

    async def _still(self, still: Still, new_id: str, origin: Origin) -> Judged:
        model = await self._catalog.get(still.model)
        loras = await resolved(self._finder.shelf, still.loras)
        await check_fit(loras, model)
        sources = await self._finder.again(still)
        reviewed, removed = await self._submitter.review(new_id, still, model, loras, origin, sources=sources)
        return asdict(still), reviewed, removed

    async def _sheet(self, sheet: SheetRequest, new_id: str, origin: Origin) -> Judged:
        """With cells that can be tried again tried again: those that are there, or on their way, are taken as they are."""
        sheet = replace(sheet, cells=[await self._cell(cell, origin) for cell in sheet.cells])
        return msgspec.to_builtins(sheet), await self._grids.review(new_id, sheet, origin), []

    async def _cell(self, cell: Cell, origin: Origin) -> Cell:
        if cell.job_id is None:
            return cell
        try:
            job = await self._queue.get(cell.job_id)
        except NotFound:  # history has forgotten it; its picture may be there
            return cell
        if job.state not in RETRIED:
            return cell
        return replace(cell, job_id=(await self.retry(job.id, origin)).job.id)
