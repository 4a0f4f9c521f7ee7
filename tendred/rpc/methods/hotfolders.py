"""hotfolders.*: folders where a prompt file becomes a picture."""

from __future__ import annotations

from tendred.errors import NotFound
from tendred.rpc.methods.common import FolderPath, Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked, Id
from tendred.schema.system import HotFolder, HotFolders


class AddHotFolder(Asked, frozen=True):
    """An existing folder."""

    path: FolderPath


class HotFolderParams(Asked, frozen=True):
    """Names a hot folder."""

    hotfolder_id: Id


class RescanParams(Asked, frozen=True):
    """Names a hot folder; null means all."""

    hotfolder_id: Id | None = None


async def every(call: Here, _params: NoParams) -> HotFolders:
    return HotFolders(hotfolders=await call.door.studio.hotfolders.list())


async def add_folder(call: Here, params: AddHotFolder) -> HotFolder:
    return await call.door.studio.hotfolders.add(params.path)


async def remove(call: Here, params: HotFolderParams) -> Nothing:
    await call.door.studio.hotfolders.remove(params.hotfolder_id)
    return Nothing()


async def rescan(call: Here, params: RescanParams) -> Nothing:
    await call.door.studio.hotfolders.rescan(params.hotfolder_id)
    return Nothing()


def register(methods: Methods) -> None:
    add, gone = methods.add, (NotFound,)
    add("hotfolders.list", NoParams, every, result=HotFolders, scope="read", summary="Every hot folder, with counts.")
    add("hotfolders.add", AddHotFolder, add_folder, result=HotFolder, scope="manage", summary="Watch one more.")
    add(
        "hotfolders.remove",
        HotFolderParams,
        remove,
        result=Nothing,
        scope="manage",
        summary="Stop watching; files stay.",
        errors=gone,
    )
    add(
        "hotfolders.rescan",
        RescanParams,
        rescan,
        result=Nothing,
        scope="generate",
        summary="Look through one or all now.",
        errors=gone,
    )
