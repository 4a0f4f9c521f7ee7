"""From staging into the library: fsync, atomic rename, directory fsync. A reader never sees half a file."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import re
import unicodedata
from collections.abc import Generator
from pathlib import Path
from typing import Final

from tendred.backend import Fs
from tendred.errors import DiskFull, FolderUnwritable

SUFFIX: Final[dict[str, str]] = {"png": "png", "jpeg": "jpg", "webp": "webp", "mp4": "mp4"}
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_SLUG_CHARS: Final = 40


@contextlib.contextmanager
def typed(folder: Path) -> Generator[None]:
    """The operating system's refusals, as our kinds."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            raise DiskFull(folder=str(folder)) from problem
        raise FolderUnwritable(folder=str(folder), problem=problem.strerror or str(problem)) from problem


def slug(prompt: str) -> str:
    """A few words of a prompt that are safe in a file name anywhere: ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(words) > _SLUG_CHARS:
        words = words[:_SLUG_CHARS].rsplit("-", 1)[0]
    return words or "still"


def stem(job_id: str, created_at: float, prompt: str) -> str:
    """`2026-11-22/195835 smiling-woman 7F3K9Q`: day and time as on the wall, some words, the end of the job's id.

    It depends on the job alone, so that making it again after a crash writes the same file.
    """
    local = dt.datetime.fromtimestamp(created_at, dt.UTC).astimezone()
    return f"{local:%Y-%m-%d}/{local:%H%M%S} {slug(prompt)} {job_id[-6:]}"


class Files:
    """The library's folder."""

    def __init__(self, root: Path, staging: Path, fs: Fs) -> None:
        self.root = root
        self.staging = staging
        self._fs = fs

    def prepare(self) -> None:
        """Make the folders and sweep what a crash left in staging. Blocking."""
        with typed(self.root):
            self._fs.mkdir(self.root)
            self._fs.mkdir(self.staging)
            for job in self.staging.iterdir():
                self.discard(job.name)

    def stage(self, job_id: str) -> Path:
        """A folder for one job's unfinished outputs. Blocking."""
        with typed(self.staging):
            folder = self.staging / job_id
            self._fs.mkdir(folder)
            return folder

    def discard(self, job_id: str) -> None:
        """Remove a job's staging folder. Blocking."""
        folder = self.staging / job_id
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.is_file():
                # Not ours, and whatever it points at isn't either: the entry goes, nothing behind it.
                self._fs.unlink(folder)
                return
            for file in folder.iterdir():
                self._fs.unlink(file)
            self._fs.rmdir(folder)

    def publish(self, staged: Path, name: str) -> Path:
        """Move a finished file to `root/name`, durably. Blocking. Raises DiskFull, FolderUnwritable."""
        target = self.root / name
        with typed(self.root):
            self._folder(target.parent)
            self._fs.sync(staged)
            self._fs.rename(staged, target)
            self._fs.sync_dir(target.parent)
        return target

    def write(self, name: str, data: bytes, staged: Path) -> Path:
        """Write a small file by way of staging, durably. Blocking. Raises DiskFull, FolderUnwritable."""
        with typed(self.root):
            self._fs.write(staged, data)
        return self.publish(staged, name)

    def _folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._fs.mkdir(folder)
            # The new day's folder is an entry of the root: without this a power cut takes the whole day.
            self._fs.sync_dir(folder.parent)
