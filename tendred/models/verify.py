"""Hashing files anew, a slice at a time, and saying what differs from what was known."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from tendred.models.hashes import Known
from tendred.models.hub import cache_of
from tendred.schema.cache import FileCheck
from tendred.schema.weights import open_regular

SLICE: Final = 32 * 1024 * 1024
State = Literal["ok", "new", "changed", "damaged", "missing"]
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WORST: Final[tuple[Literal["damaged", "missing", "changed"], ...]] = ("damaged", "missing", "changed")


class Reading:
    """A file on its way through SHA-256. Blocking; raises OSError, ValueError."""

    def __init__(self, path: Path) -> None:
        self._file = open_regular(path)
        self._hash = hashlib.sha256()

    def step(self) -> int:
        """Read a slice; returns how many bytes there were, 0 at the end."""
        data = self._file.read(SLICE)
        self._hash.update(data)
        return len(data)

    def close(self) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def compared(name: str, path: Path, mark: str, sha256: str, known: Known | None) -> FileCheck:
    """What a hash says beside the one that was known, and beside the name that the hub's cache gives its blobs."""
    published = _published(path)
    expected = published or (None if known is None else known.sha256)
    state: State = "ok" if sha256 == expected else "changed"
    if expected is None:
        state = "new"
    elif state == "changed" and (published is not None or (known is not None and known.fingerprint == mark)):
        state = "damaged"
    return FileCheck(file=name, state=state, sha256=sha256, expected=expected)


def gone(root: Path, known: Iterable[str], there: Iterable[Path]) -> list[FileCheck]:
    """Files of a folder that were hashed once and are no more."""
    lost = sorted(set(known) - {str(path) for path in there} - {str(root)})
    return [FileCheck(file=os.path.relpath(path, root), state="missing", sha256=None, expected=None) for path in lost]


def worst(checks: Iterable[FileCheck]) -> Literal["ok", "changed", "damaged", "missing"]:
    """What to say of all of them together."""
    states = {check.state for check in checks}
    for state in _WORST:
        if state in states:
            return state
    return "ok"


def orphans(root: Path, owned: set[Path], folders: list[Path]) -> list[tuple[str, int]]:
    """Files below the daemon's own folder of models that nothing owns, with their sizes. Blocking."""
    found: list[tuple[str, int]] = []
    for place, names, files in os.walk(root):
        here = Path(place)
        names[:] = [name for name in names if not name.startswith(".") and here / name not in folders]
        for name in sorted(files):
            path = here / name
            if (
                name.isprintable()
                and name[0] != "."
                and path not in owned
                and path.with_suffix(".safetensors") not in owned
            ):
                found.append((str(path), path.lstat().st_size))
    return found


def _published(path: Path) -> str | None:
    """In the hub's cache a file of weights is a link to a blob that is named by its SHA-256."""
    if cache_of(path) is None or not path.is_symlink():
        return None
    name = Path(os.path.realpath(path)).name
    return name if _SHA256.fullmatch(name) else None
