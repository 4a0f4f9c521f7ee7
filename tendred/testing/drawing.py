"""A daemon beside a provider on this machine that draws: the way of a clip is the real one, and nobody is paid."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from msgspec.structs import replace

from tendred.app.assembly import Machine
from tendred.app.cloudwork import Outside
from tendred.app.daemon import Daemon
from tendred.backend import Adapter
from tendred.config.paths import Paths
from tendred.config.schema import Config
from tendred.hooks.manager import Plugins
from tendred.schema.job import Job, Origin
from tendred.schema.money import CapChanges
from tendred.schema.token import OWNER
from tendred.testing.adapters import adapter_for
from tendred.testing.credentials import MemorySecrets
from tendred.testing.providers.clips import Wanted, drawn
from tendred.testing.providers.faults import Fault
from tendred.testing.providers.ltx import FakeLtx

ORIGIN: Final = Origin(door="rpc")
_CAP: Final = 10**9
_WAIT_S: Final = 600


class DrawingDaemon(Daemon):
    """Clips come from `there`, which is switched on under wide caps."""

    def __init__(self, config: Config, paths: Paths, machine: Machine) -> None:
        super().__init__(config, paths, machine)
        self.there = FakeLtx(self._draw)
        self.adapter: Adapter | None = None
        self.drawn: dict[str, Any] = {}
        """Fields of Wanted that differ from what was asked for."""

    async def open(self) -> None:
        await self.there.start()
        try:
            await super().open()
        except BaseException:
            await self.there.stop()
            raise
        caps = CapChanges(job_mcr=_CAP, day_mcr=_CAP, month_mcr=_CAP)
        await self.studio.cloud.enable(self.there.provider, caps)

    async def stop(self) -> None:
        await super().stop()
        await self.there.stop()

    def refines(self, yes: bool) -> None:  # noqa: FBT001 - it reads as a sentence
        """Whether the provider says that it keeps latents."""
        assert self.adapter is not None
        self.adapter.features = replace(self.adapter.features, refine=yes)

    async def pay(self, quote_id: str, *, fails: bool = False) -> Job:
        """Confirm a quote as a person would, have it rendered, and wait for its end."""
        if fails:
            self.there.script.add(Fault(where="poll", what="fail", kind="api_error"))
        clips = self.studio.clips
        shown = await clips.confirm(quote_id, OWNER)
        job = await clips.render(quote_id, shown.code, OWNER)
        return await self.studio.wait(job.id, _WAIT_S)

    def _outside(self, plugins: Plugins) -> Outside:
        del plugins
        self.adapter = adapter_for(self.there, poll_s=0.1)
        return Outside(
            adapters={self.there.provider: self.adapter}, secrets=MemorySecrets(), media=self._footage("results")
        )

    async def _draw(self, wanted: Wanted) -> bytes:
        return await drawn(dataclasses.replace(wanted, **self.drawn))
