"""The real Fs: the machine's file system."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

_FICLONE = 0x40049409
"""ioctl of Linux that shares a file's blocks (linux/fs.h)."""


class SystemFs:
    """See backend.Fs. Files are 0600 and directories 0700, whatever the umask."""

    def mkdir(self, path: Path) -> None:
        # Not `parents=True`: that makes parents with the mode that the umask leaves.
        if not path.parent.is_dir():
            self.mkdir(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    def copy(self, source: Path, target: Path) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "wb") as out, source.open("rb") as data:
            if sys.platform == "linux":
                # Shares the blocks until one side is written; most file systems can't, and then say so at once.
                import fcntl  # noqa: PLC0415 - not on Windows

                with contextlib.suppress(OSError):
                    fcntl.ioctl(out, _FICLONE, data.fileno())
                    return
            shutil.copyfileobj(data, out, 1024 * 1024)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def rmdir(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.rmdir()

    def sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_dir(self, path: Path) -> None:
        if os.name != "nt":  # Windows can't open a directory; its renames are journalled.
            self.sync(path)

    def committed(self, database: Path) -> None:
        del database
