"""The way of one pull: looked up, planned, fetched beside, and only whole put where models are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tendred.backend import Fs, Hub
from tendred.core.cache import REMOVING
from tendred.core.pull_rows import PullRows
from tendred.errors import DiskFull, FolderUnwritable, ModelRefused
from tendred.models.catalog import Catalog
from tendred.models.folder import inspect
from tendred.models.wanted import plan, stands
from tendred.schema.pull import Fetched, Listed, Plan, Pull
from tendred.schema.weights import ABOUT
from tendred.store.database import Tx
from tendred.tasks import offload

PLACE: Final = "hub"
"""Below the models folder: what was pulled, a folder each."""
STAGING: Final = ".pulling"
SHORT: Final = 12
"""So much of a commit is enough to tell it by."""


class Pulling:
    """Works at one pull after another. `models`: the user's models folder."""

    def __init__(self, *, hub: Hub, rows: PullRows, catalog: Catalog, fs: Fs, models: Path, reserve_bytes: int) -> None:
        self._hub = hub
        self._rows = rows
        self._catalog = catalog
        self._fs = fs
        self._models = models
        self._reserve_bytes = reserve_bytes

    async def settle(self, pull: Pull) -> tuple[Pull, Plan]:
        """What the revision means and holds, written down before anything of it is fetched.

        Raises what Hub does, ModelRefused and InvalidParams for what could not be used.
        """
        if (known := await self._rows.plan(pull.id)) is not None:
            return pull, known
        listed = await self._hub.look(pull.repo, pull.revision)
        settled = plan(listed, pull.variant, pull.repo)

        def work(tx: Tx) -> Pull:
            self._rows.set_plan_in(tx, pull.id, settled)
            return self._rows.change_in(tx, pull.id, {"running"}, "model.pulling", **_known(listed, settled))

        return await self._rows.database.write(work), settled

    async def fetch(self, pull: Pull, settled: Plan, told: Callable[[Fetched], None]) -> Path:
        """Bring the model here; goes on where it was left. Returns its folder, checked and hashed.

        Raises what Hub does, ModelRefused, DiskFull, FolderUnwritable.
        """
        place = self._models / PLACE / folder_name(pull, settled.commit)
        here = await offload(os.path.lexists, place)
        if here:
            told(Fetched(phase="verifying", done_bytes=await offload(self.present, pull.id)))
        if not (here and await offload(stands, place, settled)):
            staging = self.staging(pull.id)
            await offload(self._room, pull, settled)
            await self._hub.fetch(pull.repo, settled, staging, told)
            about = {"licence": pull.licence, "source": f"{pull.host}/{pull.repo}@{settled.commit}"}
            await offload(self._publish, pull, staging, place, about)
        told(Fetched(phase="verifying", done_bytes=settled.bytes))
        await self._catalog.check(place, pull.name)
        return place

    def staging(self, pull_id: str) -> Path:
        """Where its files gather."""
        return self._models / STAGING / pull_id

    def present(self, pull_id: str) -> int:
        """Bytes that were fetched so far. Blocking."""
        return sum(path.stat().st_size for path in self.staging(pull_id).rglob("*") if path.is_file())

    def clear(self, pull_id: str) -> None:
        """Remove what it fetched. Blocking. Raises FolderUnwritable."""
        try:
            self._remove(self.staging(pull_id))
        except OSError as problem:
            raise FolderUnwritable(folder=str(self._models), problem=problem.strerror) from problem

    def sweep(self, kept: set[str]) -> None:
        """Remove what belongs to no pull any more, and what was being deleted. Blocking."""
        for folder in [*self._models.glob(f"{REMOVING}*"), *self._models.glob(f"*/{REMOVING}*")]:
            self._remove(folder)
        root = self._models / STAGING
        for folder in [*root.iterdir()] if root.is_dir() else []:
            if folder.name not in kept:
                self._remove(folder)

    def _room(self, pull: Pull, settled: Plan) -> None:
        """Raises DiskFull before the first byte rather than after the last one that fits."""
        try:
            self._fs.mkdir(self.staging(pull.id))
            here = self.present(pull.id)
            free = shutil.disk_usage(self._models).free
        except OSError as problem:
            raise FolderUnwritable(folder=str(self._models), problem=problem.strerror) from problem
        needed = max(0, settled.bytes - here)
        if needed and needed + self._reserve_bytes > free:
            raise DiskFull(
                "room", folder=str(self._models), repo=pull.repo, needed_bytes=needed, free_bytes=free,
                reserve_bytes=self._reserve_bytes,
            )  # fmt: skip

    def _publish(self, pull: Pull, staging: Path, place: Path, about: dict[str, str | None]) -> None:
        """From here on it is there, whole: a rename, once every byte is on the disk."""
        old = staging.with_name(f"{staging.name}.old")  # swept at the next start, if this one ends here
        try:
            self._fs.write(staging / ABOUT, msgspec.json.encode(about))
            self._fs.sync(staging / ABOUT)
            self._fs.sync_dir(staging)
            inspect(staging, pull.repo)
            self._fs.mkdir(place.parent)
            if os.path.lexists(place):
                # Damaged, or something else: no rename can take its place while it is there.
                self._remove(old)
                self._fs.rename(place, old)
            self._fs.rename(staging, place)
            for folder in (place.parent, staging.parent, self._models):
                self._fs.sync_dir(folder)
            self._remove(old)
        except ModelRefused:
            # It would be refused again and again: nothing of it is worth keeping.
            self._remove(staging)
            raise
        except OSError as problem:
            raise FolderUnwritable(folder=str(self._models), problem=problem.strerror) from problem

    def _remove(self, folder: Path) -> None:
        """All of it, or nothing where there is none. Links are taken away, never followed."""
        if folder.is_symlink() or folder.is_file():
            self._fs.unlink(folder)
            return
        for root, folders, files in os.walk(folder, topdown=False):
            for path in [Path(root, name) for name in (*files, *folders)]:
                if path.is_dir() and not path.is_symlink():
                    self._fs.rmdir(path)
                else:
                    self._fs.unlink(path)
        self._fs.rmdir(folder)


def folder_name(pull: Pull, commit: str) -> str:
    """Readable, and never the same for two different models: a repository's name holds no `--`."""
    kind = f"--{pull.variant}" if pull.variant else ""
    return f"{pull.repo.replace('/', '--')}--{commit[:SHORT]}{kind}"


def _known(listed: Listed, settled: Plan) -> dict[str, object]:
    return {
        "commit": listed.commit,
        "licence": listed.licence,
        "gated": listed.gated,
        "files": len(settled.files),
        "total_bytes": settled.bytes,
    }
