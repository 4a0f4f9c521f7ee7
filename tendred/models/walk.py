"""Every file below some folders that may be a model, without getting lost: bounded, and each folder once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tendred.models.hub import PREFIX, snapshot
from tendred.models.places import Spot
from tendred.schema.weights import PICKLES

ENTRIES: Final = 200_000
DEPTH: Final = 10
BEAT: Final = 200
WEIGHTS: Final = ".safetensors"
OTHERS: Final = PICKLES | {".gguf"}
"""Weights that aren't read here; named all the same, with the reason."""
_LEAST: Final = 4096
"""Smaller ones of them are somebody's settings."""
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}$")
_PASSED: Final = frozenset({
    "node_modules", "venv", "site-packages", "__pycache__", "custom_nodes", "extensions", "outputs", "output", "input",
    "blobs", ".git", ".locks", "refs",
})  # fmt: skip


class Candidate(NamedTuple):
    """A model folder, or a file of weights."""

    path: Path
    is_folder: bool
    spot: Spot


class Walk:
    """One look through everything. `whole` is false once there was too much."""

    def __init__(self) -> None:
        self.whole = True
        self.entries = 0
        self._folders: set[tuple[int, int]] = set()
        self._files: set[str] = set()

    def run(self, spots: list[Spot]) -> Iterator[Candidate | None]:
        """Candidates, and now and then None, so that whoever listens hears something of a long walk. Blocking."""
        for spot in spots:
            yield from self._at(spot.path, spot)

    def _at(self, path: Path, spot: Spot) -> Iterator[Candidate | None]:
        if os.path.isfile(path):
            yield from self._file(path, spot)
            return
        todo = [(path, 0)]
        while todo:
            folder, depth = todo.pop()
            if self._been(folder):
                continue
            # Not pathlib: it raises where a folder may not be looked into.
            if os.path.isfile(folder / "model_index.json"):
                yield Candidate(folder, is_folder=True, spot=spot)
                continue
            if folder.name.startswith(PREFIX) and os.path.isdir(folder / "snapshots"):
                now = snapshot(folder)
                todo += [(now, depth + 1)] if now is not None else []
                continue
            deeper: list[tuple[Path, int]] = []
            for entry in self._listed(folder):
                if self.entries % BEAT == 0:
                    yield None
                if _is_folder(entry):
                    if depth < DEPTH and entry.name not in _PASSED and not entry.name.startswith("."):
                        deeper.append((Path(entry.path), depth + 1))
                else:
                    yield from self._file(Path(entry.path), spot)
            todo += reversed(deeper)

    def _file(self, path: Path, spot: Spot) -> Iterator[Candidate]:
        suffix = path.suffix.lower()
        if path.name.startswith(".") or _SHARD.search(path.stem) or str(path) in self._files:
            return
        if suffix == WEIGHTS or (suffix in OTHERS and _size(path) >= _LEAST):
            self._files.add(str(path))
            yield Candidate(path, is_folder=False, spot=spot)

    def _listed(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return
        for entry in listed:
            if not entry.name.isprintable():
                continue  # No name of a model, and maybe none that JSON can hold.
            self.entries += 1
            if self.entries > ENTRIES:
                self.whole = False
                return
            yield entry

    def _been(self, folder: Path) -> bool:
        """Links are followed, as those programs do; a circle of them ends where it began."""
        try:
            seen = folder.stat()
        except (OSError, ValueError):  # ValueError: a zero byte, or half a character, in what somebody's settings say
            return True
        mark = (seen.st_dev, seen.st_ino)
        if mark in self._folders or self.entries > ENTRIES:
            return True
        self._folders.add(mark)
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
