"""Shots in memory: what the doors show of them, with the real ones' signatures and errors."""

from __future__ import annotations

from msgspec.structs import replace

from tendred.clock import Ids
from tendred.core.ways import check_upscale, guidance, ways
from tendred.errors import ConsentRequired, InvalidParams, NotFound, WrongState
from tendred.schema.footage import Colour, Footage, Sound
from tendred.schema.job import Job, Origin
from tendred.schema.money import Quote
from tendred.schema.provider import ProviderModel, Size
from tendred.schema.shot import (
    Compared,
    Drafted,
    DraftRequest,
    Finished,
    FinishRequest,
    Locked,
    NewShot,
    Shot,
    ShotPage,
    TakeInfo,
    TakePictures,
    Takes,
)

_AT = "2026-11-22T10:00:00.000Z"
_SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
_MODEL = ProviderModel(
    name="drawn", sizes=[Size(width=3840, height=2160, seconds={"24": [6, 8, 10]})], seed=False, first_frame=True,
    last_frame=True, audio=True, prompt_chars=None, replaced_by=None,
)  # fmt: skip


class FakeShots:
    """See core.shots.Shots. What is priced is rendered at once; `jobs` are what finishing made."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._shots: dict[str, Shot] = {}
        self._takes: dict[str, TakeInfo] = {}
        self.job: Job | None = None
        """What finishing answers with."""

    async def create(self, new: NewShot, origin: Origin) -> Shot:
        del origin
        if not new.prompt.strip():
            raise InvalidParams("empty_prompt", path="prompt")
        shot = Shot(
            id=self._ids.new("shot"), name=new.name or new.prompt[:40], prompt=new.prompt, first=None, last=None,
            character=None, tags=new.tags, policy="fake", created_at=_AT, state="open", takes=0, locked=None, final=None,
            guidance=guidance(new.prompt),
        )  # fmt: skip
        self._shots[shot.id] = shot
        return shot

    async def show(self, shot_id: str) -> Shot:
        if shot_id not in self._shots:
            raise NotFound(path="shot_id", noun="shot", name=shot_id, near=[])
        return self._shots[shot_id]

    async def list(self, limit: int, cursor: str | None) -> ShotPage:
        shots = [shot for shot in reversed(self._shots.values()) if cursor is None or shot.id < cursor]
        return ShotPage(shots=shots[:limit], next=shots[limit - 1].id if len(shots) > limit else None)

    async def draft(self, request: DraftRequest, origin: Origin, token_id: str) -> Drafted:
        del origin, token_id
        shot = await self.show(request.shot_id)
        width, height = _SIZES[request.size]
        if request.orientation == "portrait":
            width, height = height, width
        open_ways = ways(
            _MODEL, "rehearsal", width=width, height=height, seconds=request.seconds, fps=request.fps, refines=False,
            lang="en",
        )  # fmt: skip
        take = TakeInfo(
            id=self._ids.new("take"), shot_id=shot.id, n=shot.takes + 1, label="draft", of=None, provider="rehearsal",
            model="drawn", width=width, height=height, seconds=request.seconds, fps=request.fps, audio=request.audio,
            created_at=_AT, job_id=self._ids.new("job"), state="succeeded", asset_id=self._ids.new("ast"),
            pictures=TakePictures(poster="/p.webp", waveform="/w.webp", sheet="/s.webp"), ways=open_ways,
        )  # fmt: skip
        self._takes[take.id] = take
        self._shots[shot.id] = shot = replace(shot, takes=take.n)
        return Drafted(shot=shot, quote=self._quote(request.seconds), ways=open_ways)

    async def takes(self, shot_id: str) -> Takes:
        await self.show(shot_id)
        return Takes(shot_id=shot_id, takes=[take for take in self._takes.values() if take.shot_id == shot_id])

    async def compare(self, left: str, right: str) -> Compared:
        for take_id in (left, right):
            await self._take(take_id)
        return Compared(path="/compare.webp", left=left, right=right, width=960, height=540)

    async def lock(self, take_id: str) -> Shot:
        take = await self._take(take_id)
        check_upscale(take.width, take.height)
        shot = await self.show(take.shot_id)
        clip = Footage(
            bytes=1, sha256="0", duration_s=float(take.seconds), width=take.width, height=take.height, fps=take.fps,
            frames=24, steady=True, codec="h264", pixels="yuv420p", rotation=0, square=True,
            colour=Colour(range=1, primaries=1, transfer=1, matrix=1),
            sound=Sound(codec="aac", rate=48_000, channels=2, samples=1),
        )  # fmt: skip
        locked = Locked(
            take_id=take.id, n=take.n, asset_id=take.asset_id or "", sha256="0", job_id=take.job_id,
            prompt=shot.prompt, first=None, last=None, character=None, provider=take.provider, model=take.model, seed=0,
            seconds=take.seconds, audio=take.audio, clip=clip, latents=False, locked_at=_AT, ways=take.ways,
        )  # fmt: skip
        self._shots[shot.id] = shot = replace(shot, state="locked", locked=locked)
        return shot

    async def finish(self, request: FinishRequest, origin: Origin, token_id: str) -> Finished:
        del origin, token_id
        shot = await self.show(request.shot_id)
        if shot.locked is None:
            raise WrongState("unlocked", path="shot_id", name=shot.id, state="open")
        if request.way == "new_take" and not request.consent:
            raise ConsentRequired("new_take", path="consent")
        if request.way == "new_take":
            return Finished(
                shot=shot, way="new_take", said="Another take", job_id=None, quote=self._quote(shot.locked.seconds)
            )
        return Finished(
            shot=shot, way="upscale", said="A final", job_id=None if self.job is None else self.job.id, quote=None
        )

    async def _take(self, take_id: str) -> TakeInfo:
        if take_id not in self._takes:
            raise NotFound(path="take_id", noun="take", name=take_id, near=[])
        return self._takes[take_id]

    def _quote(self, seconds: int) -> Quote:
        return Quote(
            id=self._ids.new("quo"), job_id=self._ids.new("job"), provider="rehearsal", model="drawn", width=1280,
            height=720, seconds=seconds, fps="24", rate_mcr=6_000, total_mcr=6_000 * seconds, credits=str(6 * seconds),
            table_date="2026-11-22", table_source="fake", stale=False, failed="unknown", filtered="unknown",
            expires_at=_AT, digest="",
        )  # fmt: skip
