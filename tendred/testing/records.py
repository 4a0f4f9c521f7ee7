"""Records as the library keeps them, for fakes and tests that have no library."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from tendred.schema.asset import Asset, EngineInfo, ModelUse

_ENGINE: Final = EngineInfo(
    version="0", torch="0", diffusers="0", device="cpu", dtype="float32", threads=1, batch_size=1
)
_ULID: Final = len("01J00000000000000000000000")


def kept(
    asset_id: str, path: Path, at: str, *, media_type: str = "image/png", body: bytes = b"", **changes: Any
) -> Asset:
    """An asset whose file stands at `path` and holds `body`; `changes` are fields of it."""
    tail = asset_id[-_ULID:]
    asset = Asset(
        id=asset_id,
        kind="still",
        path=str(path),
        url=f"/media/{asset_id}",
        media_type=media_type,
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        pixels_sha256="0" * 64,
        width=1,
        height=1,
        duration_s=None,
        fps=None,
        audio=None,
        created_at=at,
        job_id=f"job_{tail}",
        index=0,
        seed=0,
        settings={},
        model=ModelUse(name="starter", sha256="0" * 64),
        loras=[],
        character=None,
        engine=_ENGINE,
        parents=[],
        receipt_id=f"rcp_{tail}",
        policy="fake",
        tags=[],
        state="kept",
    )
    return replace(asset, **changes)
