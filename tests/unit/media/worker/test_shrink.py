from io import BytesIO

import pytest
from PIL import Image

from tendred.errors import OutputWithheld
from tendred.media.worker import marking
from tendred.media.worker import shrink as shrinking
from tendred.media.worker.checks import Checker
from tendred.schema.work import Shrink
from tendred.testing.marks import NoRed

RED_THEN_BLUE = b"\xff\0\0" * 64 * 16 + b"\0\0\xff" * 64 * 16


def shrink(order, check=None):
    return shrinking.shrink(order, check or Checker())


def work(**changes):
    return Shrink(**{"rgb": RED_THEN_BLUE, "width": 64, "height": 32, "side": 256, "form": "jpeg", **changes})


def test_a_jpeg_is_small_and_marked():
    made = shrink(work())
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 64, 32)
    with Image.open(BytesIO(made.data), formats=("JPEG",)) as picture:
        assert picture.size == (64, 32)
        red, blue = picture.getpixel((32, 2)), picture.getpixel((32, 29))
        assert marking.SOURCE_TYPE.encode() in picture.info["xmp"]
    assert (red[0] > 200, red[2] < 60) == (True, True)
    assert (blue[2] > 200, blue[0] < 60) == (True, True)


def test_plain_pixels_are_plain():
    made = shrink(work(form="ppm"))
    assert made.data == b"P6\n64 32\n255\n" + RED_THEN_BLUE
    assert made.media_type == "image/x-portable-pixmap"


@pytest.mark.parametrize(("side", "size"), [(16, (16, 8)), (8, (8, 4)), (64, (64, 32)), (63, (63, 32))])
def test_neither_side_is_longer_than_asked(side, size):
    made = shrink(work(form="ppm", side=side))
    assert (made.width, made.height) == size
    assert len(made.data) == len(b"P6\n%d %d\n255\n" % size) + size[0] * size[1] * 3


def test_a_thin_one_keeps_a_pixel():
    made = shrink(work(rgb=bytes(256 * 3), width=256, height=1, side=8, form="ppm"))
    assert (made.width, made.height) == (8, 1)


def test_too_few_bytes_are_no_picture():
    with pytest.raises(ValueError, match="not enough image data"):
        shrink(work(width=65))


@pytest.mark.parametrize("form", ["jpeg", "ppm"])
def test_a_preview_is_looked_at_like_any_picture(form):
    with pytest.raises(OutputWithheld):
        shrink(work(form=form), Checker(NoRed()))
    assert shrink(work(form=form, rgb=bytes(64 * 32 * 3)), Checker(NoRed())).data
