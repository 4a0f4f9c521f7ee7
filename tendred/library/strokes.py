"""What people painted, each set of strokes once, by its hash: recipes name it, and must find it in a year."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from tendred.backend import Fs
from tendred.library.files import typed
from tendred.schema.stroke import Stroke


def document(strokes: list[Stroke]) -> tuple[bytes, str]:
    """The one JSON form of a set of strokes, and its SHA-256."""
    data = msgspec.json.encode(strokes, order="sorted")
    return data, hashlib.sha256(data).hexdigest()


class Strokes:
    """A folder of documents. Blocking."""

    def __init__(self, fs: Fs, root: Path) -> None:
        self._fs = fs
        self._root = root

    def path(self, sha256: str) -> Path:
        """Where a document lies, if it was kept."""
        return self._root / f"{sha256}.json"

    def keep(self, document: bytes, sha256: str) -> None:
        """Make it durable, before anything names it. One that is there already is fine. Raises DiskFull, FolderUnwritable."""
        path = self.path(sha256)
        if path.is_file():
            return
        part = path.with_suffix(".part")
        with typed(self._root):
            self._fs.mkdir(self._root)
            self._fs.write(part, document)
            self._fs.sync(part)
            self._fs.rename(part, path)
            self._fs.sync_dir(self._root)
