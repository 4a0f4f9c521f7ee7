"""The files of a model, or of a LoRA, and what they hash to: one way for the daemon, which judges by it, and its child.

Stands here because a child may import no other room of ours. Everything raises ValueError or OSError, and nothing
here waits: a FIFO, a device or a link to a folder is no part of a model.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

ENTRIES: Final = 5_000
DEPTH: Final = 6
ABOUT: Final = "tendred.json"
"""Ours: licence, source and habits. It says nothing that a loader reads."""
PICKLES: Final = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})
UNREAD: Final = PICKLES | {".md", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".onnx", ".onnx_data", ".msgpack", ".h5"}
"""Endings that no loader of ours reads. Everything else counts: a tokenizer's words too decide what is drawn."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.\- ]{1,255}")


class Entry(NamedTuple):
    """A regular file. `name` is relative, with `/`; `stat` is that of the file a link points to."""

    name: str
    path: Path
    stat: os.stat_result

    @property
    def suffix(self) -> str:
        """The ending, in lower case."""
        return self.path.suffix.lower()


def entries(root: Path) -> list[Entry]:
    """Every file of a model folder, sorted by name. Hidden folders at its top (.git, .cache) are left out."""
    found: list[Entry] = []
    seen = 0
    folders = [(root, "", 0)]
    while folders:
        folder, prefix, depth = folders.pop()
        with os.scandir(folder) as here:
            for entry in here:
                seen += 1
                if seen > ENTRIES or depth > DEPTH:
                    raise ValueError("it holds too many or too deep folders to be a model")
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder and depth == 0 and entry.name.startswith("."):
                    continue
                if not _NAME.fullmatch(entry.name):
                    raise ValueError(f"it holds a name with odd characters: {ascii(entry.name)[:80]}")
                name = prefix + entry.name
                if is_folder:
                    folders.append((folder / entry.name, f"{name}/", depth + 1))
                else:
                    found.append(Entry(name, folder / entry.name, _regular(entry)))
    return sorted(found)


def file_fingerprint(path: Path) -> str:
    """Changes whenever this one file does. Blocking, quick: it isn't opened."""
    seen = path.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise ValueError(f"{path.name} is no regular file")
    return hashlib.sha256(_line(path.name, *_identity(seen))).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 over a file's bytes. Blocking, slow as the disk."""
    with open_regular(path) as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def fingerprint(root: Path) -> str:
    """Changes whenever a file does, of whatever kind. Blocking, quick: it opens none."""
    mark = hashlib.sha256()
    for name, _, seen in entries(root):
        mark.update(_line(name, *_identity(seen)))
    return mark.hexdigest()


def weights_sha256(root: Path) -> str:
    """SHA-256 over a JSON line `["name", "sha256"]` for every file that a loader may read. Blocking, slow as the disk."""
    return combined((entry.name, file_sha256(entry.path)) for entry in read_by_loaders(root))


def read_by_loaders(root: Path) -> list[Entry]:
    """The files of a model folder that count, sorted by name."""
    return [entry for entry in entries(root) if entry.suffix not in UNREAD and entry.name != ABOUT]


def combined(files: Iterable[tuple[str, str]]) -> str:
    """What a folder hashes to: see `weights_sha256`. Names and hashes of its files, in their order."""
    outer = hashlib.sha256()
    for name, sha256 in files:
        outer.update(_line(name, sha256))
    return outer.hexdigest()


def any_fingerprint(path: Path) -> str:
    """That of a file, or of a folder."""
    return fingerprint(path) if path.is_dir() else file_fingerprint(path)


def any_sha256(path: Path) -> str:
    """That of a file, or of a folder's weights. Blocking, slow as the disk."""
    return weights_sha256(path) if path.is_dir() else file_sha256(path)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading. Never waits, as opening a FIFO would."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path.name} is no regular file")
    flags = os.O_RDONLY
    for flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    file = os.fdopen(os.open(path, flags), "rb")
    # Looked at again, now that nobody can put something else in its place.
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{path.name} is no regular file")
    return file


def _identity(seen: os.stat_result) -> tuple[int, ...]:
    """Which file it is, and whether it was written to. The last time of change can't be set back by hand."""
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_dev, seen.st_ino


def _regular(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        # Not the entry's own stat: on Windows that one has neither links' targets nor inode numbers.
        seen = os.stat(entry.path)
    except OSError as problem:
        raise ValueError(f"{entry.name} leads nowhere") from problem
    if not stat.S_ISREG(seen.st_mode):
        raise ValueError(f"{entry.name} is no regular file (links to folders are refused too)")
    return seen


def _line(*values: str | int) -> bytes:
    return json.dumps(values).encode() + b"\n"
