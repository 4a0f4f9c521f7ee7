"""A Spawn that starts stand-ins for the children, and remembers what it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tendred.children import spawn_child

FAKES: Final[Mapping[str, str]] = {"tendred.engine.worker": "tendred.testing.engine_worker"}


class SpawnFakes:
    """See backend.Spawn: real processes of other modules. `script` becomes the child's TENDRED_TEST_SCRIPT."""

    def __init__(self, modules: Mapping[str, str] = FAKES, script: Path | None = None) -> None:
        self._modules = modules
        self._env = {"TENDRED_TEST_SCRIPT": str(script)} if script is not None else {}
        self.started: list[asyncio.subprocess.Process] = []

    async def __call__(self, module: str, env: Mapping[str, str], stderr: Path) -> asyncio.subprocess.Process:
        process = await spawn_child(self._modules.get(module, module), {**self._env, **env}, stderr)
        self.started.append(process)
        return process

    @property
    def running(self) -> list[asyncio.subprocess.Process]:
        """Those that have not ended."""
        return [process for process in self.started if process.returncode is None]

    async def kill_all(self) -> None:
        """Kill what still runs, whatever it started included."""
        for process in self.running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
