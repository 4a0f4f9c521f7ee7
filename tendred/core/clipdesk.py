"""The broker's desk: a clip's seal is opened before it is sent, and what came is judged, published and indexed after."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.boundary.judge import Boundary
from tendred.boundary.seal import canonical
from tendred.clock import Clock, rfc3339
from tendred.core.clipjudge import ClipJudge, spoken
from tendred.core.keep import Keeper, asset_id, receipt_id
from tendred.core.sources import Finder
from tendred.errors import Internal, NotOffered, OutputWithheld
from tendred.library.files import Files, stem
from tendred.queue.claim import SEALED
from tendred.queue.machine import Finished
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Asset, Audio, EngineInfo, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.clip import Clip, Fetched, Probed
from tendred.schema.provider import ClipOrder
from tendred.schema.sealed import Conditioning, OwnStill, Reviewed
from tendred.schema.work import Finding
from tendred.store.database import Database, Tx
from tendred.tasks import offload

SAID: Final = "SELECT provider, remote_id, quoted_mcr, said_mcr FROM clip WHERE job_id = ?"
_log = logging.getLogger(__name__)

Plain = Callable[[OwnStill, Clip], Awaitable[tuple[str, str]]]
"""A still's pixels in a file with nothing else in it, of the clip's size: its path and media type."""
Probe = Callable[[Path], Awaitable[tuple[Probed, list[Finding]]]]
"""What a file really holds, and what the checks of outputs say of it."""


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
        plain: Plain | None,
        probe: Probe | None,
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
        self._plain = plain
        self._probe = probe
        self._closed = closed

    # -- before it is sent ---------------------------------------------------------------------------------

    async def open(self, job_id: str) -> Any:
        """Break the seal; if the policy changed since, have the request judged anew.

        Raises Internal, BoundaryRefused, StillNotOurs, NotOffered.
        """
        claim = await self._claim(job_id)
        clip, conditioning = self._sealed(claim)
        first = None if clip.first is None else await self._finder.same(clip.first, "first")
        last = None if clip.last is None else await self._finder.same(clip.last, "last")
        if claim.reviewed.policy != self._boundary.policy:
            conditioning, _ = await self._judge.allowed(clip, first, last, claim.job.origin)
        order = ClipOrder(
            job_id=job_id,
            key=job_id,
            model=clip.model,
            prompt=spoken(conditioning),
            width=clip.width,
            height=clip.height,
            seconds=clip.seconds,
            fps=clip.fps,
            audio=clip.audio,
            seed=clip.seed,
            first=None,
            last=None,
        )
        return self._opened(order, await self._bare(first, clip, "first"), await self._bare(last, clip, "last"))

    async def _bare(self, still: OwnStill | None, clip: Clip, path: str) -> tuple[str, str] | None:
        if still is None:
            return None
        if self._plain is None:
            raise NotOffered(path=path, provider=clip.provider, near=["words alone"])
        return await self._plain(still, clip)

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

    async def keep(self, job_id: str, file: Fetched | None, close: Callable[[Tx], object]) -> None:
        """Judge, publish, index, and end the job with `close` in its transaction.

        Raises FileNotFoundError where there is no file, OutputWithheld, DiskFull, FolderUnwritable.
        """
        claim = await self._claim(job_id)
        clip, conditioning = self._sealed(claim)
        created = await self._queue.created(job_id)
        base = stem(job_id, created, clip.prompt)
        published = self._files.root / f"{base}.mp4"
        if file is None and not published.is_file():
            raise FileNotFoundError(published)
        probed = None
        if file is not None:
            probed, findings = (None, []) if self._probe is None else await self._probe(Path(file.path))
            if (finding := self._boundary.judge_output(findings)) is not None:
                raise OutputWithheld(rule=finding.rule)
            await offload(self._files.publish, Path(file.path), f"{base}.mp4")
        asset = await self._asset(claim, clip, published, probed)
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

    async def _asset(self, claim: Claim, clip: Clip, path: Path, probed: Probed | None) -> Asset:
        job_id = claim.job.id
        one = asset_id(job_id, 0)
        size, digest = await offload(_hashed, path)
        sound = None
        if probed is not None and probed.rate is not None and probed.channels is not None:
            sound = Audio(rate=probed.rate, channels=probed.channels)
        return Asset(
            id=one,
            kind="clip",
            path=str(path),
            url=f"/media/{one}",
            media_type="video/mp4",
            bytes=size,
            sha256=digest,
            pixels_sha256=digest,
            width=clip.width if probed is None else probed.width,
            height=clip.height if probed is None else probed.height,
            duration_s=float(clip.seconds) if probed is None else probed.duration_s,
            fps=clip.fps if probed is None else probed.fps,
            audio=sound,
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
