"""Which names count, and when a file is finished. Pure: times come from the caller."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

UNFINISHED: Final = (
    "~", ".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".filepart",
    ".swp", ".swo", ".swx", ".lock", ".!ut", ".aria2",
)  # fmt: skip
"""Endings that browsers, editors and copy programs give to what is still being written."""

_SYSTEM: Final = frozenset({"desktop.ini", "thumbs.db", "icon\r"})


def ignored(name: str) -> bool:
    """Whether a name in a hot folder is none of our business: hidden, temporary, or an editor's lock file.

    Hidden names cover `.~lock.x#` and `.goutputstream-…`; a leading `~` covers Office's `~$x`; `#x#` is Emacs's.
    """
    low = name.lower()
    if low.startswith("#") and low.endswith("#"):
        return True
    return low.startswith((".", "~")) or low.endswith(UNFINISHED) or low in _SYSTEM


class Look(NamedTuple):
    """What a file looked like: two equal ones mean that nothing was written in between."""

    size: int
    mtime_ns: int
    inode: int


def look_of(stat: os.stat_result) -> Look:
    """A look from a stat."""
    return Look(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def where(root: Path) -> tuple[Path, Path, Path]:
    """The three folders of ours inside a hot folder: claims, done, failed."""
    return root / ".tendred", root / "done", root / "failed"


class _Waiting:
    """A file that may not be finished yet."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.look: Look | None = None
        self.since = due
        self.closed = False


class Settler:
    """Knows which files wait, and when each is to be looked at. All times are monotonic seconds."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def appeared(self, name: str, now: float) -> None:
        """A file was seen that may still be written: look now, and again when it must have stood still."""
        self._waiting.setdefault(name, _Waiting(now))

    def closed(self, name: str, now: float, wait_s: float = 0.0) -> None:
        """Its writer closed it, or it was moved into place: it is finished. To be looked at after `wait_s`."""
        waiting = self._waiting.setdefault(name, _Waiting(now))
        waiting.closed = True
        waiting.due = now + wait_s

    def scanned(self, names: Iterable[str], now: float) -> None:
        """A listing: what is new has appeared. What isn't in it may have come since; a look finds out."""
        for name in sorted(names):
            self.appeared(name, now)

    def due(self, now: float) -> list[str]:
        """The names to look at now, the one that waits longest first."""
        return [name for name, waiting in self._waiting.items() if waiting.due <= now]

    def next_due(self) -> float | None:
        """When to look next."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def finished(self, name: str, look: Look | None, now: float) -> bool:
        """What a look at a file says. `look` is None where there is no regular file (any more).

        A finished file is forgotten here, so that a hint for the next one of that name counts afresh.
        """
        waiting = self._waiting.get(name)
        if waiting is None:
            return False
        # Programs that touch a file first and write it later close it empty: such a close says nothing.
        ready = look is not None and waiting.closed and look.size > 0
        ready = ready or (look is not None and look == waiting.look and now - waiting.since >= self._settle_s)
        if look is None or ready:
            del self._waiting[name]
            return ready
        if look != waiting.look:
            waiting.look, waiting.since, waiting.closed = look, now, False
        waiting.due = waiting.since + self._settle_s
        return False

    def again(self, name: str, now: float, wait_s: float = 0.0) -> None:
        """It couldn't be claimed, or somebody still writes: start over, after `wait_s` at the soonest."""
        self._waiting.setdefault(name, _Waiting(now + wait_s))

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
