"""Files into a folder. A file under its own name is whole, checked and on the disk; until then it is `<name>.part`."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from huggingface_hub import constants
from huggingface_hub.file_download import http_get  # pyright: ignore[reportUnknownVariableType]

from tendred.errors import ModelRefused
from tendred.pull.worker import guard, hub
from tendred.pull.worker.trouble import told
from tendred.schema.frames import Up
from tendred.schema.pull import Fetch, Fetched, PullPhase, RemoteFile, Wanted

WRITE_BYTES: Final = 256 * 1024
"""What is held back until it is written, and so lost with the process or the connection."""
SYNC_BYTES: Final = 64 * 1024 * 1024
TELL_S: Final = 0.2
PART: Final = ".part"
TRIES: Final = 2
"""A file that arrived damaged is fetched once more, from its beginning: the hub tells one checksum a file."""

Say = Callable[[Up], None]


def fetch(order: Fetch, say: Say) -> None:
    """Bring the folder to what the plan says. Raises what trouble.py names; whatever has arrived stays."""
    guard.use(order.hub.endpoint)
    # Its own default holds 10 MB back, and a pause would cost as much.
    constants.DOWNLOAD_CHUNK_SIZE = WRITE_BYTES
    folder = Path(order.folder)
    with told(order, order.folder), _alone(folder):
        meter = Meter(order, folder, say)
        try:
            for file in order.plan.files:
                if not _stands(folder, file):
                    _bring(order, file, folder, meter)
            for path in {folder, *((folder / file.target).parent for file in order.plan.files)}:
                _sync(path)
        finally:
            meter.tell("verifying", always=True)


class Meter:
    """Counts what stands in the folder, and says so now and then."""

    def __init__(self, order: Fetch, folder: Path, say: Say) -> None:
        self._say = say
        self._done = sum(_present(folder, file) for file in order.plan.files)
        self._told_at = 0.0
        self.tell("fetching", always=True)

    def add(self, count: int) -> None:
        """So many bytes more, or fewer."""
        self._done += count
        self.tell("fetching")

    def tell(self, phase: PullPhase, *, always: bool = False) -> None:
        """Say it, unless that was done just now."""
        now = time.perf_counter()
        if always or now - self._told_at >= TELL_S:
            self._told_at = now
            self._say(Fetched(phase=phase, done_bytes=self._done))


class Part:
    """Half a file, open at its end: what the hub's client writes to. What is written is the kernel's at once."""

    def __init__(self, file: BinaryIO, source: RemoteFile, meter: Meter) -> None:
        self._file = file
        self._source = source
        self._meter = meter
        self._unsynced = 0
        self.size = file.seek(0, os.SEEK_END)

    def write(self, data: bytes) -> int:
        """Raises ValueError at more than the hub said, or it could fill the disk."""
        if self.size + len(data) > self._source.bytes:
            raise ValueError(f"{self._source.name} is longer than the hub says")
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._grown(len(data))
        self._unsynced += len(data)
        if self._unsynced >= SYNC_BYTES:
            # Now and then, so that the last sync of a large file isn't a long one.
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())
            self._unsynced = 0
        return len(data)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """The hub sends it from the beginning, or what is there is more than all of it."""
        kept = self._file.truncate(size)
        self._grown(kept - self.size)
        return kept

    def _grown(self, count: int) -> None:
        self.size += count
        self._meter.add(count)


def _bring(order: Fetch, file: Wanted, folder: Path, meter: Meter) -> None:
    target = folder / file.target
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(target.name + PART)
    for _ in range(TRIES):
        with half.open("ab", buffering=0) as raw:
            part = Part(cast("BinaryIO", raw), file.source, meter)
            if part.size > file.source.bytes:
                part.truncate(0)
            _download(order, file.source, part)
            os.fsync(raw.fileno())
        if _is_right(half, file.source, meter):
            os.replace(half, target)
            return
        meter.add(-half.stat().st_size)
        half.unlink()
    problem = f"{file.source.name} arrived damaged twice: its checksum is not the one that the hub tells"
    raise ModelRefused("damaged", name=order.repo, reason="checksum", problem=problem)


def _download(order: Fetch, source: RemoteFile, part: Part) -> None:
    """The hub's own client, from where the part ends. It goes on by itself a few times when a connection breaks."""
    http_get(
        hub.url(order.hub, order.repo, order.plan.commit, source.name),
        cast("BinaryIO", part),
        resume_size=part.size,
        headers=hub.headers(order.hub),
        expected_size=source.bytes,
    )


def _is_right(half: Path, source: RemoteFile, meter: Meter) -> bool:
    seen = (
        hashlib.sha256() if source.sha256 else hashlib.sha1(b"blob %d\0" % half.stat().st_size, usedforsecurity=False)
    )
    with half.open("rb") as data:
        while piece := data.read(4 * 1024 * 1024):
            seen.update(piece)
            meter.tell("verifying")
    return seen.hexdigest() == (source.sha256 or source.blob_sha1)


def _stands(folder: Path, file: Wanted) -> bool:
    """Whether it is here already: the name is given only to what was compared with its checksum."""
    target = folder / file.target
    return target.is_file() and target.stat().st_size == file.source.bytes


def _present(folder: Path, file: Wanted) -> int:
    if _stands(folder, file):
        return file.source.bytes
    half = folder / (file.target + PART)
    return half.stat().st_size if half.is_file() else 0


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Wait for the child of a daemon that was killed just now: it ends as soon as it sees that."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":  # A file that is open can't be opened for writing there.
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
