"""A finished clip (MP4) is marked and signed as it is: not a frame of it is touched, and what it says of itself is kept."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from tendred.errors import DiskFull, FolderUnwritable, Internal, SignerBroken
from tendred.media.worker import marking
from tendred.media.worker.credentials import Signatory
from tendred.media.worker.kinds import HEAD_BYTES, media_type_of
from tendred.schema.marks import Sign
from tendred.schema.work import Encoded

XMP_BOX: Final = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
"""The box that XMP stands in: XMP specification, part 3 (ISO base media)."""
_HEADER: Final = 8
_HEAD: Final = 24
C2PA_BOX: Final = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")
"""The box that credentials stand in: C2PA 2.1, embedding manifests into BMFF."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_PIECE: Final = 1024 * 1024


def sign(work: Sign, signatory: Signatory) -> Encoded:
    """Make `work.target` of `work.source`. Raises SignerBroken, DiskFull, FolderUnwritable, Internal."""
    source, target = Path(work.source), Path(work.target)
    part = target.with_name(f".{target.name}.part")
    try:
        _check(source)
        shutil.copyfile(source, part)
        with part.open("r+b") as file:
            _mark(file)
        try:
            _sign(work, signatory, part, target, source)
        except SignerBroken as problem:
            if not work.provided or problem.variant != "signing":
                raise
            # It was paid for, and its own credentials are broken: they can't be kept, all else can.
            with part.open("r+b") as file:
                _bury(file)
            _sign(work, signatory, part, target, part)
        return _told(work, target)
    except OSError as problem:
        _drop(target)
        if problem.errno in _FULL:
            raise DiskFull(folder=str(target.parent)) from problem
        raise FolderUnwritable(folder=str(target.parent), problem=problem.strerror) from problem
    except BaseException:
        _drop(target)
        raise
    finally:
        _drop(part)


def _sign(work: Sign, signatory: Signatory, part: Path, target: Path, came: Path) -> None:
    with part.open("rb") as file, open(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as out:
        signatory.sign_stream(file, out, work.media_type, work.parents, came if work.provided else None)


def _check(source: Path) -> None:
    with source.open("rb") as head:
        if media_type_of(head.read(HEAD_BYTES)) != "video/mp4":
            raise Internal(problem=f"{source.name} is no MP4 file")


def _told(work: Sign, target: Path) -> Encoded:
    digest = hashlib.sha256()
    with target.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    size = target.stat().st_size
    return Encoded(path=work.target, media_type=work.media_type, bytes=size, sha256=digest.hexdigest())


def _mark(file: BinaryIO) -> None:
    """XMP as the last box: what stands before it, and every offset that points there, stays as it is."""
    for _ in _boxes(file):
        pass
    packet = XMP_BOX + marking.xmp()
    file.seek(0, os.SEEK_END)
    file.write((len(packet) + _HEADER).to_bytes(4, "big") + b"uuid" + packet)


def _bury(file: BinaryIO) -> None:
    """Credentials become free space: every other box stays where it is."""
    for at, head in _boxes(file):
        if head[4:8] == b"uuid" and head[8:24] == C2PA_BOX:
            file.seek(at + 4)
            file.write(b"free")


def _boxes(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Where each outer box begins, and its first bytes; the last one is made to say where it ends. Raises Internal."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at + _HEADER <= end:
        file.seek(at)
        head = file.read(_HEAD)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:  # a box that goes to the end of the file must now say where it ends
            size = end - at
            file.seek(at)
            file.write(size.to_bytes(4, "big"))  # over 4 GiB raises, and nothing is published
        if size < _HEADER or at + size > end:
            raise Internal(problem="the boxes of the MP4 file don't fit together")
        yield at, head
        at += size


def _drop(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
