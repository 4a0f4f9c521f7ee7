"""Jobs and assets as they come out of the real rooms, with nothing behind them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tendred.clock import Ids
from tendred.schema.asset import Asset, EngineInfo, ModelUse
from tendred.schema.job import Job, Origin
from tendred.schema.still import StillRequest

ENGINE: Final = EngineInfo(
    version="0", torch="0", diffusers="0", device="cpu", dtype="float32", threads=1, batch_size=1
)
_ULID: Final = len("01J00000000000000000000000")


def queued(request: StillRequest, origin: Origin, ids: Ids, now: str) -> Job:
    """A job that was just accepted."""
    return Job(
        id=ids.new("job"),
        kind="still",
        state="queued",
        lane=request.lane,
        rev=1,
        request=msgspec.to_builtins(request),
        origin=origin,
        progress=None,
        position=None,
        attempts=0,
        engine_deaths=0,
        created_at=now,
        started_at=None,
        finished_at=None,
        asset_ids=[],
        error=None,
        retry_of=None,
        policy="fake",
        clip=None,
    )


def asset_at(path: Path, media_type: str, ids: Ids, now: str) -> Asset:
    """An asset whose file stands at `path`."""
    return kept(ids.new("ast"), path, now, media_type=media_type, body=path.read_bytes())


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
        engine=ENGINE,
        parents=[],
        receipt_id=f"rcp_{tail}",
        policy="fake",
        tags=[],
        state="kept",
    )
    return replace(asset, **changes)
