"""Rows of shots and takes as everybody sees them: with what became of their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tendred.core.cloud import Cloud
from tendred.core.looks import Looks
from tendred.core.shot_rows import ShotRow, ShotRows, TakeRow
from tendred.core.ways import guidance, ways
from tendred.errors import CloudOff, NotFound
from tendred.library.index import Index
from tendred.queue.store import Queue
from tendred.schema.asset import Asset
from tendred.schema.clip import ClipRequest
from tendred.schema.job import State
from tendred.schema.provider import ProviderModel
from tendred.schema.shot import FinalInfo, Shot, TakeInfo, WayOpen


class ShotView:
    """Reads, and writes nothing."""

    def __init__(
        self, *, rows: ShotRows, queue: Queue, index: Index, looks: Looks, cloud: Cloud, language: Callable[[], str]
    ) -> None:
        self._rows = rows
        self._queue = queue
        self._index = index
        self._looks = looks
        self._cloud = cloud
        self._language = language

    async def shot(self, row: ShotRow) -> Shot:
        """A shot as it stands now."""
        final = await self._final(row)
        done = final is not None and final.asset_id is not None
        return Shot(
            id=row.id, name=row.name, prompt=row.prompt, first=row.first, last=row.last, character=row.character,
            tags=row.tags, policy=row.policy, created_at=row.created_at,
            state="finished" if done else "locked" if row.locked else "open", takes=await self._rows.count(row.id),
            locked=row.locked, final=final, guidance=guidance(row.prompt),
        )  # fmt: skip

    async def take(self, row: TakeRow, *, pictures: bool = False) -> TakeInfo:
        """A take as it stands now; with `pictures` those are made, which takes seconds the first time."""
        ask, job_id, number = row.ask, row.job_id or "", row.n or 0
        asset = await self.asset(job_id)
        return TakeInfo(
            id=row.id, shot_id=row.shot_id, n=number, label=row.label or "draft", of=row.of, provider=ask.provider,
            model=ask.model, width=ask.width, height=ask.height, seconds=ask.seconds, fps=ask.fps, audio=ask.audio,
            created_at=row.created_at, job_id=job_id, state=await self._state(job_id, asset),
            asset_id=None if asset is None else asset.id,
            pictures=await self._looks.pictures(asset, titled(row)) if pictures and asset is not None else None,
            ways=self.ways(ask),
        )  # fmt: skip

    async def asset(self, job_id: str) -> Asset | None:
        """The clip that a job made."""
        return next((asset for asset in await self._index.of_job(job_id) if asset.kind == "clip"), None)

    def ways(self, ask: ClipRequest) -> list[WayOpen]:
        """The ways to a final that such a clip leaves open."""
        return ways(
            self.known(ask.provider, ask.model), ask.provider, width=ask.width, height=ask.height, seconds=ask.seconds,
            fps=ask.fps, refines=self.refines(ask.provider), lang=self._language(),
        )  # fmt: skip

    def known(self, provider: str, model: str) -> ProviderModel:
        """A model; one without sizes where the provider is switched off, or has it no more."""
        for features in self._cloud.offered():
            for known in features.models:
                if (features.provider, known.name) == (provider, model):
                    return known
        return ProviderModel(
            name=model, sizes=[], seed=False, first_frame=False, last_frame=False, audio=False, prompt_chars=None,
            replaced_by=None,
        )  # fmt: skip

    def refines(self, provider: str) -> bool:
        """Whether a provider that is switched on keeps latents, and makes finals of them."""
        return any(features.provider == provider and features.refine for features in self._cloud.offered())

    def chosen(self, provider: str | None, model: str | None) -> tuple[str, str]:
        """What is left open is the first that is switched on, and its first model. Raises CloudOff."""
        there = {features.provider: features for features in self._cloud.offered()}
        if provider is None and not there:
            raise CloudOff(path="provider", provider="")
        provider = provider or next(iter(there))
        models = (
            [known.name for known in there[provider].models if known.replaced_by is None] if provider in there else []
        )
        return provider, model or (models[0] if models else "")

    async def _state(self, job_id: str, asset: Asset | None) -> State:
        try:
            return (await self._queue.get(job_id)).state
        except NotFound:  # history has forgotten the job; its clip is there or not
            return "failed" if asset is None else "succeeded"

    async def _final(self, row: ShotRow) -> FinalInfo | None:
        if row.final_job is None or row.final_way is None:
            return None
        asset = await self.asset(row.final_job)
        state = await self._state(row.final_job, asset)
        return FinalInfo(
            way=row.final_way, job_id=row.final_job, state=state, asset_id=None if asset is None else asset.id
        )


def titled(row: TakeRow) -> str:
    """What stands above a take's pictures."""
    ask = row.ask
    return f"take {row.n}: {ask.width} x {ask.height}, {ask.seconds} s, {ask.fps} fps, {ask.model}"


async def gathered(looks: list[TakeRow], view: ShotView) -> list[TakeInfo]:
    """Several takes with their pictures."""
    return list(await asyncio.gather(*(view.take(row, pictures=True) for row in looks)))
