"""Taking a file out of a hot folder, once: by rename into `.tendred/<claim>/`, made durable before anything is submitted.

Inside a claim's folder the prompt file keeps its name; names of our own begin with a dot, which a prompt file's
never does. Everything here blocks.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tendred.backend import Fs
from tendred.errors import InvalidParams, TooLarge
from tendred.hotfolder.settle import Look, ignored, look_of, where

PLAN: Final = ".plan.json"
PLAN_UNFINISHED: Final = ".plan.tmp"
OUT: Final = ".out"
ATTEMPTS: Final = ".attempts"
"""As many bytes as a daemon went on with this claim and didn't get past parsing."""

ATTEMPTS_LIMIT: Final = 2

NAME_BYTES: Final = 255
"""The longest file name that common file systems take."""

_CLAIM: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FILE: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR, errno.ENODEV})

Identity = tuple[int, int]
"""Device and inode of a folder: another one at the same path is another folder."""


class Busy(Exception):  # noqa: N818 - a state, not a failure
    """Somebody has the file open for writing."""


class Survey(NamedTuple):
    """What stands in a hot folder: names of files that count, and ids of claims."""

    identity: Identity
    names: list[str]
    claims: list[str]


def shown(name: str) -> str:
    """A file name that can be told: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def identity(root: Path) -> Identity | None:
    """Which folder stands at this path; None if there is none."""
    try:
        found = root.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def kept_name(name: str) -> str:
    """The name a file has in its claim and afterwards: its own, or one that a plan can hold and a disk takes."""
    kept = shown(name)
    while len(kept.encode("utf-8")) > NAME_BYTES:
        kept = kept[: len(kept) // 2] + kept[len(kept) // 2 + 1 :]
    return kept


def survey(root: Path) -> Survey | None:
    """List a folder; None if it isn't there. Raises NotADirectoryError where a link leads to the claims.

    A link to a directory is no claim: whoever can write here must not lead us to files elsewhere.
    """
    found = identity(root)
    if found is None:
        return None
    try:
        with os.scandir(root) as entries:
            files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    _refuse_link(where(root)[0])
    try:
        with os.scandir(where(root)[0]) as entries:
            claims = sorted(
                entry.name
                for entry in entries
                if _CLAIM.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False) and not _junction(entry)
            )
    except (FileNotFoundError, NotADirectoryError):
        claims = []
    return Survey(found, [name for name in files if not ignored(name)], claims)


def _refuse_link(claims: Path) -> None:
    if claims.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, "it is a link, and claims are kept in a real folder only", str(claims))


def _junction(entry: os.DirEntry[str]) -> bool:
    """Whether it is Windows's other kind of link to a directory; Python knows those from 3.12 on."""
    return bool(getattr(entry, "is_junction", bool)())


def regular(path: Path) -> bool:
    """Whether a regular file itself is there, and no link to one."""
    return _look(path) is not None


def look_at(root: Path, names: list[str]) -> list[Look | None]:
    """What these files look like; None for what is no regular file or is gone. Links aren't followed."""
    return [_look(root / name) for name in names]


def _look(path: Path) -> Look | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return look_of(found) if stat.S_ISREG(found.st_mode) else None


def take(fs: Fs, root: Path, name: str, claim: str) -> Path | None:
    """Move a file into the folder of a new claim, durably. Returns that folder; None if there is no such file now.

    Raises Busy, or OSError when nothing can be written. A hard link is taken like any file: its other name stays
    where it is, and only this name moves. The order of the syncs: the claim's folder is durable before the file
    is in it, and the file is in it before it is gone from where it was dropped.
    """
    source = root / name
    if not _finished(source):
        return None
    claims = where(root)[0]
    _refuse_link(claims)
    first = not claims.is_dir()
    folder = claims / claim
    target = folder / kept_name(name)
    fs.mkdir(folder)
    if first:
        fs.sync_dir(root)
    fs.sync_dir(claims)
    try:
        fs.rename(source, target)
    except OSError as error:
        fs.rmdir(folder)
        if isinstance(error, FileNotFoundError) and not os.path.lexists(source):
            return None
        raise
    if _look(target) is not None:  # else somebody swapped it, and `read` refuses it
        fs.sync(target)
    fs.sync_dir(folder)
    fs.sync_dir(root)
    return folder


def _finished(path: Path) -> bool:
    """Whether a regular file is there. Raises Busy while it is open for writing."""
    try:
        descriptor = os.open(path, _FLAGS)
    except PermissionError:
        return True  # It can be moved, if not read; the claim then says so.
    except OSError as error:
        if error.errno in _NO_FILE:
            return False
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        if _written(descriptor):
            raise Busy
    finally:
        os.close(descriptor)
    return True


def _written(descriptor: int) -> bool:
    """Whether any process has this file open for writing: the kernel grants a read lease only if none has.

    False where leases aren't to be had (other systems, network file systems, files of other users).
    """
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415 - there is none elsewhere

    try:
        # A writer that opens it in between makes the kernel signal us; SIGURG is ignored, the default SIGIO kills.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read(folder: Path, name: str, limit_bytes: int) -> bytes:
    """A claimed file's bytes. Raises TooLarge (before reading) and InvalidParams; OSError if the disk fails."""
    try:
        descriptor = os.open(folder / name, _FLAGS)
    except OSError as error:
        if error.errno in _NO_FILE or isinstance(error, PermissionError):
            raise _unreadable(name, error.strerror or "it can't be opened") from None
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _unreadable(name, "it is no regular file")
        if found.st_size > limit_bytes:
            raise _too_large(name, found.st_size, limit_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit_bytes:
        raise _too_large(name, len(data), limit_bytes)
    return data


def _too_large(name: str, size_bytes: int, limit_bytes: int) -> TooLarge:
    return TooLarge("file", file=shown(name), size_bytes=size_bytes, limit_bytes=limit_bytes)


def _unreadable(name: str, problem: str) -> InvalidParams:
    return InvalidParams("file", file=shown(name), format="text", problem=problem)


def dropped_name(folder: Path) -> str | None:
    """The name of the prompt file that a claim's folder holds; None if it holds none."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return names[0] if names else None


def clear(fs: Fs, folder: Path) -> None:
    """Remove what is ours in a claim's folder, and the folder if nothing else is in it. The plan goes last."""
    empty_out(fs, folder)
    parsed(fs, folder)
    fs.unlink(folder / PLAN_UNFINISHED)
    fs.unlink(folder / PLAN)
    fs.rmdir(folder)


def empty_out(fs: Fs, folder: Path) -> None:
    """Remove what an interrupted delivery had prepared."""
    out = folder / OUT
    if out.is_symlink():
        fs.unlink(out)  # not ours, and not to be emptied
    elif out.is_dir():
        for name in sorted(os.listdir(out)):
            fs.unlink(out / name)
        fs.rmdir(out)


def attempt(fs: Fs, folder: Path) -> bool:
    """Note, before a claim of an earlier run is parsed again, that this is tried. False after too many tries.

    What kills the daemon while it parses would otherwise kill it at every start.
    """
    note = folder / ATTEMPTS
    try:
        found = note.lstat()
    except FileNotFoundError:
        tries = 0
    else:
        if not stat.S_ISREG(found.st_mode):
            fs.unlink(note)
        tries = found.st_size if stat.S_ISREG(found.st_mode) else 0
    if tries >= ATTEMPTS_LIMIT:
        return False
    fs.write(note, b"." * (tries + 1))
    fs.sync(note)
    return True


def parsed(fs: Fs, folder: Path) -> None:
    """It could be parsed, or was refused: the attempts don't count any more."""
    if os.path.lexists(folder / ATTEMPTS):
        fs.unlink(folder / ATTEMPTS)
