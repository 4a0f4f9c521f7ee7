"""One daemon per data directory: its directories, its lock, its discovery file, its socket's place, its key."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tendred.app.client import read_discovery
from tendred.config.paths import Paths
from tendred.errors import AlreadyRunning, FolderUnwritable, StoreBroken
from tendred.fs import SystemFs
from tendred.schema.system import Discovery

if TYPE_CHECKING:  # these two bring asyncio along, and the CLI should start fast
    from tendred.backend import Fs
    from tendred.clock import Rng

__all__ = [
    "Lock",
    "acquire",
    "boundary_key",
    "prepare",
    "read_discovery",
    "remove_discovery",
    "remove_socket",
    "socket_path",
    "write_discovery",
]

KEY_BYTES: Final = 32
SOCKET_BYTES: Final = 107
"""What fits in sockaddr_un.sun_path beside its final NUL."""
SOCKET_NAME: Final = "tendred.sock"
_PRIVATE: Final = "tendred-"
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_PID_BYTES: Final = 32

if sys.platform == "win32":
    import msvcrt

    def _lock_descriptor(descriptor: int) -> None:
        # Windows locks bytes against reading too, so take one far behind the process id.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock_descriptor(descriptor: int) -> None:
        # flock, not lockf: a POSIX lock is lost as soon as anything in this process closes the file.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def prepare(paths: Paths, fs: Fs | None = None) -> list[FolderUnwritable]:
    """Make every missing directory, 0700, durably; the modes of those that exist are their owner's business.

    Returns what is wrong with the directories a daemon can start without (config, pictures, hot folder: an
    external disk may come back). Raises FolderUnwritable for the others, and for a runtime directory that
    somebody else could write to.
    """
    fs = fs or SystemFs()
    for folder in (paths.data, paths.cache, paths.state, paths.runtime, paths.logs, paths.thumbnails):
        _make(folder, fs)
    _check_private(paths.runtime)
    problems: list[FolderUnwritable] = []
    for folder in (paths.config, paths.pictures, paths.staging, paths.hot):
        try:
            _make(folder, fs)
        except FolderUnwritable as problem:
            problems.append(problem)
    return problems


def _make(folder: Path, fs: Fs) -> None:
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        for place in reversed(missing):
            fs.mkdir(place)
            # Without this a power cut takes the folder, and with it all that was made durable inside.
            fs.sync_dir(place.parent)
    except OSError as problem:
        raise FolderUnwritable(folder=str(folder), problem=problem.strerror) from problem
    if not folder.is_dir():
        raise FolderUnwritable(folder=str(folder), problem="there is a file of that name")


def _check_private(folder: Path) -> None:
    if os.name == "nt":
        return
    state = folder.stat()
    if state.st_uid != os.geteuid():
        raise FolderUnwritable(folder=str(folder), problem=f"it belongs to another user (number {state.st_uid})")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(state.st_mode)
        raise FolderUnwritable(folder=str(folder), problem=f"other users can write to it (mode {mode:04o})")


class Lock:
    """Held for life; whatever ends the process ends it too."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, file: Path) -> None:
        """Lock one more. Raises AlreadyRunning or FolderUnwritable."""
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
        except OSError as problem:
            raise FolderUnwritable(folder=str(file.parent), problem=problem.strerror) from problem
        try:
            _lock_descriptor(descriptor)
        except (BlockingIOError, PermissionError) as taken:
            pid = os.read(descriptor, _PID_BYTES).strip()
            os.close(descriptor)
            # Empty for the moment between the other's lock and its number.
            raise AlreadyRunning(pid=int(pid) if pid.isdigit() else "?", folder=str(file.parent)) from taken
        except OSError as problem:
            os.close(descriptor)
            words = f"files can't be locked there ({problem.strerror})"
            raise FolderUnwritable(folder=str(file.parent), problem=words) from problem
        self._descriptors.append(descriptor)
        with contextlib.suppress(OSError):  # a full disk: the number is only for people
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go, once. The files stay: removing one could split the lock between two daemons."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def acquire(paths: Paths) -> Lock:
    """Become the daemon of this data directory, and of this runtime directory, which may be set apart from it.

    Raises AlreadyRunning with the other's process id, or FolderUnwritable where files can't be locked.
    """
    lock = Lock()
    files = {file.resolve(): file for file in (paths.lock, paths.runtime / paths.lock.name)}
    try:
        for file in files.values():
            lock.add(file)
    except BaseException:
        lock.release()
        raise
    return lock


def write_discovery(path: Path, discovery: Discovery) -> None:
    """Put the file there at once and whole, 0600. Raises FolderUnwritable."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600), "wb") as file:
            file.write(msgspec.json.encode(discovery))
        os.replace(part, path)
    except OSError as problem:
        raise FolderUnwritable(folder=str(path.parent), problem=problem.strerror) from problem


def remove_discovery(path: Path, boot_id: str) -> None:
    """Take the file away, if it is still this boot's."""
    found = read_discovery(path)
    if found is not None and found.boot_id == boot_id and found.pid == os.getpid():
        path.unlink(missing_ok=True)


def socket_path(paths: Paths) -> Path:
    """Where the Unix socket goes, free of what an earlier daemon left. Call it under the lock.

    Usually in the runtime directory; where that makes too long a name, in a new private directory of its own.
    """
    _clear_stale(paths)
    path = paths.runtime / SOCKET_NAME
    if len(os.fsencode(path)) <= SOCKET_BYTES:
        path.unlink(missing_ok=True)
        return path
    for base in (None, "/tmp"):  # noqa: S108 - mkdtemp makes it private, and TMPDIR may be too long as well
        path = Path(tempfile.mkdtemp(prefix=_PRIVATE, dir=base)) / SOCKET_NAME
        if len(os.fsencode(path)) <= SOCKET_BYTES:
            return path
        path.parent.rmdir()
    raise FolderUnwritable(folder=str(paths.runtime), problem="its name is too long for a socket")


def remove_socket(path: Path) -> None:
    """Take the socket away, and its directory if that was made for it."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    if path.parent.name.startswith(_PRIVATE):
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _clear_stale(paths: Paths) -> None:
    """A daemon that was killed left its discovery file, and perhaps a directory for its socket."""
    found = read_discovery(paths.discovery)
    if found is not None and found.socket is not None:
        old = Path(found.socket)
        if old.name == SOCKET_NAME and old.parent.name.startswith(_PRIVATE):
            remove_socket(old)
    with contextlib.suppress(OSError):
        paths.discovery.unlink(missing_ok=True)


def boundary_key(path: Path, rng: Rng, fs: Fs) -> bytes:
    """The key of the seals, 32 bytes; made durably at first start. Raises StoreBroken("key") for anything else there.

    It is never replaced silently: seals made with the old one would no longer hold.
    """
    try:
        # Nothing may make us wait here, not even a named pipe.
        descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        key = rng.bytes(KEY_BYTES)
        _write_key(path, key, fs)
        return key
    except OSError as problem:
        raise StoreBroken("key", file=str(path), problem=problem.strerror) from problem
    try:
        return _read_key(path, descriptor)
    finally:
        os.close(descriptor)


def _read_key(path: Path, descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise StoreBroken("key", file=str(path), problem="it is no ordinary file")
    key = os.read(descriptor, KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise StoreBroken("key", file=str(path), problem=f"it does not hold {KEY_BYTES} bytes")
    if os.name != "nt":
        with contextlib.suppress(OSError):  # a copy brought back from a backup may have come with another mode
            os.fchmod(descriptor, 0o600)
    return key


def _write_key(path: Path, key: bytes, fs: Fs) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        fs.write(part, key)
        fs.sync(part)
        fs.rename(part, path)
        fs.sync_dir(path.parent)
    except OSError as problem:
        raise FolderUnwritable(folder=str(path.parent), problem=problem.strerror) from problem
