"""library.*: what was made."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tendred.core.studio import Search
from tendred.errors import (
    BoundaryRefused,
    DiskFull,
    FolderUnwritable,
    IdempotencyConflict,
    NotFound,
    QueueFull,
    ShuttingDown,
    SlowDown,
    StillNotOurs,
)
from tendred.rpc.methods.common import AssetParams, Here, IdempotencyKey, Methods, wish_of
from tendred.schema.asset import Asset, AssetPage
from tendred.schema.base import Asked, Cursor, Id, Limit, Name
from tendred.schema.job import Submitted
from tendred.schema.marks import Verified
from tendred.schema.sheet import ContactRequest
from tendred.schema.still import Tag

Moment = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$",
        description="An RFC 3339 time.",
    ),
]
Tags = Annotated[list[Tag], Meta(max_length=32)]


class SearchParams(Asked, frozen=True):
    """What to look for; everything given must hold."""

    query: Annotated[str, Meta(max_length=1024, description="Words of the prompt.")] = ""
    kind: Literal["still", "clip", "sheet"] | None = None
    model: Name | None = None
    character: Name | None = None
    tag: Tag | None = None
    after: Moment | None = None
    before: Moment | None = None
    order: Literal["newest", "oldest", "best"] = "newest"
    limit: Limit = 50
    cursor: Cursor | None = None


class TagParams(Asked, frozen=True):
    """Which tags come and go."""

    asset_id: Id
    add: Tags = []
    remove: Tags = []


class VerifyAssetParams(Asked, frozen=True):
    """Which asset's file to look at."""

    asset_id: Id
    deep: Annotated[bool, Meta(description="Look for the mark in the pixels even where the credentials hold.")] = False


class ContactParams(ContactRequest, frozen=True):
    """A sheet, and a key under which the same request makes the same job."""

    idempotency_key: IdempotencyKey | None = None


async def search(call: Here, params: SearchParams) -> AssetPage:
    return await call.door.studio.search(Search(**msgspec.structs.asdict(params)))


async def get(call: Here, params: AssetParams) -> Asset:
    return await call.door.studio.asset(params.asset_id)


async def remove(call: Here, params: AssetParams) -> Asset:
    return await call.door.studio.remove_asset(params.asset_id)


async def restore(call: Here, params: AssetParams) -> Asset:
    return await call.door.studio.restore_asset(params.asset_id)


async def erase(call: Here, params: AssetParams) -> Asset:
    return await call.door.studio.erase_asset(params.asset_id)


async def tag(call: Here, params: TagParams) -> Asset:
    return await call.door.studio.tag_asset(params.asset_id, add=params.add, remove=params.remove)


async def verify(call: Here, params: VerifyAssetParams) -> Verified:
    return await call.door.studio.verify(params.asset_id, deep=params.deep)


async def sheet(call: Here, params: ContactParams) -> Submitted:
    request = ContactRequest(**{name: getattr(params, name) for name in ContactRequest.__struct_fields__})
    return await call.door.studio.sheet(request, wish_of(call, "library.sheet", params.idempotency_key, params.lane))


def register(methods: Methods) -> None:
    add, gone = methods.add, (NotFound,)
    add("library.search", SearchParams, search, result=AssetPage, scope="read", summary="Assets by words and fields.")
    add("library.get", AssetParams, get, result=Asset, scope="read", summary="One asset.", errors=gone)
    add("library.remove", AssetParams, remove, result=Asset, scope="manage", summary="Put in the trash.", errors=gone)
    add(
        "library.restore",
        AssetParams,
        restore,
        result=Asset,
        scope="manage",
        summary="Take out of the trash.",
        errors=gone,
    )
    add(
        "library.verify",
        VerifyAssetParams,
        verify,
        result=Verified,
        scope="read",
        summary="What an asset's file says of itself: made by what, signed by whom, changed or not.",
        errors=(NotFound, ShuttingDown),
    )
    add(
        "library.erase",
        AssetParams,
        erase,
        result=Asset,
        scope="manage",
        summary="Erase for good what an asset's job was asked for with, in library, receipt and history; the file stays.",
        errors=(NotFound, DiskFull, FolderUnwritable),
    )
    add("library.tag", TagParams, tag, result=Asset, scope="manage", summary="Add and remove tags.", errors=gone)
    add(
        "library.sheet",
        ContactParams,
        sheet,
        result=Submitted,
        scope="generate",
        summary="Pictures side by side on a labelled sheet; answers with the job at once.",
        errors=(BoundaryRefused, IdempotencyConflict, NotFound, QueueFull, ShuttingDown, SlowDown, StillNotOurs),
    )
