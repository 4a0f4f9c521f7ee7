"""A desk that behaves: prices by a list of its own, opens no connection, and has clips drawn instead of rendered.

What it makes is in the library as the broker would leave it: a job of the kind `clip` that has succeeded, an asset, a
receipt. `pay` stands in for clips.render.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred import __version__
from tendred.app.assembly import Ground
from tendred.app.daemon import Daemon
from tendred.clock import rfc3339
from tendred.core.keep import asset_id, receipt_id
from tendred.errors import NotFound
from tendred.library.index import Index
from tendred.library.receipts import Receipts, chained
from tendred.queue.machine import Claimed, Failed, Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.asset import Asset, Audio, EngineInfo, Made, ModelUse, Receipt, ReceiptVerdict
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.schema.provider import Features, ProviderModel, Size
from tendred.schema.sealed import Reviewed
from tendred.schema.shot import ClipAsk, Offer
from tendred.store.database import Tx
from tendred.testing.drawn import Drawn, draw

RATE_MCR: Final = 6_000
"""Thousandths of a credit a second: what the rehearsal says, and nobody pays."""
QUOTE_S: Final = 600.0
_ENGINE: Final = EngineInfo(
    version=__version__, torch="", diffusers="", device="drawn", dtype="", threads=0, batch_size=1
)
_SHORT: Final = [1, 2, 3, 4, 5, 6, 8, 10]
_RATES: Final = ("24", "25", "50", "24000/1001")


def drawn_model(name: str = "drawn") -> ProviderModel:
    """720p and 1080p up to 20 s, 4K up to 10 s, as the hosted models have it."""
    long = {rate: [*_SHORT, 12, 16, 20] for rate in _RATES}
    short = {rate: list(_SHORT) for rate in _RATES}
    sides = [(1280, 720, long), (1920, 1080, long), (2560, 1440, short), (3840, 2160, short)]
    sizes = [Size(width=width, height=height, seconds=seconds) for width, height, seconds in sides]
    sizes += [Size(width=size.height, height=size.width, seconds=size.seconds) for size in sizes]
    return ProviderModel(
        name=name, sizes=sizes, seed=False, first_frame=True, last_frame=True, audio=True, prompt_chars=10_000,
        replaced_by=None,
    )  # fmt: skip


class FakeDesk:
    """See core.desk.ClipDesk. `refine` says whether it keeps latents."""

    def __init__(self, ground: Ground, *, refine: bool = False) -> None:
        self.refine = refine
        self.asks: dict[str, ClipAsk] = {}
        self.drawn: dict[str, Any] = {}
        """Fields of Drawn that differ from what was asked for."""
        self._jobs: dict[str, str] = {}
        self._ids, self._clock, self._database = ground.ids, ground.machine.clock, ground.database
        self._pictures = ground.paths.pictures
        self._queue = Queue(self._database, 1_000)
        self._index = Index(self._database, self._pictures)
        self._receipts = Receipts(self._database)

    def features(self) -> list[Features]:
        return [
            Features(
                provider="rehearsal", models=[drawn_model()], cancel=True, idempotency=True, listing=True, cost=True,
                result_s=None, poll_s=0.01, concurrency=1, table_date="2026-11-22", source="tendred.testing.desk",
                refine=self.refine,
            )
        ]  # fmt: skip

    def refines(self, job_id: str) -> bool:
        return self.refine and job_id in self._jobs.values()

    async def quote(self, ask: ClipAsk, origin: Origin) -> Offer:
        del origin
        quote_id = self._ids.new("quo")
        self.asks[quote_id] = ask
        total = RATE_MCR * ask.seconds
        return Offer(
            quote_id=quote_id, total_mcr=total, credits=f"{total / 1000:g}", table_date="2026-11-22",
            expires_at=rfc3339(self._clock.now() + QUOTE_S),
        )  # fmt: skip

    async def job_of(self, quote_id: str) -> str | None:
        return self._jobs.get(quote_id)

    async def pay(self, quote_id: str, *, fails: bool = False) -> str:
        """Have it made. The same quote again is the same job. Raises NotFound."""
        if quote_id in self._jobs:
            return self._jobs[quote_id]
        ask = self.asks.get(quote_id)
        if ask is None:
            raise NotFound(noun="quote", name=quote_id, near=[])
        job_id = self._jobs[quote_id] = self._ids.new("job")
        await self._database.write(lambda tx: self._begin(tx, job_id, ask))
        if fails:
            error = ErrorInfo(kind="provider_refused", message="no", path=None, next="", detail={}, ref="")
            await self._queue.apply(job_id, Failed(error))
            return job_id
        await self._made(job_id, ask)
        return job_id

    def _begin(self, tx: Tx, job_id: str, ask: ClipAsk) -> None:
        """Queued and running in one transaction, so that no runner of stills takes it."""
        new = NewJob(
            id=job_id, kind="clip", lane="normal", request=msgspec.to_builtins(ask), asked={}, origin=Origin(door="rpc"),
            reviewed=Reviewed(request=b"{}", conditioning=b"{}", policy="drawn", mac=b""), removed=[], retry_of=None,
            key=None, key_hash=b"",
        )  # fmt: skip
        self._queue.add_in(tx, new)
        self._queue.apply_in(tx, job_id, Claimed())

    async def _made(self, job_id: str, ask: ClipAsk) -> None:
        what = Drawn(width=ask.width, height=ask.height, fps=ask.fps, seconds=ask.seconds, sound=ask.audio)
        what = msgspec.structs.replace(what, **self.drawn)
        path = self._pictures / f"{job_id}.mp4"
        await asyncio.to_thread(draw, path, what)
        data = await asyncio.to_thread(path.read_bytes)
        asset = self._asset(job_id, ask, what, path, data)
        receipt = chained(self._receipt(asset), await self._receipts.head())

        def work(tx: Tx) -> None:
            self._index.add_in(tx, asset, ask.prompt)
            self._receipts.add_in(tx, receipt)
            self._queue.apply_in(tx, job_id, Finished())

        await self._database.write(work)

    def _asset(self, job_id: str, ask: ClipAsk, what: Drawn, path: Path, data: bytes) -> Asset:
        one, sha256 = asset_id(job_id, 0), hashlib.sha256(data).hexdigest()
        return Asset(
            id=one, kind="clip", path=str(path), url=f"/media/{one}", media_type="video/mp4", bytes=len(data),
            sha256=sha256, pixels_sha256=sha256, width=what.width, height=what.height, duration_s=what.seconds,
            fps=what.fps, audio=Audio(rate=what.rate, channels=2) if what.sound else None,
            created_at=rfc3339(self._clock.now()), job_id=job_id, index=0, seed=0, settings=msgspec.to_builtins(ask),
            model=ModelUse(name=ask.model, sha256=""), loras=[], character=None, engine=_ENGINE, parents=[],
            receipt_id=receipt_id(job_id), policy="drawn", tags=ask.tags, state="kept",
        )  # fmt: skip

    def _receipt(self, asset: Asset) -> Receipt:
        made = Made(
            asset_id=asset.id, file=Path(asset.path).name, sha256=asset.sha256, pixels_sha256=asset.pixels_sha256,
            media_type=asset.media_type, width=asset.width, height=asset.height, seed=asset.seed,
        )  # fmt: skip
        return Receipt(
            receipt=1, id=asset.receipt_id, job_id=asset.job_id, origin=Origin(door="rpc"), asked={},
            settings=asset.settings, verdict=ReceiptVerdict(policy="drawn", anchor=None, removed=[]), made=[made],
            model=asset.model, loras=[], character=None, engine=asset.engine, cost=None, created_at=asset.created_at,
            started_at=None, finished_at=None, body_sha256="", prev_sha256="",
        )  # fmt: skip


class DrawingDaemon(Daemon):
    """A daemon with such a desk: `desk` is there once it has started."""

    desk: FakeDesk

    def _desk(self, ground: Ground) -> FakeDesk:
        self.desk = FakeDesk(ground)
        return self.desk
