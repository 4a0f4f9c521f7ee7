"""wildcards.*: lists of options that a prompt names."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import DiskFull, FolderUnwritable, InvalidParams, NotFound, TooLarge
from tendred.rpc.methods.common import Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked, Cursor, Limit
from tendred.schema.prompt import OPTIONS, Option, Wildcard, WildcardName, WildcardPage, Wildcards


class WildcardParams(Asked, frozen=True):
    """Names a wildcard."""

    name: WildcardName


class ShowWildcard(Asked, frozen=True):
    """Names a wildcard, and which of its options."""

    name: WildcardName
    limit: Limit = 50
    cursor: Cursor | None = None


class AddWildcard(Asked, frozen=True):
    """A name and its options, one a line."""

    name: WildcardName
    options: Annotated[list[Option], Meta(min_length=1, max_length=OPTIONS)]
    replace: Annotated[bool, Meta(description="Take the place of one that is there.")] = False


async def every(call: Here, _params: NoParams) -> Wildcards:
    return Wildcards(wildcards=await call.door.studio.wildcards.list())


async def show(call: Here, params: ShowWildcard) -> WildcardPage:
    return await call.door.studio.wildcards.show(params.name, params.limit, params.cursor)


async def add_wildcard(call: Here, params: AddWildcard) -> Wildcard:
    return await call.door.studio.wildcards.add(params.name, params.options, replace=params.replace)


async def remove(call: Here, params: WildcardParams) -> Nothing:
    await call.door.studio.wildcards.remove(params.name)
    return Nothing()


def register(methods: Methods) -> None:
    add, disk = methods.add, (DiskFull, FolderUnwritable)
    add("wildcards.list", NoParams, every, result=Wildcards, scope="read", summary="Every wildcard, by name.")
    add(
        "wildcards.show",
        ShowWildcard,
        show,
        result=WildcardPage,
        scope="read",
        summary="One, with its options.",
        errors=(NotFound,),
    )
    add(
        "wildcards.add",
        AddWildcard,
        add_wildcard,
        result=Wildcard,
        scope="manage",
        summary="Write a list of options.",
        errors=(InvalidParams, TooLarge, *disk),
    )
    add(
        "wildcards.remove",
        WildcardParams,
        remove,
        result=Nothing,
        scope="manage",
        summary="Remove the file.",
        errors=(NotFound, *disk),
    )
