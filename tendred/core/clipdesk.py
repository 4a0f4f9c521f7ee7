"""The broker's desk: a clip's seal is opened before it is sent, and what came is judged, published and indexed after."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.backend import ClipMedia
from tendred.boundary.judge import Boundary
from tendred.boundary.seal import canonical
from tendred.clock import Clock, rfc3339
from tendred.core.clipjudge import ClipJudge, sent
from tendred.core.keep import Keeper, asset_id, receipt_id
from tendred.core.sources import Finder
from tendred.errors import ClipUnreadable, EngineMissing, Internal, NotFound, OutputWithheld, StillNotOurs
from tendred.library.files import Files, stem
from tendred.queue.claim import SEALED
from tendred.queue.machine import Finished
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Asset, Audio, EngineInfo, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.clip import Clip, Fetched
from tendred.schema.footage import Footage, Plain
from tendred.schema.marks import Parent, Sign
from tendred.schema.provider import ClipOrder
from tendred.schema.sealed import Conditioning, OwnStill, Reviewed
from tendred.schema.work import Finding
from tendred.store.database import Database, Tx
from tendred.tasks import offload

SAID: Final = "SELECT provider, remote_id, quoted_mcr, said_mcr FROM clip WHERE job_id = ?"
_log = logging.getLogger(__name__)


class ClipDesk:
    """See cloud.desk.Desk. `opened(order, first, last)` makes the broker's record; core doesn't know it."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue,
        boundary: Boundary,
        judge: ClipJudge,
        finder: Finder,
        keeper: Keeper,
        files: Files,
        clock: Clock,
        opened: Callable[[ClipOrder, tuple[str, str] | None, tuple[str, str] | None], Any],
        clips: ClipMedia,
        closed: Callable[[str, Receipt | None], Awaitable[None]],
    ) -> None:
        self._database = database
        self._queue = queue
        self._boundary = boundary
        self._judge = judge
        self._finder = finder
        self._keeper = keeper
        self._files = files
        self._clock = clock
        self._opened = opened
        self._clips = clips
        self._closed = closed

    # -- before it is sent ---------------------------------------------------------------------------------

    async def open(self, job_id: str, *, pictures: bool = True) -> Any:
        """Break the seal; if the policy changed since, have the request judged anew.

        Raises Internal, BoundaryRefused, StillNotOurs, NotFound, EngineMissing, DiskFull, FolderUnwritable.
        """
        claim = await self._claim(job_id)
        clip, conditioning = self._sealed(claim)
        first = last = None
        if pictures:  # otherwise it was sent already: what was said then is asked for, not what would be said now
            first = None if clip.first is None else await self._finder.same(clip.first, "first")
            last = None if clip.last is None else await self._finder.same(clip.last, "last")
            if claim.reviewed.policy != self._boundary.policy:
                conditioning, removed = await self._judge.allowed(clip, first, last, claim.job.origin)
                await self._queue.approved(job_id, self._judge.sealed(job_id, clip, conditioning), removed)
        order = ClipOrder(
            job_id=job_id,
            key=job_id,
            model=clip.model,
            prompt=sent(conditioning),
            width=clip.width,
            height=clip.height,
            seconds=clip.seconds,
            fps=clip.fps,
            audio=clip.audio,
            seed=clip.seed,
            first=None,
            last=None,
            refine_of=await self._remote(clip.refine_of),
        )
        if not pictures:
            return self._opened(order, None, None)
        bare = [await self._bare(job_id, name, still, clip) for name, still in (("first", first), ("last", last))]
        return self._opened(order, *bare)

    async def _bare(self, job_id: str, name: str, still: OwnStill | None, clip: Clip) -> tuple[str, str] | None:
        """A still's pixels in the clip's size, in a file with nothing else in it."""
        if still is None:
            return None
        folder = await offload(self._files.stage, job_id)
        work = Plain(
            source=still.path, sha256=still.sha256, target=str(folder / f"{name}.png"), width=clip.width,
            height=clip.height, format="png",
        )  # fmt: skip
        made = await self._clips.plain(work)
        return made.path, made.media_type

    async def uploaded(self, job_id: str) -> None:
        """Its pictures aren't needed any more."""
        await offload(self._files.discard, job_id)

    async def _remote(self, job_id: str | None) -> str | None:
        """What the provider calls a clip of ours. Raises NotFound."""
        if job_id is None:
            return None
        row = await self._database.read(lambda connection: connection.execute(SAID, (job_id,)).fetchone())
        if row is None or row["remote_id"] is None:
            raise NotFound(path="refine_of", noun="clip", name=job_id, near=[])
        return row["remote_id"]

    async def _claim(self, job_id: str) -> Claim:
        job = await self._queue.get(job_id)
        row = await self._database.read(lambda connection: connection.execute(SEALED, (job_id,)).fetchone())
        return Claim(
            job=job,
            reviewed=Reviewed(
                request=row["sealed_request"], conditioning=row["conditioning"], policy=row["policy"], mac=row["mac"]
            ),
            asked=msgspec.json.decode(row["asked"]),
            removed=msgspec.json.decode(row["removed"]),
        )

    def _sealed(self, claim: Claim) -> tuple[Clip, Conditioning]:
        request, conditioning = self._boundary.open(claim.reviewed)
        sealed: dict[str, Any] = msgspec.json.decode(request)
        clip = msgspec.convert(sealed, Clip)
        if sealed["job_id"] != claim.job.id or canonical(clip) != canonical(msgspec.convert(claim.job.request, Clip)):
            raise Internal(problem="the seal belongs to another job")
        return clip, conditioning

    # -- once it is here -----------------------------------------------------------------------------------

    async def check(self, file: Fetched) -> None:
        """Raises ClipUnreadable where it is no clip; what ends the process that reads it twice is none either."""
        try:
            await self._probed(Path(file.path))
        except Internal as problem:
            raise ClipUnreadable(problem="the process that read it ended") from problem

    async def _probed(self, path: Path) -> Footage | None:
        """What is in a file; None without PyAV, where only its boxes were looked at. Raises ClipUnreadable, Internal."""
        try:
            return await self._clips.probe(str(path))
        except EngineMissing as problem:
            _log.warning("%s is kept as it came: %s", path.name, problem)
            return None

    async def keep(self, job_id: str, file: Fetched | None, close: Callable[[Tx], object]) -> None:
        """Judge, publish, index, and end the job with `close` in its transaction.

        Raises FileNotFoundError where there is no file, OutputWithheld, SignerBroken, DiskFull, FolderUnwritable.
        """
        claim = await self._claim(job_id)
        clip, conditioning = self._sealed(claim)
        created = await self._queue.created(job_id)
        base = stem(job_id, created, clip.prompt)
        published = self._files.root / f"{base}.mp4"
        if file is None:
            if not published.is_file():
                raise FileNotFoundError(published)
            pictures = None
        else:
            # No check of clips is built yet; what one finds withholds the clip here, paid as it is.
            findings: list[Finding] = []
            if (finding := self._boundary.judge_output(findings)) is not None:
                raise OutputWithheld(rule=finding.rule)
            await self._publish(job_id, clip, file, f"{base}.mp4")
            pictures = file.sha256
        asset = await self._asset(claim, clip, published, await self._probed(published), pictures)
        await self._keeper.add(asset, f"{clip.prompt} {clip.model} {clip.provider}")
        verdict = ReceiptVerdict(policy=claim.reviewed.policy, anchor=conditioning.anchor, removed=claim.removed)
        row = await self._database.read(lambda connection: connection.execute(SAID, (job_id,)).fetchone())
        cost = {
            "provider": row["provider"],
            "remote_id": row["remote_id"],
            "quoted_mcr": row["quoted_mcr"],
            "settled_mcr": row["quoted_mcr"] if row["said_mcr"] is None else row["said_mcr"],
            "basis": "table" if row["said_mcr"] is None else "provider",
        }
        job, receipt = await self._keeper.end(
            job_id,
            base,
            Finished(),
            lambda assets: msgspec.structs.replace(
                self._keeper.receipt(claim, assets, msgspec.to_builtins(clip), verdict), cost=cost
            ),
            lambda tx: _ignore(close(tx)),
        )
        _log.info("job %s: %s", job.id, job.state)
        await self._closed(job_id, receipt)

    async def _publish(self, job_id: str, clip: Clip, file: Fetched, name: str) -> None:
        """Sign a copy of what came and publish that: the vault keeps its file until the job has ended."""
        parents: list[Parent] = []
        for use in (clip.first, clip.last):
            with contextlib.suppress(StillNotOurs):  # deleted meanwhile; the receipt still names it
                still = await self._finder.same(use, "first") if use is not None else None
                if still is not None:
                    parents.append(Parent(path=still.path, sha256=still.sha256, relation="inputTo"))
        staging = await self._keeper.stage(job_id)
        sign = Sign(
            source=file.path, target=str(staging / "signed.mp4"), media_type="video/mp4", parents=parents, provided=True
        )
        await self._keeper.shelve(sign, name)

    async def _asset(self, claim: Claim, clip: Clip, path: Path, probed: Footage | None, pictures: str | None) -> Asset:
        """`pictures`: the hash of the file as it came."""
        job_id = claim.job.id
        one = asset_id(job_id, 0)
        size, digest = await offload(_hashed, path)
        sound = None if probed is None else probed.sound
        return Asset(
            id=one,
            kind="clip",
            path=str(path),
            url=f"/media/{one}",
            media_type="video/mp4",
            bytes=size,
            sha256=digest,
            pixels_sha256=pictures or digest,
            width=clip.width if probed is None else probed.width,
            height=clip.height if probed is None else probed.height,
            duration_s=float(clip.seconds) if probed is None else probed.duration_s,
            fps=clip.fps if probed is None else probed.fps,
            audio=None if sound is None else Audio(rate=sound.rate, channels=sound.channels),
            created_at=rfc3339(self._clock.now()),
            job_id=job_id,
            index=0,
            seed=clip.seed or 0,
            settings=msgspec.to_builtins(clip),
            model=ModelUse(name=clip.model, sha256=""),
            loras=[],
            character=clip.character,
            engine=EngineInfo(
                version="", torch="", diffusers="", device=clip.provider, dtype="", threads=0, batch_size=1
            ),
            parents=[use.asset_id for use in (clip.first, clip.last) if use is not None],
            receipt_id=receipt_id(job_id),
            policy=claim.reviewed.policy,
            tags=clip.tags,
            state="kept",
        )


def _ignore(_value: object) -> None:
    """What `close` returns is the broker's."""


def _hashed(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest
