"""From a raw picture to an asset: judged, encoded, published, indexed; and the receipt, last."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.backend import Media
from tendred.boundary.judge import Boundary
from tendred.clock import Clock, rfc3339
from tendred.core.deliver import Deliveries
from tendred.core.sources import NOTHING, Sources
from tendred.errors import OutputWithheld
from tendred.library.files import SUFFIX, Files, stem
from tendred.library.index import Index
from tendred.library.own import OwnStills
from tendred.library.parameters import parameters_text
from tendred.library.receipts import Receipts, chained, file_bytes
from tendred.models.catalog import Catalog, Model
from tendred.models.shelf import Lora, Part, Shelf
from tendred.queue.machine import Happening
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Asset, LoraRecord, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.base import Record
from tendred.schema.job import Job
from tendred.schema.marks import Sign
from tendred.schema.sealed import Conditioning
from tendred.schema.still import Still, numbered, parents_of
from tendred.schema.upscale import ClipUpscale, Upscale
from tendred.schema.work import Encode, Encoded, Output
from tendred.store.database import Database, Tx
from tendred.tasks import offload

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_TIME: Final = 10


class Run(Record, frozen=True):
    """A claimed job, opened: what its outputs are made with."""

    claim: Claim
    still: Still | Upscale | ClipUpscale
    conditioning: Conditioning
    model: Model | Part
    loras: list[Lora]
    created: float
    sources: Sources = NOTHING

    @property
    def id(self) -> str:
        return self.claim.job.id

    @property
    def stem(self) -> str:
        """Where its files go, relative to the library's folder and without an ending."""
        return stem(self.id, self.created, self.still.prompt)

    def file(self, index: int) -> str:
        """The library's name of one output."""
        ending = SUFFIX[self.still.format]
        return f"{self.stem}.{ending}" if self.still.count == 1 else f"{self.stem}-{index + 1:03d}.{ending}"

    @property
    def parents(self) -> list[str]:
        """The assets that its outputs come from."""
        own = parents_of(self.still) if isinstance(self.still, Still) else []
        own += [self.still.clip.name] if isinstance(self.still, ClipUpscale) else []
        return list(dict.fromkeys([*own, *self.sources.parents]))

    @property
    def worn(self) -> list[LoraRecord]:
        """The LoRAs that it is drawn with."""
        uses = self.still.loras if isinstance(self.still, Still) else []
        return [
            LoraRecord(name=use.name, weight=use.weight, sha256=lora.sha256)
            for use, lora in zip(uses, self.loras, strict=True)
        ]

    def settings(self, index: int) -> dict[str, Any]:
        """Those of one output, by itself."""
        return msgspec.to_builtins(numbered(self.still, index) if isinstance(self.still, Still) else self.still)

    def parameters(self, output: Output) -> str:
        """The text that other tools read."""
        size = {"width": output.width, "height": output.height}
        return parameters_text({**self.settings(output.index), **size, "model_sha256": self.model.sha256})


def asset_id(job_id: str, index: int) -> str:
    """The id of a job's n-th output: always the same, so that publishing twice is one asset."""
    ulid = job_id.removeprefix("job_")
    digest = int.from_bytes(hashlib.sha256(f"{job_id}:{index}".encode()).digest()[:10], "big")
    tail = "".join(_CROCKFORD[(digest >> shift) & 31] for shift in range(75, -1, -5))
    return f"ast_{ulid[:_ULID_TIME]}{tail}"


class Keeper:
    """Keeps what was made."""

    def __init__(
        self,
        *,
        database: Database,
        queue: Queue,
        boundary: Boundary,
        catalog: Catalog,
        shelf: Shelf,
        media: Media,
        files: Files,
        index: Index,
        receipts: Receipts,
        own: OwnStills,
        deliveries: Deliveries,
        thumbnails: Path,
        clock: Clock,
    ) -> None:
        self._database = database
        self._queue = queue
        self._boundary = boundary
        self._catalog = catalog
        self._shelf = shelf
        self._media = media
        self._files = files
        self._index = index
        self._receipts = receipts
        self._own = own
        self._deliveries = deliveries
        self._thumbnails = thumbnails
        self._clock = clock
        self._chain = asyncio.Lock()

    async def prewarm(self) -> None:
        """Have the media process ready by the time there is something to encode; cheap to say again."""
        await self._media.prewarm()

    async def stage(self, job_id: str) -> Path:
        """A folder for a job's unfinished outputs."""
        return await offload(self._files.stage, job_id)

    async def discard(self, job_id: str) -> None:
        """Throw away what is unfinished."""
        await offload(self._files.discard, job_id)

    async def missing(self, run: Run) -> list[int]:
        """Outputs that are still to be made: after a crash, not those that are in the library already."""
        have = {asset.index for asset in await self._index.of_job(run.id)}
        return [index for index in range(run.still.count) if index not in have]

    async def keep(self, run: Run, output: Output, staging: Path) -> Asset:
        """Judge, encode, publish and index one output. Raises OutputWithheld, SignerBroken, DiskFull, FolderUnwritable."""
        assert not isinstance(run.still, ClipUpscale), "clips are no engine's output"
        if (finding := self._boundary.judge_output(output.findings)) is not None:
            raise OutputWithheld(rule=finding.rule)
        name = run.file(output.index)
        one = asset_id(run.id, output.index)
        settings = run.settings(output.index)
        made, path = await self.publish(
            Encode(
                raw=output.path,
                width=output.width,
                height=output.height,
                pixels_sha256=output.pixels_sha256,
                format=run.still.format,
                target=str(staging / f"{output.index}.{SUFFIX[run.still.format]}"),
                thumbnail=self.thumbnail(one),
                settings={"tendred": 1, "asset_id": one, "job_id": run.id, "settings": settings},
                parameters=run.parameters(output),
                parents=run.sources.marks(changed=isinstance(run.still, Upscale)),
            ),
            name,
        )
        asset = Asset(
            id=one,
            kind="still",
            path=str(path),
            url=f"/media/{one}",
            media_type=made.media_type,
            bytes=made.bytes,
            sha256=made.sha256,
            pixels_sha256=output.pixels_sha256,
            width=output.width,
            height=output.height,
            duration_s=None,
            fps=None,
            audio=None,
            created_at=rfc3339(self._clock.now()),
            job_id=run.id,
            index=output.index,
            seed=output.seed,
            settings=settings,
            model=ModelUse(name=run.model.name, sha256=run.model.sha256),
            loras=run.worn,
            character=run.still.character,
            engine=output.engine,
            parents=run.parents,
            receipt_id=receipt_id(run.id),
            policy=run.claim.reviewed.policy,
            tags=run.still.tags,
            state="kept",
            output_check=made.output_check,
        )

        await self.add(asset, f"{run.still.prompt} {run.still.negative_prompt} {run.model.name}")
        return asset

    async def publish(self, work: Encode, name: str) -> tuple[Encoded, Path]:
        """Make a file and move it into the library, under a name relative to its folder."""
        made = await self._media.encode(work)
        return made, await offload(self._files.publish, Path(made.path), name)

    async def shelve(self, work: Sign, name: str) -> tuple[Encoded, Path]:
        """Mark and sign a finished clip, and move it into the library. Raises as `publish`."""
        made = await self._media.sign(work)
        return made, await offload(self._files.publish, Path(made.path), name)

    def thumbnail(self, asset: str) -> str:
        """Where an asset's thumbnail goes."""
        return str(self._thumbnails / f"{asset}.webp")

    async def add(self, asset: Asset, words: str) -> None:
        """Index an asset by its words, and tell of it."""

        def work(tx: Tx) -> None:
            self._index.add_in(tx, asset, words)
            tx.emit("job.output", {"asset": asset}, asset.job_id)

        await self._database.write(work)

    async def close(self, run: Run, happening: Happening) -> tuple[Job, Receipt | None]:
        """End a job: its receipt file, then one transaction of receipt row, deliveries and the job's state."""
        verdict = ReceiptVerdict(
            policy=run.claim.reviewed.policy, anchor=run.conditioning.anchor, removed=run.claim.removed
        )
        settings: dict[str, Any] = msgspec.to_builtins(run.still)
        return await self.end(
            run.id,
            run.stem,
            happening,
            lambda assets: self.receipt(run.claim, assets, settings, verdict),
            lambda tx: self._used_in(tx, run),
        )

    def _used_in(self, tx: Tx, run: Run) -> None:
        if isinstance(run.model, Model):
            self._catalog.used_in(tx, run.model)
        upscaler = [run.model] if isinstance(run.model, Part) and run.model.path else []
        self._shelf.used_in(tx, [*run.loras, *run.sources.parts, *upscaler])

    async def end(
        self,
        job_id: str,
        name: str,
        happening: Happening,
        written: Callable[[list[Asset]], Receipt],
        also: Callable[[Tx], None],
    ) -> tuple[Job, Receipt | None]:
        """As `close`, of any job: `written` makes the receipt of its assets, `also` belongs to the transaction."""
        async with self._chain:
            assets = await self._index.of_job(job_id)
            receipt = None
            if assets:
                receipt = chained(written(assets), await self._receipts.head())
                staged = await self.stage(job_id) / "receipt.json"
                await offload(self._files.write, f"{name}.receipt.json", file_bytes(receipt), staged)

            def work(tx: Tx) -> Job:
                if receipt is not None:
                    self._receipts.add_in(tx, receipt)
                    self._own.add_in(tx, receipt)
                    self._deliveries.add_in(tx, assets)
                also(tx)
                return self._queue.apply_in(tx, job_id, happening)

            job = await self._database.write(work)
        await self.discard(job_id)
        return job, receipt

    def receipt(self, claim: Claim, assets: list[Asset], settings: dict[str, Any], verdict: ReceiptVerdict) -> Receipt:
        """The record of a job's assets; its place in the chain isn't known yet."""
        made = [
            Made(
                asset_id=asset.id,
                file=Path(asset.path).name,
                sha256=asset.sha256,
                pixels_sha256=asset.pixels_sha256,
                media_type=asset.media_type,
                width=asset.width,
                height=asset.height,
                seed=asset.seed,
            )
            for asset in assets
        ]
        return Receipt(
            receipt=1,
            id=receipt_id(claim.job.id),
            job_id=claim.job.id,
            origin=claim.job.origin,
            asked=claim.asked,
            settings=settings,
            verdict=verdict,
            made=made,
            model=assets[0].model,
            loras=assets[0].loras,
            character=assets[0].character,
            engine=assets[0].engine,
            cost=None,
            created_at=claim.job.created_at,
            started_at=claim.job.started_at,
            finished_at=rfc3339(self._clock.now()),
            body_sha256="",
            prev_sha256="",
            output_check=assets[0].output_check,
        )


def receipt_id(job_id: str) -> str:
    """The id of a job's receipt."""
    return f"rcp_{job_id.removeprefix('job_')}"
