"""A daemon without child processes: everything is real but for the drawing, and starts in a tenth of the time."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from tendred.app.daemon import Announcer, Daemon
from tendred.backend import Backend, Media, Residency
from tendred.boundary.judge import Boundary
from tendred.config.marks import signing_of
from tendred.media.worker.studio import Studio
from tendred.schema.asset import Identity
from tendred.schema.frames import Hello
from tendred.schema.marks import Sign, Signing, Verified, Verify
from tendred.schema.model import LoadedModel
from tendred.schema.still import Still, numbered
from tendred.schema.system import EngineState
from tendred.schema.work import (
    Advance,
    Encode,
    Encoded,
    Output,
    Report,
    Shrink,
    Shrunk,
    WorkOrder,
)
from tendred.tasks import offload
from tendred.testing.engine_worker import INFO

QUALITY = 92


class InstantEngine:
    """See backend.Backend and backend.Residency. Draws what depends on seed and words alone, at once."""

    def __init__(self, boundary: Boundary) -> None:
        self._boundary = boundary

    async def run(self, order: WorkOrder) -> AsyncGenerator[Report]:
        request, conditioning = self._boundary.open(order.reviewed)
        still = msgspec.json.decode(request, type=Still)
        words = "".join(span.text for span in conditioning.prompt)
        yield Advance(phase="loading", done=0, total=None)
        for index in order.indices:
            one = numbered(still, index)
            steps = "".join(f"|{step.seed}@{step.strength}" for step in one.variations)
            row = hashlib.shake_256(f"{one.seed}|{words}{steps}".encode()).digest(still.width * 3)
            path = Path(order.staging) / f"{order.job_id}-{index}.rgb"
            await offload(path.write_bytes, row * still.height)
            sha256 = hashlib.sha256(row * still.height).hexdigest()
            yield Output(
                index=index,
                path=str(path),
                width=still.width,
                height=still.height,
                seed=one.seed,
                pixels_sha256=sha256,
                engine=INFO,
            )

    def together(self, orders: list[WorkOrder]) -> list[AsyncGenerator[Report]]:
        return [self.run(order) for order in orders]

    async def cancel(self, job_id: str) -> None:
        del job_id  # it is over before anybody can want that

    async def previews(self, job_id: str, *, wanted: bool) -> None:
        del job_id, wanted

    async def identity(self) -> Identity:
        fields = {name: getattr(INFO, name) for name in INFO.__struct_fields__ if name in Identity.__struct_fields__}
        return Identity(**fields, dtypes={"unet": INFO.dtype, "transformer": INFO.dtype})

    def state(self) -> EngineState:
        return EngineState(state="idle", device="cpu", model=None, pid=None)

    def loaded(self) -> list[LoadedModel]:
        return []

    async def unload(self, model: str | None) -> list[str]:
        del model
        return []


class InstantMedia:
    """See backend.Media. The child's own code, in a thread."""

    def __init__(self, signing: Signing) -> None:
        self._child = Studio(Hello(signing=signing))

    async def encode(self, work: Encode) -> Encoded:
        return await offload(self._child.encode, work, QUALITY)

    async def shrink(self, work: Shrink) -> Shrunk:
        return await offload(self._child.shrink, work)

    async def sign(self, work: Sign) -> Encoded:
        return await offload(self._child.sign, work)

    async def verify(self, work: Verify) -> Verified:
        return await offload(self._child.verify, work)

    async def prewarm(self) -> None:
        return


class InstantDaemon(Daemon):
    """Start it like any other."""

    def _children(self, announcer: Announcer, boundary: Boundary) -> tuple[Backend, Residency, Media]:
        del announcer
        engine = InstantEngine(boundary)
        return engine, engine, InstantMedia(signing_of(self.config.marks, self.paths))
