"""What is said of files: ours, others', changed ones, and what only looks like a file."""

from __future__ import annotations

import hashlib
import random
from io import BytesIO

import pytest
from PIL import Image

from tendred.media.worker import marking, watermark
from tendred.media.worker.credentials import Signatory
from tendred.media.worker.verify import verify
from tendred.schema.marks import Signing, Verify
from tendred.testing.marks import signatory, signing


def picture(form="png", size=(40, 30)):
    out = BytesIO()
    Image.new("RGB", size, (120, 60, 30)).save(out, form, **({} if form == "png" else {"xmp": marking.xmp()}))
    return out.getvalue()


def looked_at(file, **changes):
    return verify(Verify(**{"path": str(file), "folder": signing().folder, **changes}))


@pytest.fixture
def ours(tmp_path):
    file = tmp_path / "ours.png"
    file.write_bytes(signatory().sign(picture(), "image/png", []))
    return file


@pytest.fixture
def stranger(tmp_path):
    """Signed by another installation, which calls itself as anybody may."""
    file = tmp_path / "stranger.png"
    file.write_bytes(Signatory(Signing(folder=str(tmp_path / "other"))).sign(picture(), "image/png", []))
    return file


def test_the_hash_and_size_are_those_of_the_file(ours):
    found = looked_at(ours)
    assert (found.bytes, found.sha256) == (ours.stat().st_size, hashlib.sha256(ours.read_bytes()).hexdigest())
    assert found.file == "ours.png"


def test_another_signer_is_unknown_whatever_he_calls_himself(stranger, tmp_path):
    found = looked_at(stranger)
    assert (found.state, found.signer) == ("intact", "unknown")
    assert found.certificate.name.startswith("tendred installation ")
    known = looked_at(stranger, trust=str(tmp_path / "other" / "roots.pem"))
    assert (known.state, known.signer) == ("intact", "known")


def test_without_an_installation_nobody_is_known(ours):
    assert looked_at(ours, folder="").signer == "unknown"


def manifest_of(data):
    """Where the credentials stand in a PNG: a chunk of their own."""
    start = data.index(b"caBX") - 4
    return range(start, start + int.from_bytes(data[start : start + 4], "big") + 12)


def test_one_byte_changed_is_seen(ours):
    data = ours.read_bytes()
    inside = manifest_of(data)
    outside = [place for place in range(len(data)) if place not in inside]
    # Of the manifest itself names of boxes and the room for longer signatures are covered by nothing, and say nothing.
    filled = [place for place in inside if any(data[place - 8 : place + 8])]
    inner = random.Random(6).sample(filled, 60)
    intact = {"inside": 0, "outside": 0}
    for place in outside + inner:
        ours.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        intact["inside" if place in inside else "outside"] += looked_at(ours).state == "intact"
    assert intact["outside"] == 0
    assert intact["inside"] <= 6, intact


def test_pixels_changed_are_seen_and_the_mark_in_them_is_looked_for(tmp_path):
    marked = watermark.embed(Image.new("RGB", (300, 300), (90, 120, 200)), signatory().identity.installation)
    out = BytesIO()
    marked.save(out, "PNG")
    file = tmp_path / "one.png"
    file.write_bytes(signatory().sign(out.getvalue(), "image/png", []))
    assert looked_at(file).watermark_looked_for is False
    assert looked_at(file, deep=True).watermark.ours is True
    with Image.open(file) as again:
        again.convert("RGB").crop((20, 20, 290, 290)).save(tmp_path / "two.jpg", quality=80)
    found = looked_at(tmp_path / "two.jpg")
    assert (found.state, found.synthetic, found.watermark.ours) == ("unsigned", True, True)
    assert found.watermark.installation == f"{signatory().identity.installation:04x}"
    assert looked_at(tmp_path / "two.jpg", folder="").watermark.ours is None


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_an_unsigned_file_may_still_say_that_a_machine_made_it(tmp_path, form):
    (tmp_path / "one").write_bytes(picture(form))
    found = looked_at(tmp_path / "one")
    assert (found.state, found.signer, found.source_type) == ("unsigned", None, marking.SOURCE_TYPE)
    assert found.synthetic is True


def test_an_ordinary_picture_says_nothing(tmp_path):
    (tmp_path / "one.png").write_bytes(picture())
    found = looked_at(tmp_path / "one.png")
    assert (found.state, found.source_type, found.synthetic, found.watermark) == ("unsigned", None, None, None)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7" * 100])
def test_what_is_no_media_is_told(tmp_path, data):
    (tmp_path / "one.png").write_bytes(data)
    found = looked_at(tmp_path / "one.png")
    assert (found.state, found.media_type, found.bytes) == ("unreadable", None, len(data))


@pytest.mark.parametrize("cut", [9, 40, 200, 5000, 12000])
def test_half_a_file_is_never_called_intact(ours, cut):
    ours.write_bytes(ours.read_bytes()[:cut])
    assert looked_at(ours).state in {"changed", "unsigned"}


def test_a_manifest_moved_to_another_picture_is_seen(ours, tmp_path):
    data = ours.read_bytes()
    manifest = manifest_of(data)
    other = BytesIO()
    Image.new("RGB", (40, 30), "green").save(other, "PNG")
    forged = other.getvalue()
    (tmp_path / "forged.png").write_bytes(forged[:33] + data[manifest.start : manifest.stop] + forged[33:])
    assert looked_at(tmp_path / "forged.png").state == "changed"
