"""One owned child process that talks frames: what the engine's and the media's supervisors share.

A child's real stdout carries frames, its stderr goes to a log file, and it dies with its stdin. It is the
leader of its own session, so that a kill takes everything it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tendred.backend import Spawn
from tendred.schema.frames import FRAME_BYTES, LENGTH, Down, Up, pack, unpack_up

_log = logging.getLogger(__name__)

ENV_ALLOWED: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE", "LD_LIBRARY_PATH",
    "PYTHONPATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "HIP_VISIBLE_DEVICES", "ROCM_PATH",
    "XDG_CACHE_HOME", "TENDRED_TEST_SCRIPT",
)  # fmt: skip
"""What a child may know of our environment. No proxy, no token, no key of anybody's service."""


async def spawn_child(module: str, env: Mapping[str, str], stderr: Path) -> asyncio.subprocess.Process:
    """The real Spawn (see backend.Spawn)."""
    allowed = {name: os.environ[name] for name in ENV_ALLOWED if name in os.environ}
    descriptor = os.open(stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=descriptor,
            env={**allowed, **env},
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


class Child:
    """A running child. `read` from one coroutine only; `send` from any."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._sending = asyncio.Lock()
        self.garbled = False
        """Whether `read` ended because of nonsense, not because the child closed its pipe."""

    @classmethod
    async def start(cls, spawn: Spawn, module: str, env: Mapping[str, str], stderr: Path) -> Child:
        """Start the module as a child."""
        return cls(await spawn(module, env, stderr))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def send(self, record: Down) -> None:
        """Send one frame; a child that is gone is noticed by `read`, not here."""
        assert self._process.stdin is not None
        async with self._sending:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._process.stdin.write(pack(record))
                await self._process.stdin.drain()

    async def read(self) -> Up | None:
        """The next frame; None when the child is gone or speaks nonsense (then it is as good as gone)."""
        assert self._process.stdout is not None
        try:
            (size,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            if size > FRAME_BYTES:
                self.garbled = True
                return None
            return unpack_up(await self._process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None
        except msgspec.DecodeError as problem:
            self.garbled = True
            _log.warning("child %d spoke nonsense: %s", self.pid, problem)
            return None

    def kill(self) -> None:
        """SIGKILL to the child and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    async def end(self, grace_s: float = 2.0) -> int:
        """Close its stdin, wait a little, then kill. Returns its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            return await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            return await self._process.wait()
        finally:
            # Whatever the child itself started is in its session and ends with it.
            self.kill()
            # What nobody reads any more would keep the pipe's transport paused, and so open, for ever.
            # There is no public way to it: asyncio.subprocess.Process closes its pipes only when they reach their end.
            self._process._transport.close()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
