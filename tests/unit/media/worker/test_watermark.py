"""The mark in the pixels, in flat and in busy pictures, after what pictures go through."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from tendred.media.worker import watermark

NUMBER = 0xBEEF


def flat(width=512, height=448):
    picture = Image.new("RGB", (width, height), (250, 250, 250))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((60, 40, 260, 240), fill=(200, 40, 40))
    pen.rectangle((0, 240, width, height), fill=(30, 90, 160))
    return picture


def busy(width=512, height=448):
    """Detail at every size, less of it the smaller, as in a photograph."""
    seeded, whole = np.random.default_rng(5), np.zeros((height, width, 3))
    for cells in (4, 16, 64, 256):
        noise = seeded.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        whole += np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)) / cells**0.5
    return Image.fromarray((whole * 255 / whole.max()).astype(np.uint8))


def jpeg(picture, quality=75):
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(BytesIO(out.getvalue()))


@pytest.mark.parametrize("draw", [flat, busy])
@pytest.mark.parametrize(
    "after",
    [
        lambda it: it,
        jpeg,
        lambda it: it.crop((37, 21, 447, 379)),
        lambda it: jpeg(it.crop((11, 3, 421, 361))),
        lambda it: it.resize((it.width * 2, it.height * 2), Image.Resampling.BICUBIC),
    ],
    ids=["as it is", "jpeg 75", "crop", "crop and jpeg", "twice as large"],
)
def test_it_is_read_again(draw, after):
    assert watermark.read(after(watermark.embed(draw(), NUMBER))) == NUMBER


@pytest.mark.parametrize(
    "draw", [flat, busy, lambda: Image.new("RGB", (300, 200), "white"), lambda: Image.new("RGB", (300, 200))]
)
def test_who_paints_into_a_still_again_and_again_never_sees_it(draw):
    """What was not painted over stays as it is, bit for bit; what was is marked."""
    first = watermark.embed(draw(), NUMBER)
    assert watermark.embed(first, NUMBER).tobytes() == first.tobytes()
    painted = first.copy()
    ImageDraw.Draw(painted).rectangle((128, 0, 255, 127), fill=(90, 120, 60))
    again = watermark.embed(painted, NUMBER)
    changed = ImageChops.difference(painted, again)
    assert changed.getbbox() == (128, 0, 256, 128)
    assert all(most <= watermark.MOST for _, most in changed.getextrema())
    # Somebody else's mark is no reason to leave ours out.
    assert watermark.embed(first, NUMBER ^ 0xFFFF).tobytes() != first.tobytes()


@pytest.mark.parametrize("number", [0, 1, 0x8000, 0xFFFF])
def test_every_number_can_be_said(number):
    assert watermark.read(watermark.embed(flat(), number)) == number


@pytest.mark.parametrize(
    "picture", [flat(), busy(), Image.new("RGB", (256, 256)), Image.new("RGB", (256, 256), "white")]
)
def test_there_is_none_where_none_was_made(picture):
    assert watermark.read(picture) is None


def test_nobody_sees_it():
    for picture in (flat(), busy()):
        before, after = (np.asarray(it, float) for it in (picture, watermark.embed(picture, NUMBER)))
        assert np.abs(after - before).max() <= watermark.MOST + 1
        assert 10 * np.log10(255**2 / np.mean((after - before) ** 2)) > 38


def test_the_same_picture_gets_the_same_pixels():
    assert watermark.embed(busy(), 7).tobytes() == watermark.embed(busy(), 7).tobytes()


def test_what_holds_no_tile_is_left_alone():
    small = Image.new("RGB", (watermark.LEAST_SIDE - 1, 512), "red")
    assert watermark.embed(small, 1) is small
    assert watermark.read(small) is None
