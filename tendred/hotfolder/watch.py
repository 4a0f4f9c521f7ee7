"""File system events, as hints only: what they miss, a rescan finds."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

Hint = Callable[[str, bool], None]
"""A file's name, and whether it is finished (closed or moved into place). Called from a thread of its own."""

Upset = Callable[[], None]
"""Events were lost, or the folder itself went away. Called from a thread of its own."""

_SILENT: Final = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs",
    "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "overlay",
})  # fmt: skip
"""Where changes can be made that this machine's inotify doesn't see."""

if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
    from watchdog.observers.inotify_c import InotifyConstants, Mask
    from watchdog.observers.inotify_move_event_grouper import GroupedInotifyEvent, PathedInotifyEvent

    class _Emitter(InotifyEmitter):
        """Without IN_MOVED_FROM: watchdog holds each one back for 0.5 s to pair it, and everything behind it too.

        Our own claims are such moves, so a second file would wait half a second behind the first. A move into
        the folder then comes unpaired; it is told as a move and not as a creation, because it is finished.
        """

        def get_event_mask_from_filter(self) -> Mask:
            known = InotifyConstants
            return Mask(
                known.IN_CLOSE_WRITE | known.IN_MOVED_TO | known.IN_CREATE | known.IN_DELETE_SELF | known.IN_MOVE_SELF
            )

        def build_and_queue_event(self, event: GroupedInotifyEvent, *, full_events: bool = False) -> None:
            if not isinstance(event, PathedInotifyEvent):
                return
            path, what = os.fsdecode(event.path), event.ev
            if what.is_delete_self or what.is_move_self:
                self.queue_event(DirDeletedEvent(path))
            elif not what.is_directory and what.is_moved_to:
                self.queue_event(FileMovedEvent("", path))
            elif not what.is_directory:
                super().build_and_queue_event(event, full_events=full_events)

    class _Observer(InotifyObserver):
        def __init__(self) -> None:
            super().__init__()
            self._emitter_class = _Emitter


def _observer() -> BaseObserver:
    return _Observer() if sys.platform == "linux" else Observer()


class _Handler(FileSystemEventHandler):
    def __init__(self, root: str, hint: Hint, upset: Upset) -> None:
        self._root = root
        self._hint = hint
        self._upset = upset

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirDeletedEvent | DirMovedEvent) and os.fsdecode(event.src_path) == self._root:
            self._upset()
        elif isinstance(event, FileClosedEvent | FileCreatedEvent):
            self._tell(event.src_path, closed=isinstance(event, FileClosedEvent))
        elif isinstance(event, FileMovedEvent):
            self._tell(event.dest_path, closed=True)

    def _tell(self, path: bytes | str, *, closed: bool) -> None:
        folder, name = os.path.split(os.fsdecode(path))
        if folder == self._root:
            self._hint(name, closed)


class Watch:
    """Events of one folder, not of those below it. `start` and `stop` block."""

    def __init__(self, root: Path, hint: Hint, upset: Upset) -> None:
        self._observer = _observer()
        self._observer.schedule(_Handler(str(root), hint, upset), str(root))

    def start(self) -> None:
        """Raises OSError where no more watches are to be had."""
        self._observer.start()

    def stop(self) -> None:
        """Returns when no more hints come."""
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join()


class Overflows(logging.Handler):
    """watchdog tells of lost inotify events in its log and nowhere else."""

    def __init__(self, upset: Upset) -> None:
        super().__init__(logging.WARNING)
        self._upset = upset
        self._logger = logging.getLogger("watchdog.observers")

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("watchdog.observers.inotify"):
            self._upset()

    def start(self) -> None:
        """Listen, even where the log's own level would drop warnings."""
        if not self._logger.isEnabledFor(logging.WARNING):
            self._logger.setLevel(logging.WARNING)
        self._logger.addHandler(self)

    def stop(self) -> None:
        """Stop listening."""
        self._logger.removeHandler(self)


def silent(root: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether others can change this folder without an event here (network, FUSE, 9p, overlay)."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    kind = _kind(os.path.realpath(root), lines)
    return kind in _SILENT or kind.startswith("fuse")


def _kind(path: str, lines: list[str]) -> str:
    """The type of the file system a path is on; the last of equally long mount points hides those before."""
    best, kind = "", ""
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:  # noqa: PLR2004 - the mount point is the fifth field
            continue
        point = _unescaped(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, after.split(" ", 1)[0]
    return kind


def _unescaped(text: str) -> str:
    for code, letter in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, letter)
    return text
