"""File systems that fail on purpose: one that dies at an operation, one that forgets what was never synced."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tendred.backend import Fs
from tendred.fs import SystemFs


class Crash(BaseException):
    """The process was killed, or the power went. No handler for ordinary failures catches it."""


class _Counting:
    """Counts operations, each before it happens, and lets none happen once it is dead."""

    def __init__(self) -> None:
        self.operations = 0
        self.names: list[str] = []
        self.crashed = False
        self._lock = threading.RLock()

    def _next(self, name: str, path: Path) -> int:
        if self.crashed:
            raise Crash
        self.operations += 1
        self.names.append(f"{name} {path.name}")
        return self.operations


class SteppingFs(_Counting):
    """See backend.Fs. Performs operations, each after its `_step`, in which a subclass does its worst."""

    def __init__(self, inner: Fs) -> None:
        super().__init__()
        self._inner = inner

    def mkdir(self, path: Path) -> None:
        with self._lock:
            self._step("mkdir", path)
            self._inner.mkdir(path)

    def write(self, path: Path, data: bytes) -> None:
        with self._lock:
            self._step("write", path, data)
            self._inner.write(path, data)

    def copy(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step("copy", target, source)
            self._inner.copy(source, target)

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step("rename", target)
            self._inner.rename(source, target)

    def unlink(self, path: Path) -> None:
        with self._lock:
            self._step("unlink", path)
            self._inner.unlink(path)

    def rmdir(self, path: Path) -> None:
        with self._lock:
            self._step("rmdir", path)
            self._inner.rmdir(path)

    def sync(self, path: Path) -> None:
        with self._lock:
            self._step("sync", path)
            self._inner.sync(path)

    def sync_dir(self, path: Path) -> None:
        with self._lock:
            self._step("sync_dir", path)
            self._inner.sync_dir(path)

    def committed(self, database: Path) -> None:
        with self._lock:
            self._step("committed", database)
            self._inner.committed(database)

    def _step(self, name: str, path: Path, data: bytes | Path = b"") -> None:
        """An operation is about to happen; `data` is what a write or a copy is about to leave at `path`."""
        raise NotImplementedError

    def _half(self, name: str, path: Path, data: bytes | Path) -> None:
        """Leave half of what a write or a copy would have left."""
        if name in {"write", "copy"}:
            data = data if isinstance(data, bytes) else data.read_bytes()
            self._inner.write(path, data[: len(data) // 2])


class CrashingFs(SteppingFs):
    """Performs operations until the `at`-th (from 1), which crashes; a write or a copy is then half done.

    Afterwards every operation crashes, as nothing more happens in a process that was killed. What was done stays,
    synced or not: that is `kill -9`. `at` 0 never crashes, and counts.
    """

    def __init__(self, inner: Fs, at: int) -> None:
        super().__init__(inner)
        self._at = at

    def _step(self, name: str, path: Path, data: bytes | Path = b"") -> None:
        if self._next(name, path) != self._at:
            return
        self.crashed = True
        self._half(name, path, data)
        raise Crash


@dataclass(eq=False)
class _File:
    """`durable` is the content at the last sync; a file that was never synced comes back empty."""

    durable: bytes = b""


@dataclass(eq=False)
class _Dir:
    """`entries` as they are now, `durable` as they were at the last sync_dir."""

    entries: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    durable: dict[str, _Node] = field(default_factory=dict[str, "_Node"])


_Node = _File | _Dir


class LossyFs(_Counting):
    """Works on `root` for real and remembers what a power cut would leave of it.

    Durable are file contents as of `sync`, names in a directory as of `sync_dir`, and a database as of `committed`.
    Everything there at the start is durable. A rename is atomic: once the directory it went to is synced, it is gone
    from where it came. Syncing the other directory alone loses the file, which real disks do only now and then.

    At the operation `power_cut_at` (from 1; None never) the lights go out before it happens: what is durable is
    written to `shadow`, and every further operation raises Crash. Copy `shadow` elsewhere and start again there.
    Changes made behind its back count as made and not synced.
    """

    def __init__(self, root: Path, shadow: Path) -> None:
        super().__init__()
        self.power_cut_at: int | None = None
        self._root = root
        self._shadow = shadow
        self._inner = SystemFs()
        self._tree = _loaded(root)
        self._moves: list[tuple[_Dir, str, _Dir, _Node]] = []

    def cut(self) -> None:
        """Let the lights go out now."""
        with self._lock:
            if not self.crashed:
                self.crashed = True
                self._shadow.mkdir(parents=True, exist_ok=True)
                _written(self._tree, self._shadow)

    def mkdir(self, path: Path) -> None:
        with self._lock:
            self._step("mkdir", path)
            self._inner.mkdir(path)
            self._find(path)

    def write(self, path: Path, data: bytes) -> None:
        with self._lock:
            self._step("write", path)
            self._inner.write(path, data)
            self._find(path)

    def copy(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step("copy", target)
            self._inner.copy(source, target)
            self._find(target)

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step("rename", target)
            node = self._find(source)
            self._inner.rename(source, target)
            before, after = self._find(source.parent), self._find(target.parent)
            if isinstance(before, _Dir):
                before.entries.pop(source.name, None)
            if isinstance(after, _Dir) and node is not None:
                after.entries[target.name] = node
            if isinstance(before, _Dir) and isinstance(after, _Dir) and node is not None:
                self._moves.append((before, source.name, after, node))

    def unlink(self, path: Path) -> None:
        with self._lock:
            self._step("unlink", path)
            self._inner.unlink(path)
            self._forget(path)

    def rmdir(self, path: Path) -> None:
        with self._lock:
            self._step("rmdir", path)
            self._inner.rmdir(path)
            if not path.exists():
                self._forget(path)

    def sync(self, path: Path) -> None:
        with self._lock:
            self._step("sync", path)
            if isinstance(node := self._find(path), _File):
                node.durable = path.read_bytes()

    def sync_dir(self, path: Path) -> None:
        with self._lock:
            self._step("sync_dir", path)
            if not isinstance(node := self._find(path), _Dir):
                return
            there = set(os.listdir(path))
            for name in there:
                self._find(path / name)
            node.entries = {name: entry for name, entry in node.entries.items() if name in there}
            node.durable = dict(node.entries)
            for before, name, after, moved in [move for move in self._moves if move[2] is node]:
                self._moves.remove((before, name, after, moved))
                if before.durable.get(name) is moved and before is not after:
                    del before.durable[name]

    def committed(self, database: Path) -> None:
        with self._lock:
            self._step("committed", database)
            for path in (database, database.with_name(database.name + "-wal")):
                if path.exists() and isinstance(node := self._find(path), _File):
                    node.durable = path.read_bytes()
                    self._keep(path)

    def _step(self, name: str, path: Path) -> None:
        if self._next(name, path) == self.power_cut_at:
            self.cut()
            raise Crash

    def _keep(self, path: Path) -> None:
        """Make the names that lead to a path durable."""
        directory = self._tree
        for name in path.relative_to(self._root).parts:
            entry = directory.entries[name]
            directory.durable[name] = entry
            if isinstance(entry, _Dir):
                directory = entry

    def _find(self, path: Path) -> _Node | None:
        """The node of a path, taking in what is there for real; None outside of `root` and where nothing is."""
        if not path.is_relative_to(self._root):
            return None
        node: _Node = self._tree
        here = self._root
        for name in path.relative_to(self._root).parts:
            here /= name
            if not isinstance(node, _Dir) or not os.path.lexists(here):
                return None
            kind = _Dir if here.is_dir() and not here.is_symlink() else _File
            entry = node.entries.get(name)
            if not isinstance(entry, kind):
                entry = node.entries[name] = kind()
            node = entry
        return node

    def _forget(self, path: Path) -> None:
        if isinstance(parent := self._find(path.parent), _Dir):
            parent.entries.pop(path.name, None)


def _loaded(path: Path) -> _Dir:
    directory = _Dir()
    for entry in sorted(path.iterdir()) if path.is_dir() else []:
        real = entry.is_dir() and not entry.is_symlink()
        directory.entries[entry.name] = _loaded(entry) if real else _File(entry.read_bytes())
    directory.durable = dict(directory.entries)
    return directory


def _written(directory: _Dir, target: Path) -> None:
    for name, node in directory.durable.items():
        if isinstance(node, _Dir):
            (target / name).mkdir(mode=0o700)
            _written(node, target / name)
        else:
            (target / name).write_bytes(node.durable)
            (target / name).chmod(0o600)  # as `SystemFs.write` makes them
