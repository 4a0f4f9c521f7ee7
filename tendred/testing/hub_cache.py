"""A hub cache as the hub's own library lays it out: blobs by hash, snapshots of links."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def cached(root: Path, name: str, files: Mapping[str, bytes], revision: str = "r1") -> Path:
    """Put a repository into the cache at `root`; returns its folder."""
    repository = root / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(revision)
    for file, data in files.items():
        blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(data)
        link = repository / "snapshots" / revision / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (len(link.relative_to(repository).parts) - 1)) / "blobs" / blob.name)
    return repository
