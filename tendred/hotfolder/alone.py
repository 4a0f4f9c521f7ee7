"""One daemon a folder: a lock on the folder itself, gone with the process that holds it."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path


class Alone:
    """Holds a folder for this daemon. Without flock (Windows, some network file systems) everybody may have it."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def take(self, root: Path) -> None:
        """Lock the folder that stands at this path. Raises BlockingIOError while another daemon has it.

        The folder and not a file in it: nothing has to be written, and whoever deletes files can't undo it.
        """
        self.release()
        if sys.platform == "win32":
            return
        import fcntl  # noqa: PLC0415 - there is none on Windows

        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BlockingIOError(errno.EWOULDBLOCK, "another daemon watches this folder", str(root)) from None
        except OSError:
            os.close(descriptor)
        else:
            self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
