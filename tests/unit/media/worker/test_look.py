"""Pictures of clips."""

from __future__ import annotations

import pytest

pytest.importorskip("av")

import numpy as np
from PIL import Image

from tendred.errors import ClipUnreadable
from tendred.media.worker.footage import probe
from tendred.media.worker.look import CELL, GAP, MOMENTS, WAVE, look
from tendred.schema.footage import Look, Take
from tendred.testing.drawn import Drawn, draw

WHAT = Drawn(width=320, height=192, seconds=1.0)


@pytest.fixture
def clip(tmp_path):
    return draw(tmp_path / "a.mp4", WHAT)


def take(path, label="take 1"):
    return Take(path=str(path), sha256=probe(str(path)).sha256, label=label)


def seen(tmp_path, kind, *takes):
    made = look(Look(kind=kind, takes=list(takes), target=str(tmp_path / "x.webp")))
    with Image.open(tmp_path / "x.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (made.width, made.height))
        assert b"trainedAlgorithmicMedia" in picture.info["xmp"]
        return picture.convert("RGB")


def marker(picture):
    """Where the yellow square begins, as a share of the width; None where there is none."""
    pixels = np.asarray(picture).astype(int)
    yellow = (pixels[..., 0] > 200) & (pixels[..., 1] > 190) & (pixels[..., 2] < 110)
    columns = np.flatnonzero(yellow.any(axis=0))
    return None if not columns.size else columns[0] / picture.width


def test_a_poster_shows_what_is_a_third_of_the_way_in(tmp_path, clip):
    poster = seen(tmp_path, "poster", take(clip))
    assert poster.size == (320, 192)
    # Of 24 pictures the eighth (from 0): two thirds of the way to the right edge.
    assert marker(poster) == pytest.approx(8 / 24 / 0.5 * (320 - 24) / 320, abs=0.02)


def test_a_wave_is_high_where_it_clicks(tmp_path, clip):
    wave = np.asarray(seen(tmp_path, "waveform", take(clip))).astype(int)
    assert wave.shape == (WAVE[1], WAVE[0], 3)
    blue = (wave[..., 2] > wave[..., 0] + 25).sum(axis=0)
    loud = np.flatnonzero(blue > WAVE[1] / 2)
    length = WAVE[0] * 0.5 / (probe(str(clip)).sound.samples / WHAT.rate)
    assert loud.size
    assert {round(column / length) for column in loud} <= {0, 1, 2}
    silent = draw(tmp_path / "b.mp4", Drawn(width=64, height=64, seconds=0.5, sound=False))
    flat = np.asarray(seen(tmp_path, "waveform", take(silent))).astype(int)
    assert ((flat[..., 2] > flat[..., 0] + 25).sum(axis=0) > 3).sum() == 0


def test_a_sheet_shows_the_first_and_the_last_picture(tmp_path, clip):
    sheet = seen(tmp_path, "sheet", take(clip, "a very long title " * 20))
    wide, high = min(CELL, 320), 192
    columns, rows = MOMENTS
    assert sheet.width == columns * (wide + GAP) + GAP
    top = 28 + GAP
    first = sheet.crop((GAP, top, GAP + wide, top + high))
    assert marker(first) == pytest.approx(0, abs=0.02)
    step = high + 28 + GAP
    places = [
        marker(
            sheet.crop(
                (
                    GAP + column * (wide + GAP),
                    top + row * step,
                    GAP + column * (wide + GAP) + wide,
                    top + row * step + high,
                )
            )
        )
        for row in range(rows)
        for column in range(columns)
    ]
    # To the right edge and back, picture by picture.
    turn = places.index(max(places))
    assert places[: turn + 1] == sorted(places[: turn + 1])
    assert places[turn:] == sorted(places[turn:], reverse=True)


def test_two_takes_stand_beside_each_other(tmp_path, clip):
    other = draw(tmp_path / "b.mp4", Drawn(width=192, height=320, seconds=0.5))
    both = seen(tmp_path, "compare", take(clip, "take 1"), take(other, "take 2"))
    assert both.width == 320 + 192 + 3 * GAP
    assert marker(both.crop((0, 0, 320 + GAP, both.height))) is not None
    assert marker(both.crop((320 + GAP, 0, both.width, both.height))) is not None


def test_another_file_than_was_meant_is_not_shown(tmp_path, clip):
    with pytest.raises(ClipUnreadable):
        look(
            Look(
                kind="poster", takes=[Take(path=str(clip), sha256="0" * 64, label="")], target=str(tmp_path / "x.webp")
            )
        )
    assert not (tmp_path / "x.webp").exists()
