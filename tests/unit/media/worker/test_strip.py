"""A copy without settings: the picture to the byte, the mark, and nothing that says what was asked for."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO

import pytest
from PIL import Image

from tendred.errors import Internal
from tendred.media.worker import strip
from tendred.media.worker.checks import Checker
from tendred.media.worker.encode import MEDIA_TYPES, encode
from tendred.media.worker.verify import verify
from tendred.schema.marks import Parent, Sign, Verify
from tendred.schema.work import Encode
from tendred.testing.marks import signatory, signing


@pytest.fixture(params=["png", "jpeg", "webp"])
def still(request, tmp_path):
    """A published still with words in it, and the order to copy it."""
    picture = Image.radial_gradient("L").resize((256, 192)).convert("RGB")
    raw, kind = tmp_path / "one.rgb", MEDIA_TYPES[request.param]
    raw.write_bytes(picture.tobytes())
    work = Encode(
        raw=str(raw), width=256, height=192, pixels_sha256=hashlib.sha256(picture.tobytes()).hexdigest(),
        format=request.param, target=str(tmp_path / "own"), thumbnail=None, settings={"prompt": "a lighthouse"},
        parameters="a lighthouse",
    )  # fmt: skip
    made = encode(work, 92, signatory(), Checker())
    own = Parent(path=made.path, sha256=made.sha256, relation="parentOf")
    return Sign(source=made.path, target=str(tmp_path / "copy"), media_type=kind, parents=[own])


def pixels(path):
    with Image.open(path) as picture:
        return picture.tobytes()


def test_the_words_stay_behind_and_everything_else_goes_along(still):
    made = strip.sign(still, signatory())
    with open(still.target, "rb") as file:
        data = file.read()
    assert (made.bytes, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    for words in (b"lighthouse", "lighthouse".encode("utf-16-be")):
        assert words not in data
    assert pixels(still.target) == pixels(still.source)
    found = verify(Verify(path=still.target, folder=signing().folder, deep=True))
    assert (found.state, found.signer, found.synthetic, found.problems) == ("intact", "ours", True, [])
    assert found.watermark is not None
    with Image.open(BytesIO(data)) as picture:
        told = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    assert "trainedAlgorithmicMedia" in (told if isinstance(told, str) else told.decode())
    assert json.dumps(picture.info, default=str).count("settings") == 0


def test_another_file_under_its_name_is_not_copied(still):
    with open(still.source, "ab") as file:
        file.write(b"x")
    with pytest.raises(Internal):
        strip.sign(still, signatory())


@pytest.mark.parametrize("keep", [0, 3, 30])
def test_what_is_cut_off_is_told(still, keep):
    with open(still.source, "r+b") as file:
        file.truncate(keep)
    with pytest.raises(Internal):
        strip.sign(still, signatory())
