"""Pictures of takes, in the cache: made when somebody looks for them, and again when the cache was emptied."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Final

from tendred.backend import ClipMedia
from tendred.errors import ClipUnreadable, EngineMissing
from tendred.schema.asset import Asset
from tendred.schema.footage import Look, LookKind, Take
from tendred.schema.shot import Compared, TakePictures
from tendred.tasks import offload

_KINDS: Final[tuple[LookKind, ...]] = ("poster", "waveform", "sheet")
_log = logging.getLogger(__name__)


class Looks:
    """Asks the media process, one picture at a time."""

    def __init__(self, clips: ClipMedia, folder: Path) -> None:
        self._clips = clips
        self._folder = folder
        self._one = asyncio.Lock()

    async def pictures(self, asset: Asset, label: str) -> TakePictures | None:
        """Poster, waveform and contact sheet of a take; None where its file is gone or PyAV isn't there."""
        if asset.state != "kept":
            return None
        try:
            poster, waveform, sheet = [await self._made(kind, asset, label) for kind in _KINDS]
        except (ClipUnreadable, EngineMissing) as problem:
            _log.warning("no pictures of %s: %s", asset.id, problem)
            return None
        return TakePictures(poster=poster, waveform=waveform, sheet=sheet)

    async def compare(self, left: Asset, right: Asset, labels: tuple[str, str]) -> Compared:
        """Two takes beside each other. Raises ClipUnreadable, EngineMissing, DiskFull, FolderUnwritable."""
        name = hashlib.sha256(f"{left.sha256}{right.sha256}{labels}".encode()).hexdigest()[:26]
        takes = [
            Take(path=asset.path, sha256=asset.sha256, label=label)
            for asset, label in zip((left, right), labels, strict=True)
        ]
        async with self._one:
            target = self._folder / f"compare_{name}.webp"
            made = await self._clips.look(Look(kind="compare", takes=takes, target=str(target)))
        return Compared(path=made.path, left=left.id, right=right.id, width=made.width, height=made.height)

    async def _made(self, kind: LookKind, asset: Asset, label: str) -> str:
        # The poster is the asset's thumbnail too.
        target = self._folder / (f"{asset.id}.webp" if kind == "poster" else f"{asset.id}.{kind}.webp")
        async with self._one:
            if not await offload(target.is_file):
                take = Take(path=asset.path, sha256=asset.sha256, label=label)
                await self._clips.look(Look(kind=kind, takes=[take], target=str(target)))
        return str(target)
