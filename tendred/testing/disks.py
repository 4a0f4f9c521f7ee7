"""Disks in a state that tests need."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = ".ballast"


def _mount(*arguments: str) -> None:
    """Skips the test without the right to mount; in CI that is a failure."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no right to mount: {done.stderr}")
        pytest.skip("no right to mount")


@contextmanager
def small_disk(folder: Path, size: str = "64k") -> Generator[Path]:
    """Mounts a file system of that size there, so that it can be filled up. Skips the test without the right to."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Take all room, or all but `leave` bytes, with a hidden file."""
    with (disk / BALLAST).open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
        ballast.truncate(max(0, ballast.tell() - leave))


def relieve(disk: Path) -> None:
    """Give the room back."""
    (disk / BALLAST).unlink()


class Lockable:
    """A folder that can be made read-only, for root too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lock(self) -> None:
        _mount("-o", "remount,bind,ro", str(self._folder))

    def unlock(self) -> None:
        _mount("-o", "remount,bind,rw", str(self._folder))


@contextmanager
def lockable(folder: Path) -> Generator[Lockable]:
    """Mounts a folder over itself. Skips the test without the right to."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(folder), str(folder))
    try:
        yield Lockable(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
