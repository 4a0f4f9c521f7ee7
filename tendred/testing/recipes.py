"""The part of a studio in memory that makes things of what was made."""

from __future__ import annotations

import base64

from msgspec.structs import replace

from tendred.core.studio import Submission, Wish
from tendred.schema.again import Again, Difference
from tendred.schema.asset import Asset
from tendred.schema.job import Job, Origin, Previewed, PreviewInfo, Repeated, Submitted
from tendred.schema.sheet import ContactRequest
from tendred.schema.still import StillRequest, Variation
from tendred.schema.work import PreviewForm


class FakeRecipes:
    """`changed` is what differs from the recipes; previews are two pixels, once a job runs.

    `breaks`: what is promised isn't kept.
    """

    breaks = False
    changed: list[Difference]
    wishes: list[Wish]
    varied: list[Variation]
    sheets: list[ContactRequest]
    _jobs: dict[str, Job]

    def __init__(self) -> None:
        self.changed, self.wishes, self.varied, self.sheets = [], [], [], []

    async def again(self, asset_id: str, wish: Wish, *, dry_run: bool, insist: bool) -> Again:
        self.wishes.append(wish)
        asset = await self.asset(asset_id)
        promised = not self.changed
        if dry_run or not (promised or insist):
            return Again(promised=promised, differences=self.changed, job=None, deduplicated=False)
        made = await self._recipe(asset, wish, 1)
        job = replace(
            made.job, again=Repeated(asset_id=asset_id, promised=promised, equal=promised and not self.breaks)
        )
        self._jobs[job.id] = job
        return Again(promised=promised, differences=self.changed, job=job, deduplicated=made.deduplicated)

    async def variations(
        self, asset_id: str, wish: Wish, *, count: int, strength: float, seed: int | None
    ) -> Submitted:
        self.wishes.append(wish)
        self.varied.append(Variation(asset_id=asset_id, seed=seed or 0, strength=strength))
        return await self._recipe(await self.asset(asset_id), wish, count)

    async def sheet(self, request: ContactRequest, wish: Wish) -> Submitted:
        self.wishes.append(wish)
        self.sheets.append(request)
        for asset_id in request.asset_ids:
            await self.asset(asset_id)
        asked = StillRequest(prompt=request.title or "sheet", lane=wish.lane)
        [made] = await self.submit([Submission(request=asked, asked=wish.asked, key=wish.key)], wish.origin)
        return made

    async def preview(self, job_id: str, form: PreviewForm, side: int) -> Previewed:
        del side
        job = await self.job(job_id)
        if job.state != "running":
            return Previewed(preview=None)
        data = b"P6\n2 1\n255\n\xff\0\0\0\0\xff" if form == "ppm" else b"\xff\xd8"
        return Previewed(
            preview=PreviewInfo(
                index=0, done=1, total=2, width=2, height=1, media_type=f"image/{form}", bytes=len(data),
                data=base64.b64encode(data).decode(),
            )
        )  # fmt: skip

    async def _recipe(self, asset: Asset, wish: Wish, count: int) -> Submitted:
        asked = StillRequest(prompt=asset.settings.get("prompt", "again"), count=count, lane=wish.lane)
        [made] = await self.submit([Submission(request=asked, asked=wish.asked, key=wish.key)], wish.origin)
        return made

    # The studio's own.

    async def asset(self, asset_id: str) -> Asset:
        raise NotImplementedError

    async def job(self, job_id: str) -> Job:
        raise NotImplementedError

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        raise NotImplementedError
