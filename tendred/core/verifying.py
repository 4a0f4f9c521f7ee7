"""What an asset's file says of itself, and whether it is still the one that was kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from tendred.backend import Media
from tendred.library.index import Index
from tendred.schema.marks import Verified, Verify


class Verifier:
    """`order` makes the child's order of a file. Files outside the library are looked at without a daemon: app.verify."""

    def __init__(self, index: Index, media: Media, order: Callable[[Path, bool], Verify]) -> None:
        self._index = index
        self._media = media
        self._order = order

    async def verify(self, asset_id: str, *, deep: bool) -> Verified:
        """Raises NotFound, or Internal where the file is gone or can't be read."""
        asset = await self._index.get(asset_id)
        found = await self._media.verify(self._order(Path(asset.path), deep))
        if found.sha256 == asset.sha256:
            return found
        # Another file under its name, be it signed ever so well.
        return replace(found, problems=[*found.problems, "library.otherFile"])
