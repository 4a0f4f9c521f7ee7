"""Whether a still is one of ours: no other picture may be a source, whatever door it knocks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tendred.errors import NotFound, StillNotOurs
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.schema.asset import Asset, Receipt
from tendred.schema.sealed import OwnClip, OwnStill
from tendred.schema.weights import file_sha256
from tendred.tasks import offload


async def own_still(index: Index, receipts: Receipts, asset_id: str, path: str | None = None) -> OwnStill:
    """The still, if its receipt is in the log and its file is the one that the receipt names.

    Raises StillNotOurs, with `path` for the field that asks for it. Slow as the disk: the file is hashed.
    """
    asset, receipt = await _untouched(index, receipts, asset_id, path, "still")
    return OwnStill(
        asset_id=asset.id,
        path=asset.path,
        sha256=asset.sha256,
        width=asset.width,
        height=asset.height,
        words=_words(asset.settings),
        anchor=receipt.verdict.anchor,
    )


async def own_clip(index: Index, receipts: Receipts, asset_id: str, path: str | None = None) -> OwnClip:
    """The clip, under the same conditions. Raises StillNotOurs."""
    asset, _ = await _untouched(index, receipts, asset_id, path, "clip")
    return OwnClip(asset_id=asset.id, path=asset.path, sha256=asset.sha256)


async def _untouched(
    index: Index, receipts: Receipts, asset_id: str, path: str | None, kind: Literal["still", "clip"]
) -> tuple[Asset, Receipt]:
    try:
        asset = await index.get(asset_id)
    except NotFound:
        raise StillNotOurs(path=path, asset_id=asset_id) from None
    if asset.kind != kind:
        raise StillNotOurs("kind", path=path, asset_id=asset_id, kind=asset.kind)
    if asset.state != "kept":
        raise StillNotOurs("gone", path=path, asset_id=asset_id, state=asset.state)
    if (receipt := await _receipt(receipts, asset)) is None:
        raise StillNotOurs("unfinished", path=path, asset_id=asset_id)
    try:
        found = await offload(file_sha256, Path(asset.path))
    except (OSError, ValueError):
        raise StillNotOurs("gone", path=path, asset_id=asset_id, state="missing") from None
    if found != asset.sha256:
        raise StillNotOurs("changed", path=path, asset_id=asset_id)
    return asset, receipt


async def _receipt(receipts: Receipts, asset: Asset) -> Receipt | None:
    """The one that names the picture. It is written when a job is closed; without one, nobody vouches for it."""
    try:
        receipt = await receipts.get(asset.receipt_id)
    except NotFound:
        return None
    vouched = any(made.asset_id == asset.id and made.sha256 == asset.sha256 for made in receipt.made)
    return receipt if vouched else None


def _words(settings: dict[str, Any]) -> str:
    words = settings.get("prompt")
    return words if isinstance(words, str) else ""
