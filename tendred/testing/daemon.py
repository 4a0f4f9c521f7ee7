"""A daemon in a test: real rooms, real SQLite, real child processes; only the drawing is pretended."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import to_builtins

from tendred.app.assembly import Machine
from tendred.app.daemon import Daemon
from tendred.config.load import load
from tendred.config.paths import resolve
from tendred.core.studio import Search, Studio, Submission
from tendred.models.shelf import PACKAGED
from tendred.schema.asset import Asset
from tendred.schema.job import Job, Origin
from tendred.schema.still import StillRequest
from tendred.testing.spawn import SpawnFakes

SCRIPT = "engine-script.json"
_T = TypeVar("_T")


def quiet() -> list[str]:
    """Settings that suit tests: no reserve on the disk, short graces."""
    return ["library.reserve_bytes=0", "engine.cancel_grace_s=1", "daemon.drain_s=2", "hotfolder.settle_s=0.2"]


class TestDaemon:
    """A running daemon and short ways to use it."""

    __test__ = False

    def __init__(self, daemon: Daemon, home: Path) -> None:
        self.daemon = daemon
        self.home = home
        self._stopped = False

    @classmethod
    async def start(
        cls,
        home: Path,
        overrides: Sequence[str] = (),
        machine: Machine | None = None,
        kind: type[Daemon] = Daemon,
        packaged: Path = PACKAGED,
    ) -> TestDaemon:
        """Start a daemon whose directories are all under `home`.

        Without a machine, one with the fake engine; `packaged` is then where the files lie that ship with the package.
        """
        home.mkdir(parents=True, exist_ok=True)
        if not (home / SCRIPT).exists():
            (home / SCRIPT).write_text("{}")
        env = {**os.environ, "TENDRED_HOME": str(home)}
        config = load(overrides, env=env).config
        machine = machine or Machine(spawn=SpawnFakes(script=home / SCRIPT), packaged=packaged)
        return cls(await kind.start(config, resolve(config.paths, env), machine), home)

    @property
    def studio(self) -> Studio:
        return self.daemon.studio

    @property
    def url(self) -> str:
        return self.daemon.url

    @property
    def token(self) -> str:
        return self.daemon.token.reveal()

    async def stop(self) -> None:
        """Stop it; twice is fine."""
        if not self._stopped:
            self._stopped = True
            await self.daemon.stop()

    async def submit(self, prompt: str, *, key: str | None = None, client: str | None = None, **fields: Any) -> Job:
        """Send one request. Refused ones in a row make their client wait; another one doesn't."""
        request = StillRequest(prompt=prompt, **fields)
        asked = {"prompt": prompt, **to_builtins(fields)}
        submission = Submission(request=request, asked=asked, key=key)
        [made] = await self.studio.submit([submission], Origin(door="rpc", client=client))
        return made.job

    async def still(self, prompt: str, *, timeout_s: float = 20, **fields: Any) -> Job:
        """Send one request and wait for its end."""
        return await self.studio.wait((await self.submit(prompt, **fields)).id, timeout_s)

    async def eventually(
        self, look: Callable[[], _T], good: Callable[[_T], bool] = bool, *, timeout_s: float = 15
    ) -> _T:
        """Look again and again until what is seen is good; the last look if it never is."""
        seen = look()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not good(seen):
                    await asyncio.sleep(0.02)
                    seen = look()
        return seen

    async def state_of(self, job_id: str, state: str, *, timeout_s: float = 15) -> Job:
        """Wait until a job is in a state. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (job := await self.studio.job(job_id)).state != state:
                await asyncio.sleep(0.01)
        return job

    async def eventually_search(self, query: str, *, timeout_s: float = 10) -> list[Asset]:
        """Search until something is found: full text follows in a transaction of its own. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not (page := await self.studio.search(Search(query=query))).assets:
                await asyncio.sleep(0.01)
        return page.assets

    def script(self, **behaviour: Any) -> None:
        """What the fake engine does from its next order on (see tendred.testing.engine_worker.Script)."""
        (self.home / SCRIPT).write_text(json.dumps(behaviour))
