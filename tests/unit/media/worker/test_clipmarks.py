"""A clip is signed as it came: its boxes stay, what it said of itself is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tendred.errors import FolderUnwritable, Internal, SignerBroken
from tendred.media.worker import clipmarks
from tendred.media.worker.credentials import Signatory
from tendred.media.worker.marking import SOURCE_TYPE
from tendred.media.worker.verify import verify
from tendred.schema.marks import Sign, Signing, Verify
from tendred.testing.marks import signatory, signing


def box(kind, data=b"", size=None):
    return (len(data) + 8 if size is None else size).to_bytes(4, "big") + kind + data


def mp4(last=None):
    """Brands, a movie of no tracks, and its data: enough for who looks at boxes alone."""
    header = bytes(12) + (1000).to_bytes(4, "big") + bytes(80) + (2).to_bytes(4, "big")
    pictures = bytes(range(256)) * 64
    return b"".join([
        box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41"),
        box(b"moov", box(b"mvhd", header)),
        box(b"mdat", pictures, last),
    ])  # fmt: skip


def order(folder: Path, data: bytes, *, provided: bool = True) -> Sign:
    (folder / "came.mp4").write_bytes(data)
    return Sign(
        source=str(folder / "came.mp4"), target=str(folder / "clip.mp4"), media_type="video/mp4", provided=provided
    )


def looked_at(file):
    return verify(Verify(path=str(file), folder=signing().folder))


@pytest.mark.parametrize("last", [None, 0], ids=["sized", "to the end of the file"])
def test_it_is_signed_and_marked_and_its_data_untouched(tmp_path, last):
    made = clipmarks.sign(order(tmp_path, mp4(last)), signatory())
    data = Path(made.path).read_bytes()
    assert (made.bytes, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert bytes(range(256)) * 64 in data
    assert clipmarks.XMP_BOX in data
    found = looked_at(made.path)
    assert (found.state, found.signer, found.synthetic) == ("intact", "ours", True)
    assert [one.relation for one in found.origins] == ["parentOf"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["came.mp4", "clip.mp4"]


def test_what_a_provider_signed_stays_in_it(tmp_path):
    theirs = Signatory(Signing(folder=str(tmp_path / "provider")))
    first = clipmarks.sign(order(tmp_path, mp4()), theirs)
    second = clipmarks.sign(order(tmp_path, Path(first.path).read_bytes()), signatory())
    found = looked_at(second.path)
    assert (found.state, found.signer) == ("intact", "ours")
    assert [one.credentials for one in found.origins] == [True]


def test_what_a_provider_signed_badly_is_kept_as_free_space(tmp_path):
    theirs = Signatory(Signing(folder=str(tmp_path / "provider")))
    data = bytearray(Path(clipmarks.sign(order(tmp_path, mp4()), theirs).path).read_bytes())
    at = data.index(clipmarks.C2PA_BOX)
    data[at + 60 : at + 400] = bytes(340)  # in the middle of its manifest
    work = order(tmp_path, bytes(data))
    came = Path(work.source)
    with came.open("rb") as file, Path(work.target).open("w+b") as out, pytest.raises(SignerBroken):
        signatory().sign_stream(file, out, "video/mp4", [], came)
    made = clipmarks.sign(work, signatory())
    found = looked_at(made.path)
    assert (found.state, found.signer, found.synthetic) == ("intact", "ours", True)
    assert bytes(range(256)) * 64 in Path(made.path).read_bytes()


def test_the_mark_is_found_where_there_is_no_signature(tmp_path):
    data = bytearray(mp4())
    (tmp_path / "one.mp4").write_bytes(data)
    with (tmp_path / "one.mp4").open("r+b") as file:
        clipmarks._mark(file)
    found = looked_at(tmp_path / "one.mp4")
    assert (found.state, found.source_type) == ("unsigned", SOURCE_TYPE)


@pytest.mark.parametrize("data", [b"", b"hello", mp4()[:-40], mp4() + b"\0\0\0\4free"])
def test_what_is_no_whole_clip_is_not_signed(tmp_path, data):
    with pytest.raises(Internal):
        clipmarks.sign(order(tmp_path, data), signatory())
    assert [file.name for file in tmp_path.iterdir()] == ["came.mp4"]


def test_a_broken_signer_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "here").mkdir()
    with pytest.raises(SignerBroken):
        clipmarks.sign(order(tmp_path / "here", mp4()), Signatory(Signing(folder=str(tmp_path / "empty"))))
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["came.mp4"]


def test_a_folder_that_is_gone_is_named(tmp_path):
    work = order(tmp_path, mp4())
    gone = Sign(source=work.source, target=str(tmp_path / "gone" / "clip.mp4"), media_type="video/mp4")
    with pytest.raises(FolderUnwritable):
        clipmarks.sign(gone, signatory())
