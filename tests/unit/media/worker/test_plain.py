"""A still as it leaves this machine: pixels, and nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip("av")

from PIL import Image, PngImagePlugin

from tendred.errors import StillNotOurs
from tendred.media.worker.plain import plain
from tendred.schema.footage import Plain
from tendred.schema.weights import file_sha256

SECRET = "the words of a prompt"


@pytest.fixture
def still(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", SECRET)
    chunks.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    picture = Image.new("RGB", (300, 200), (200, 20, 20))
    picture.paste((20, 200, 20), (100, 0, 200, 200))
    path = tmp_path / "mira on a beach.png"
    picture.save(path, pnginfo=chunks, exif=Image.Exif())
    return path


def order(still, tmp_path, **changes):
    fields = {
        "source": str(still), "sha256": file_sha256(still), "target": str(tmp_path / "up"), "width": 160, "height": 90,
        "format": "png",
    }  # fmt: skip
    return Plain(**{**fields, **changes})


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_nothing_that_travelled_in_the_file_is_left(still, tmp_path, form):
    assert SECRET.encode() in still.read_bytes()
    made = plain(order(still, tmp_path, format=form))
    data = (tmp_path / "up").read_bytes()
    assert SECRET.encode() not in data
    assert b"mira" not in data
    with Image.open(tmp_path / "up") as picture:
        assert (picture.format, picture.size, made.media_type) == (form.upper(), (160, 90), f"image/{form}")
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not picture.getexif()


def test_the_middle_is_kept_and_the_shape_is_not_stretched(still, tmp_path):
    plain(order(still, tmp_path, width=200, height=400))
    with Image.open(tmp_path / "up") as picture:
        # A box as high as the still and half as wide: the green third fills it.
        assert picture.convert("RGB").getpixel((5, 200))[1] > 150
        assert picture.convert("RGB").getpixel((195, 200))[1] > 150


def test_another_picture_is_not_sent(still, tmp_path):
    with pytest.raises(StillNotOurs):
        plain(order(still, tmp_path, sha256="0" * 64))
    assert not (tmp_path / "up").exists()
