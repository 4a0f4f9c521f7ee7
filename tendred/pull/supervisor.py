"""Owns the child that pulls: one for each call. Cancelling a call ends its child at once, and that is a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tendred.backend import Spawn
from tendred.children import Child
from tendred.config.hub import HubPlace
from tendred.errors import Internal, ProviderUnavailable, TendredError, registry
from tendred.schema.frames import Up
from tendred.schema.pull import Fetch, FetchDone, Fetched, HubAccess, Listed, Look, Plan, PullFailed
from tendred.tasks import offload

MODULE: Final = "tendred.pull.worker"
SILENCE_S: Final = 180.0
"""Longer than the client's own patience with a connection, and than the wait for a slow disk."""
_log = logging.getLogger(__name__)


class HubProcess:
    """See backend.Hub."""

    def __init__(self, *, place: HubPlace, spawn: Spawn, stderr: Path, home: Path) -> None:
        """`home`: a folder for whatever the hub's library keeps for itself; it sees none of the user's."""
        self._place = place
        self._spawn = spawn
        self._stderr = stderr
        self._env = {**place.env, "HF_HOME": str(home)}

    @property
    def host(self) -> str:
        return self._place.host

    async def look(self, repo: str, revision: str) -> Listed:
        found: list[Listed] = []

        def take(frame: Up) -> bool:
            if isinstance(frame, Listed):
                found.append(frame)
            return bool(found)

        await self._call(Look(repo=repo, revision=revision, hub=await self._access()), take)
        return found[0]

    async def fetch(self, repo: str, plan: Plan, folder: Path, told: Callable[[Fetched], None]) -> None:
        def take(frame: Up) -> bool:
            if isinstance(frame, Fetched):
                told(frame)
            return isinstance(frame, FetchDone)

        await self._call(Fetch(repo=repo, plan=plan, folder=str(folder), hub=await self._access()), take)

    async def _access(self) -> HubAccess:
        token = await offload(self._place.token)
        return HubAccess(endpoint=self._place.endpoint, token=None if token is None else token.reveal())

    async def _call(self, order: Look | Fetch, take: Callable[[Up], bool]) -> None:
        """Hand a child its order and its frames to `take`, until that says it was the last."""
        try:
            child = await Child.start(self._spawn, MODULE, self._env, self._stderr)
        except OSError as problem:
            raise Internal(problem=f"the process that pulls can't be started: {problem}") from problem
        ended = False
        try:
            await child.send(order)
            while not ended:
                frame = await self._next(child)
                if isinstance(frame, PullFailed):
                    raise _error(frame)
                ended = take(frame)
        finally:
            # It has nothing to put in order: what it wrote is written.
            child.kill()
            await child.end()

    async def _next(self, child: Child) -> Up:
        try:
            async with asyncio.timeout(SILENCE_S):
                frame = await child.read()
        except TimeoutError:
            frame, problem = None, f"nothing was heard of it for {SILENCE_S:g} s"
        else:
            problem = "its process ended"
        if frame is None:
            _log.warning("the pull's process (%d) is gone: %s", child.pid, problem)
            raise ProviderUnavailable("pull", provider=self.host, problem=problem)
        return frame


def _error(frame: PullFailed) -> TendredError:
    kind = registry().get(frame.kind, Internal)
    return kind(frame.variant, path=frame.path, **frame.detail)
