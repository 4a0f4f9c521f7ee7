"""Backup and restore: all that makes an installation itself, in one file, and so a move to another machine.

The file is a tar: the database as it stood at one moment, both keys (the boundary's, by which own stills are own, and
those that files are signed with), strokes, wildcards, the configuration, and the pictures unless they are left out.
Models are not in it: they can be had again. Its last member says what must be in it, so a file that was cut off or
changed is never half restored. It can be made while a daemon runs; restoring needs a place where nothing is yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

import msgspec

from tendred import __version__
from tendred.app import instance
from tendred.config.paths import Paths
from tendred.errors import BackupBroken, FolderUnwritable
from tendred.schema.base import Record

LIST: Final = "backup.json"
DATABASE: Final = "data/tendred.db"
BOUNDARY: Final = "state/boundary.key"
SIGNING: Final = "state/signing"
CONFIG: Final = "config/config.toml"
BESIDE: Final = "config.from-backup.toml"
"""Where the configuration is put: paths in it are those of the machine that it comes from."""
PAUSE: Final = (
    "INSERT INTO setting VALUES ('queue_paused', CAST('true' AS BLOB)) ON CONFLICT DO UPDATE SET value = excluded.value"
)
"""What waited may have been made since: a person looks before it starts (see core.pauses)."""
UNSURE: Final = """
UPDATE job SET state = 'running', attempts = attempts + 1, rev = rev + 1,  started_at = coalesce(started_at, created_at),
  claimed_at = coalesce(claimed_at, created_at)
  WHERE state = 'queued' AND id IN (SELECT job_id FROM clip WHERE phase IN ('confirmed', 'reserved'));
UPDATE clip SET phase = 'sending', sent_at = coalesce(sent_at, (SELECT created_at FROM job WHERE id = job_id))
  WHERE phase IN ('confirmed', 'reserved')"""
"""A clip that was about to be sent then may have been sent since. The next start finds that nobody knows (cloud.broker)."""
MONEY: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'clip'"
_LIST_BYTES: Final = 256 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Contents(Record, frozen=True):
    """What is in a backup: the SHA-256 of each member by its name."""

    backup: int
    version: str
    files: dict[str, str]


class Taken(Record, frozen=True):
    """What a backup or a restore did."""

    file: str
    files: int
    bytes: int
    pictures: bool


def backup(paths: Paths, file: Path, *, pictures: bool = True) -> Taken:
    """Write everything into a new file, 0600. Raises BackupBroken, FolderUnwritable. Blocking, as long as the disk takes."""
    if file.exists():
        raise BackupBroken("exists", file=str(file))
    part = file.with_name(f".{file.name}.part")
    try:
        with tempfile.TemporaryDirectory(prefix=".tendred-", dir=file.parent) as place:
            copy = _snapshot(paths, Path(place) / "tendred.db")
            part.unlink(missing_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), "wb") as out:
                contents, size = _written(out, _sources(paths, copy, pictures=pictures))
                out.flush()
                os.fsync(out.fileno())
        os.rename(part, file)
    except OSError as problem:
        raise FolderUnwritable(folder=str(file.parent), problem=problem.strerror or str(problem)) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return Taken(str(file), len(contents.files), size, pictures)


def restore(paths: Paths, file: Path) -> Taken:
    """Put everything back where this installation has its places; the queue is paused then.

    Raises BackupBroken (a damaged file; a library or another key that is there already), AlreadyRunning,
    FolderUnwritable. Nothing that is there is overwritten. Blocking.
    """
    for problem in instance.prepare(paths):
        raise problem
    lock = instance.acquire(paths)
    try:
        with file.open("rb") as source:
            contents = _checked(source, file)
            if paths.database.exists():
                raise BackupBroken("there", file=str(file), folder=str(paths.data))
            _check_keys(source, paths, file)
            size = sum(_put(member, data, paths, file) for member, data in _members(source, file))
        _arrive(paths)
    except (OSError, tarfile.TarError) as problem:
        raise BackupBroken(file=str(file), problem=getattr(problem, "strerror", None) or str(problem)) from problem
    finally:
        lock.release()
    return Taken(str(file), len(contents.files), size, any(name.startswith("pictures/") for name in contents.files))


def _snapshot(paths: Paths, target: Path) -> Path:
    if not paths.database.is_file():
        raise BackupBroken("nothing", folder=str(paths.data))
    try:
        source = sqlite3.connect(f"{paths.database.as_uri()}?mode=ro", uri=True)
        with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as problem:
        raise BackupBroken("nothing", folder=str(paths.data)) from problem
    return target


def _sources(paths: Paths, database: Path, *, pictures: bool) -> Iterator[tuple[str, Path]]:
    """Names and files. The database was copied first: what it tells of is on the disk by now."""
    yield DATABASE, database
    yield BOUNDARY, paths.boundary_key
    yield CONFIG, paths.config_file
    folders = {SIGNING: paths.signing, "data/strokes": paths.strokes, "data/wildcards": paths.wildcards}
    for name, folder in {**folders, **({"pictures": paths.pictures} if pictures else {})}.items():
        for found in sorted(folder.rglob("*")):
            if found.is_file() and not found.is_symlink() and not found.is_relative_to(paths.staging):
                yield f"{name}/{found.relative_to(folder).as_posix()}", found


def _written(out: BinaryIO, sources: Iterator[tuple[str, Path]]) -> tuple[Contents, int]:
    files: dict[str, str] = {}
    total = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sources:
            try:
                file = open(os.open(path, os.O_RDONLY | _FLAGS), "rb")  # noqa: SIM115 - closed below
            except FileNotFoundError:
                continue  # no configuration, no key yet; or somebody took a picture away meanwhile
            with file:
                hashed = _Hashed(file)
                info = tarfile.TarInfo(name)
                info.size, info.mode = os.fstat(file.fileno()).st_size, 0o600
                tar.addfile(info, hashed)
                files[name], total = hashed.digest.hexdigest(), total + info.size
        contents = Contents(1, __version__, files)
        data = msgspec.json.encode(contents)
        info = tarfile.TarInfo(LIST)
        info.size, info.mode = len(data), 0o600
        tar.addfile(info, io.BytesIO(data))
    return contents, total


class _Hashed(io.RawIOBase):
    """Reads on, and hashes what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _checked(source: BinaryIO, file: Path) -> Contents:
    """Every byte is read and compared before the first is written."""
    found: dict[str, str] = {}
    contents: Contents | None = None
    for member, data in _members(source, file):
        if member.name == LIST:
            with contextlib.suppress(msgspec.DecodeError):
                contents = msgspec.json.decode(data.read(_LIST_BYTES), type=Contents)
            continue
        digest = hashlib.sha256()
        while piece := data.read(_PIECE):
            digest.update(piece)
        if contents is not None or member.name in found:
            raise BackupBroken(file=str(file), problem=f"{member.name} should not be where it is")
        found[member.name] = digest.hexdigest()
    if contents is None:
        raise BackupBroken(file=str(file), problem="it has no end, or was made by something else")
    if contents.backup != 1 or not {DATABASE, BOUNDARY} <= found.keys() or contents.files != found:
        raise BackupBroken(file=str(file), problem="it is not whole, or was changed")
    return contents


def _members(source: BinaryIO, file: Path) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    source.seek(0)
    with tarfile.open(fileobj=source, mode="r:") as tar:
        for member in tar:
            data = tar.extractfile(member) if member.isreg() else None
            if data is None:
                raise BackupBroken(file=str(file), problem=f"{member.name} is no ordinary file")
            yield member, cast("BinaryIO", data)


def _check_keys(source: BinaryIO, paths: Paths, file: Path) -> None:
    """Other keys are never replaced: what was made with them would be a stranger's."""
    for member, data in _members(source, file):
        if member.name == BOUNDARY or member.name.startswith(f"{SIGNING}/"):
            there = _place(member.name, paths, file)
            if there.exists() and there.read_bytes() != data.read(_PIECE):
                raise BackupBroken("key", file=str(file), there=str(there))


def _place(name: str, paths: Paths, file: Path) -> Path:
    """Where a member goes. Only what a backup may hold has a place; none is outside of ours."""
    path = PurePosixPath(name)
    single = {DATABASE: _arriving(paths), BOUNDARY: paths.boundary_key, CONFIG: paths.config / BESIDE}
    if name in single:
        return single[name]
    folders = {
        SIGNING: paths.signing, "data/strokes": paths.strokes, "data/wildcards": paths.wildcards, "pictures": paths.pictures,
    }  # fmt: skip
    fine = ".." not in path.parts and "\\" not in name and ":" not in name and "\0" not in name
    for root, folder in folders.items():
        if fine and path.is_relative_to(root) and path != PurePosixPath(root):
            return folder.joinpath(*path.relative_to(root).parts)
    raise BackupBroken(file=str(file), problem=f"it holds {name!r}, which has no place here")


def _arriving(paths: Paths) -> Path:
    """The database comes last: with it, everything is there."""
    return paths.database.with_name(f".{paths.database.name}.part")


def _put(member: tarfile.TarInfo, data: BinaryIO, paths: Paths, file: Path) -> int:
    """Write one member, durably; one that is there already must be the same. Returns its size."""
    if member.name == LIST:
        return 0
    target = _place(member.name, paths, file)
    if target in (_arriving(paths), paths.config / BESIDE):
        target.unlink(missing_ok=True)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    except FileExistsError:
        if _same(target, data):
            return member.size
        raise BackupBroken("there", file=str(file), folder=str(target)) from None
    with open(descriptor, "wb") as out:
        while piece := data.read(_PIECE):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return member.size


def _same(there: Path, data: BinaryIO) -> bool:
    if not stat.S_ISREG(there.lstat().st_mode):
        return False
    with there.open("rb") as file:
        while piece := data.read(_PIECE):
            if file.read(len(piece)) != piece:
                return False
        return not file.read(1)


def _arrive(paths: Paths) -> None:
    part = _arriving(paths)
    with contextlib.closing(sqlite3.connect(part)) as database:
        database.execute("PRAGMA journal_mode=DELETE")  # no second file may be left beside it
        with database:
            database.execute(PAUSE)
            if database.execute(MONEY).fetchone():  # older versions made no clips
                for step in UNSURE.split(";"):
                    database.execute(step)
    os.rename(part, paths.database)
