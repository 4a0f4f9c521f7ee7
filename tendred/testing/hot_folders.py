"""Hot folders that only remember."""

from __future__ import annotations

from pathlib import Path

from tendred.clock import Ids
from tendred.errors import InvalidParams, NotFound
from tendred.schema.system import HotFolder
from tendred.tasks import offload


class FakeHotFolders:
    """Folders that are listed and never looked into."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.folders: dict[str, HotFolder] = {}
        self.rescanned: list[str | None] = []

    async def list(self) -> list[HotFolder]:
        return list(self.folders.values())

    async def add(self, path: str) -> HotFolder:
        if not await offload(Path(path).is_dir):
            raise InvalidParams("folder", path="path", problem="there is no such folder")
        folder = HotFolder(
            id=self._ids.new("hot"), path=path, watch="events", state="ok", waiting=0, claimed=0, done=0, failed=0
        )
        self.folders[folder.id] = folder
        return folder

    async def remove(self, hotfolder_id: str) -> None:
        if self.folders.pop(hotfolder_id, None) is None:
            raise NotFound(noun="hot folder", name=hotfolder_id, near=list(self.folders))

    async def standing(self, path: str, *, spends: bool = True) -> str:
        del spends
        if path not in {folder.path for folder in self.folders.values()}:
            raise NotFound(path="changes.doors", noun="hot folder", name=path, near=[])
        return path

    async def rescan(self, hotfolder_id: str | None) -> None:
        if hotfolder_id is not None and hotfolder_id not in self.folders:
            raise NotFound(noun="hot folder", name=hotfolder_id, near=list(self.folders))
        self.rescanned.append(hotfolder_id)
