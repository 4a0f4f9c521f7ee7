import errno
import hashlib

import msgspec
import pytest

from tendred.errors import DiskFull
from tendred.fs import SystemFs
from tendred.library.strokes import Strokes, document
from tendred.schema.stroke import Stroke

STROKES = [Stroke(colour="#ff0000", width=2.0, points=[1, 2])]


def test_a_document_is_the_same_every_time():
    data, sha256 = document(STROKES)
    assert (data, sha256) == document([*STROKES])
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert msgspec.json.decode(data, type=list[Stroke]) == STROKES


class Syncing(SystemFs):
    """Notes the order of things."""

    def __init__(self):
        self.calls = []

    def sync(self, path):
        if path.is_file():
            self.calls.append(("sync", path.name))
        super().sync(path)

    def rename(self, source, target):
        self.calls.append(("rename", target.name))
        super().rename(source, target)

    def sync_dir(self, path):
        self.calls.append(("sync_dir", path.name))
        super().sync_dir(path)


def test_it_is_durable_before_it_has_its_name(tmp_path):
    fs = Syncing()
    strokes = Strokes(fs, tmp_path / "strokes")
    data, sha256 = document(STROKES)
    strokes.keep(data, sha256)
    assert strokes.path(sha256).read_bytes() == data
    assert fs.calls == [("sync", f"{sha256}.part"), ("rename", f"{sha256}.json"), ("sync_dir", "strokes")]
    strokes.keep(data, sha256)
    assert len(fs.calls) == 3


def test_a_full_disk_is_told(tmp_path):
    class Full(SystemFs):
        def write(self, path, data):
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(DiskFull):
        Strokes(Full(), tmp_path).keep(*document(STROKES))
