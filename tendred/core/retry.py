"""The same once more: a job that failed, was cancelled or is parked, as a new one."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from tendred.boundary.seal import canonical
from tendred.clock import Ids
from tendred.core.loras import check_fit, resolved
from tendred.core.submit import Submitter
from tendred.errors import WrongState
from tendred.models.catalog import Catalog
from tendred.models.shelf import Shelf
from tendred.queue.store import RETRIED, NewJob, Queue
from tendred.schema.job import Origin, Submitted
from tendred.schema.still import Still


class Retries:
    """Jobs anew."""

    def __init__(self, *, queue: Queue, catalog: Catalog, shelf: Shelf, submitter: Submitter, ids: Ids) -> None:
        self._queue: Final = queue
        self._catalog: Final = catalog
        self._shelf: Final = shelf
        self._submitter: Final = submitter
        self._ids: Final = ids

    async def retry(self, job_id: str, origin: Origin) -> Submitted:
        """The effective request of a job, judged anew and sealed for another one; see `Queue.retry`.

        Plugins amended it already and words were expanded already, so neither happens again. Raises NotFound,
        WrongState, BoundaryRefused, QueueFull, ModelMissing, ModelRefused.
        """
        before = await self._queue.get(job_id)
        if before.state not in RETRIED:
            raise WrongState("retry", path="job_id", name=job_id, state=before.state)
        # It goes where the job stood last: somebody may have moved it.
        still = replace(msgspec.convert(before.request, Still), lane=before.lane)
        model = await self._catalog.get(still.model)
        loras = await resolved(self._shelf, still.loras)
        await check_fit(loras, model)
        new_id = self._ids.new("job")
        reviewed, removed = await self._submitter.review(new_id, still, model, loras, origin)
        new = NewJob(
            id=new_id,
            kind=before.kind,
            lane=still.lane,
            request=asdict(still),
            asked=await self._queue.asked(job_id),
            origin=origin,
            reviewed=reviewed,
            removed=removed,
            retry_of=job_id,
            key=None,
            key_hash=hashlib.sha256(canonical(still)).digest(),
        )
        job, deduplicated = await self._queue.retry(new)
        return Submitted(job=job, deduplicated=deduplicated)
