from __future__ import annotations

import io

import pytest

from tendred.cloud.mp4 import boxes, whole
from tendred.testing.cloud import box, movie

GOOD = movie("a")


def test_a_whole_file_and_its_boxes():
    assert whole(io.BytesIO(GOOD))
    assert boxes(io.BytesIO(GOOD)) == [b"ftyp", b"moov", b"mdat"]


@pytest.mark.parametrize("at", [1, 7, 8, 20, 100, len(GOOD) // 2, len(GOOD) - 1])
def test_a_truncated_file_is_none_wherever_it_ends(at):
    assert not whole(io.BytesIO(GOOD[:at]))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no movie at all", b"\0" * 64, GOOD + b"x", box(b"ftyp", b"") + box(b"mdat", b"x"),
        box(b"moov", b"") + box(b"ftyp", b"") + box(b"mdat", b""), b"<html>503</html>" * 20,
    ],
)  # fmt: skip
def test_what_is_no_movie(data):
    assert not whole(io.BytesIO(data))


def test_long_boxes_and_one_that_reaches_to_the_end():
    body = b"x" * 50
    long = (1).to_bytes(4, "big") + b"mdat" + (16 + len(body)).to_bytes(8, "big") + body
    last = (0).to_bytes(4, "big") + b"mdat" + body
    for mdat in (long, last):
        assert whole(io.BytesIO(box(b"ftyp", b"isom") + box(b"moov", b"m") + mdat))


def test_a_box_that_says_it_is_smaller_than_its_head():
    assert boxes(io.BytesIO((3).to_bytes(4, "big") + b"ftyp" + b"x" * 20)) is None
