"""The hot folder door: which folders are watched, and the news of jobs for them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tendred.backend import Fs
from tendred.bus import Subscription
from tendred.clock import Clock, Ids
from tendred.config.schema import HotfolderSection
from tendred.errors import InvalidParams, NotFound
from tendred.hotfolder import ground
from tendred.hotfolder.desk import Desk
from tendred.hotfolder.pending import Parts
from tendred.hotfolder.settle import where
from tendred.hotfolder.spot import Spot
from tendred.hotfolder.wake import from_thread
from tendred.hotfolder.watch import Overflows
from tendred.schema.system import HotFolder
from tendred.tasks import Tasks, offload

SETTING: Final = "hotfolders"
"""A list of `{"id", "path"}`, and of the first folder, once somebody removed it, `{"id", "path", "removed": true}`."""

_TOPICS: Final = ["job.succeeded", "job.failed", "job.cancelled", "job.parked"]
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


_SYSTEM: Final = frozenset({"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr"})
"""No place for prompts: first folders of an absolute path on Linux."""


class HotFolderDoor:
    """Implements backend.HotFolders. `default` is the first hot folder; it is made at the start if it isn't there.

    `private` are the daemon's other directories, which no hot folder may be, hold, or lie in.
    """

    def __init__(
        self,
        studio: Desk,
        *,
        config: HotfolderSection,
        default: Path,
        private: Sequence[Path] = (),
        fs: Fs,
        clock: Clock,
        ids: Ids,
        tasks: Tasks,
    ) -> None:
        self._studio = studio
        self._private = private
        self._enabled = config.enabled
        self._default = default
        self._parts = Parts(studio, config, fs, clock, ids, tasks)
        self._spots: dict[str, Spot] = {}
        self._news: Subscription | None = None
        self._overflows: Overflows | None = None
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch every folder, after finishing what an earlier run had begun."""
        if not self._enabled:
            return
        self._overflows = Overflows(from_thread(asyncio.get_running_loop(), self._rescan_all))
        self._overflows.start()
        self._news = self._studio.subscribe(_TOPICS)
        self._listener = self._parts.tasks.spawn("hot folder news", self._listen())
        stored = await self._stored()
        first = first_id(self._default)
        if not any(entry["id"] == first and entry.get("removed") for entry in stored):
            await offload(_make, self._parts.fs, self._default)
            self._watch(first, self._default)
        for entry in stored:
            if not entry.get("removed") and entry["id"] != first:
                self._watch(entry["id"], Path(entry["path"]))

    async def stop(self) -> None:
        """Stop watching. Claims that are under way go on at the next start."""
        if self._overflows is not None:
            self._overflows.stop()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        if self._news is not None:
            self._news.close()
        for spot in self._spots.values():
            await spot.stop()
        self._spots.clear()

    async def list(self) -> list[HotFolder]:
        """Every folder with its counts."""
        return [await spot.describe() for spot in tuple(self._spots.values())]

    async def add(self, path: str) -> HotFolder:
        """Watch one more. Raises InvalidParams unless it is the absolute path of an existing folder, not yet watched."""
        root = Path(path)
        if problem := await offload(_unfit, root, [spot.root for spot in self._spots.values()], self._private):
            raise InvalidParams("folder", path=path, problem=problem)
        stored = await self._stored()
        first = first_id(self._default)
        if root == self._default:
            await self._studio.set_setting(SETTING, [entry for entry in stored if entry["id"] != first])
            return await self._watch(first, root).describe()
        hotfolder_id = self._parts.ids.new("hot")
        await self._studio.set_setting(SETTING, [*stored, {"id": hotfolder_id, "path": str(root)}])
        return await self._watch(hotfolder_id, root).describe()

    async def remove(self, hotfolder_id: str) -> None:
        """Stop watching; files stay. Raises NotFound."""
        spot = self._find(hotfolder_id)
        stored = [entry for entry in await self._stored() if entry["id"] != hotfolder_id]
        if hotfolder_id == first_id(self._default):
            stored.append({"id": hotfolder_id, "path": str(self._default), "removed": True})
        await self._studio.set_setting(SETTING, stored)
        if self._spots.pop(hotfolder_id, None) is not None:
            await spot.stop()

    async def standing(self, path: str, *, spends: bool = True) -> str:
        """The path of a watched folder that may have a standing cap, however it is spelled.

        Raises NotFound, and InvalidParams for one that others could write into, if it `spends`.
        """
        here = await offload(os.path.realpath, path)
        for spot in tuple(self._spots.values()):
            if await offload(os.path.realpath, spot.root) == here:
                if spends:
                    await offload(ground.check, spot.root, "changes.doors")
                return str(spot.root)
        known = [str(spot.root) for spot in self._spots.values()]
        raise NotFound(path="changes.doors", noun="hot folder", name=path, near=known)

    async def rescan(self, hotfolder_id: str | None) -> None:
        """Look through one or all now. Raises NotFound."""
        if hotfolder_id is None:
            self._rescan_all()
        else:
            self._find(hotfolder_id).rescan()

    def _find(self, hotfolder_id: str) -> Spot:
        if (spot := self._spots.get(hotfolder_id)) is None:
            raise NotFound(noun="hot folder", name=hotfolder_id, near=list(self._spots))
        return spot

    def _watch(self, hotfolder_id: str, root: Path) -> Spot:
        spot = self._spots[hotfolder_id] = Spot(hotfolder_id, root, self._parts)
        spot.start()
        return spot

    def _rescan_all(self) -> None:
        for spot in self._spots.values():
            spot.rescan()

    async def _stored(self) -> list[dict[str, Any]]:
        return list(await self._studio.setting(SETTING) or [])

    async def _listen(self) -> None:
        """Pass on which jobs have ended; after a gap ask for all that are still open."""
        while self._news is not None:
            event = await self._news.get()
            if event is None:
                self._news.close()
                self._news = self._studio.subscribe(_TOPICS)
                for spot in tuple(self._spots.values()):
                    await spot.recheck()
            elif event.job_id is not None:
                for spot in self._spots.values():
                    spot.job_ended(event.job_id)


def first_id(path: Path) -> str:
    """The first folder's id: of its path, so that it is the same at every start without being stored."""
    number = int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:16], "big") >> 1
    return "hot_" + "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def _make(fs: Fs, path: Path) -> None:
    """The first folder is ours to make. If that can't be, it is told as missing and looked for again."""
    if not path.exists():
        try:
            fs.mkdir(path)
            fs.sync_dir(path.parent)
        except OSError:
            return


def _unfit(root: Path, watched: Sequence[Path], private: Sequence[Path]) -> str | None:
    """Why a folder can't be watched; None if it can. A hot folder takes every file in it, so this is strict."""
    if not root.is_absolute():
        return "the path is not absolute"
    if not root.is_dir():
        return "there is no such folder"
    here = Path(os.path.realpath(root))
    for other in watched:
        there = Path(os.path.realpath(other))
        if here == there:
            return "it is watched already"
        if any(here.is_relative_to(inner) for inner in where(there)):
            return f"it belongs to the hot folder {other}"
    if here == Path(here.anchor) or here.parts[1] in _SYSTEM or Path.home().is_relative_to(here):
        return "it belongs to the system or is a home, and a hot folder takes every file in it"
    for own in private:
        there = Path(os.path.realpath(own))
        if here.is_relative_to(there) or there.is_relative_to(here):
            return f"the daemon keeps its own files there ({own})"
    count = sum(entry.is_file() and not entry.name.startswith(".") for entry in root.iterdir())
    return (
        f"it holds {count} files already, and a hot folder takes every file in it; begin with an empty one"
        if count
        else None
    )
