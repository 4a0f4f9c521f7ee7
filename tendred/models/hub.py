"""The layout of the hub's own cache, and what a repository says of itself: read without the hub's library.

Layout: huggingface_hub, "Understand caching": `models--ORG--NAME/snapshots/REVISION/FILE`, each a link to
`models--ORG--NAME/blobs/HASH`; `refs/main` holds the revision that the name means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tendred.schema.weights import Entry, open_regular

PREFIX: Final = "models--"
_README_BYTES: Final = 16 * 1024
_LICENCE: Final = re.compile(rb"^license(?:_name)?:[ \t]*['\"]?([\w.+\- ]{2,80}?)['\"]?[ \t]*$", re.MULTILINE)
_REVISION_BYTES: Final = 128


def cache_of(path: Path) -> Path | None:
    """The repository's folder in a hub cache that a snapshot belongs to; None for any other path."""
    for parent in path.parents:
        if parent.name == "snapshots" and parent.parent.name.startswith(PREFIX):
            return parent.parent
    return None


def repository_of(path: Path) -> str | None:
    """`ORG/NAME` of a path in a hub cache."""
    cache = cache_of(path)
    return None if cache is None else cache.name.removeprefix(PREFIX).replace("--", "/", 1)


def snapshot(repository: Path) -> Path | None:
    """The snapshot that a repository's name means: the one of `refs/main`, else the newest. Blocking."""
    try:
        with open_regular(repository / "refs" / "main") as file:
            revision = file.read(_REVISION_BYTES).decode("ascii", "replace").strip()
        if re.fullmatch(r"\w[\w.\-]*", revision) and (repository / "snapshots" / revision).is_dir():
            return repository / "snapshots" / revision
    except (OSError, ValueError):
        pass
    try:
        every = [entry for entry in (repository / "snapshots").iterdir() if entry.is_dir()]
        return max(every, key=lambda entry: entry.stat().st_mtime, default=None)
    except OSError:
        return None


def strays(root: Path, files: Sequence[Entry]) -> str | None:
    """In a hub cache, a link that doesn't lead to one of the repository's own blobs. Elsewhere links are free."""
    cache = cache_of(root)
    if cache is None:
        return None
    blobs = os.path.realpath(cache / "blobs") + os.sep
    return next(
        (file.name for file in files if file.path.is_symlink() and not os.path.realpath(file.path).startswith(blobs)),
        None,
    )


def licence_of(folder: Path) -> str | None:
    """The licence that the README's front matter names. Blocking."""
    try:
        with open_regular(folder / "README.md") as file:
            head, _, text = file.read(_README_BYTES).partition(b"---\n")
    except (OSError, ValueError):
        return None
    named = [] if head.strip() else _LICENCE.findall(text.partition(b"\n---")[0])
    # A licence of one's own is called `other`, with its name on the line after.
    return (named[-1] if named[0] == b"other" else named[0]).decode("ascii", "replace") if named else None
