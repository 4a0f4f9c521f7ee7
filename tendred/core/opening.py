"""A claimed job, opened: its seal broken, what it names found again, and judged anew where something changed."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from tendred.boundary.judge import Boundary
from tendred.core.again import Recipes
from tendred.core.keep import Run
from tendred.core.loras import check_fit, resolved
from tendred.core.sources import Finder
from tendred.core.submit import Submitter
from tendred.core.upscale import Upscaling
from tendred.errors import Internal
from tendred.models.catalog import Catalog
from tendred.queue.store import Claim, Queue
from tendred.schema.still import Still


class Opener:
    """The spine's second station."""

    def __init__(
        self,
        *,
        queue: Queue,
        boundary: Boundary,
        catalog: Catalog,
        submitter: Submitter,
        finder: Finder,
        upscaling: Upscaling,
        recipes: Recipes,
    ) -> None:
        self._queue = queue
        self._boundary = boundary
        self._catalog = catalog
        self._submitter = submitter
        self._finder = finder
        self._upscaling = upscaling
        self._recipes = recipes

    async def opened(self, claimed: Claim) -> Run:
        """Break the seal; if the policy or the weights changed since, have the request judged anew.

        Where the same pixels were promised, nothing may have changed: raises ModelRefused.
        """
        job = claimed.job
        request, conditioning = self._boundary.open(claimed.reviewed)
        sealed: dict[str, Any] = msgspec.json.decode(request)
        if sealed["job_id"] != job.id:
            raise Internal(problem="the seal belongs to another job")
        created = await self._queue.created(job.id)
        if job.kind == "upscale":
            return await self._upscaling.opened(claimed, sealed, conditioning, created)
        still = msgspec.convert(sealed, Still)
        model = await self._catalog.get(still.model)
        loras = await resolved(self._finder.shelf, still.loras)
        sources = await self._finder.again(still)
        weights = (sealed["model_sha256"], sealed.get("loras_sha256", []))
        if claimed.reviewed.policy != self._boundary.policy or weights != (
            model.sha256, [lora.sha256 for lora in loras],
        ):  # fmt: skip
            await check_fit(loras, model)
            reviewed, removed = await self._submitter.review(job.id, still, model, loras, job.origin, sources=sources)
            claimed = replace(claimed, reviewed=reviewed, removed=removed)
            _, conditioning = self._boundary.open(reviewed)
        await self._recipes.keep_promise(still, claimed.reviewed.policy, conditioning)
        return Run(
            claim=claimed, still=still, conditioning=conditioning, model=model, loras=loras, sources=sources,
            created=created,
        )  # fmt: skip
