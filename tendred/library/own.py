"""Whether a still is one of ours: no other picture may be a source, whatever door it knocks at."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from tendred.errors import NotFound, StillNotOurs
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.schema.asset import Asset, Receipt
from tendred.schema.sealed import OwnStill
from tendred.schema.weights import file_fingerprint, file_sha256
from tendred.tasks import offload


async def own_still(index: Index, receipts: Receipts, asset_id: str, path: str | None = None) -> OwnStill:
    """The still, if its receipt is in the log and its file is the one that the receipt names.

    Raises StillNotOurs, with `path` for the field that asks for it. Slow as the disk: the file is hashed, unless it was
    just before and stands there unchanged (the cells of a grid). The engine hashes what it decodes in any case.
    """
    try:
        asset = await index.get(asset_id)
    except NotFound:
        raise StillNotOurs(path=path, asset_id=asset_id) from None
    if asset.kind != "still":
        raise StillNotOurs("kind", path=path, asset_id=asset_id, kind=asset.kind)
    if asset.state != "kept":
        raise StillNotOurs("gone", path=path, asset_id=asset_id, state=asset.state)
    if (receipt := await _receipt(receipts, asset)) is None:
        raise StillNotOurs("unfinished", path=path, asset_id=asset_id)
    try:
        found = await offload(_hash, Path(asset.path))
    except (OSError, ValueError):
        raise StillNotOurs("gone", path=path, asset_id=asset_id, state="missing") from None
    if found != asset.sha256:
        raise StillNotOurs("changed", path=path, asset_id=asset_id)
    return OwnStill(
        asset_id=asset.id,
        path=asset.path,
        sha256=asset.sha256,
        width=asset.width,
        height=asset.height,
        words=_words(asset.settings),
        anchor=receipt.verdict.anchor,
    )


def _hash(file: Path) -> str:
    return _hashed(file, file_fingerprint(file))


@lru_cache(maxsize=64)
def _hashed(file: Path, mark: str) -> str:
    del mark  # another one is another file
    return file_sha256(file)


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
