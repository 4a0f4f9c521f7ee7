"""What people paint and send as a mask, drawn by the worker's own code: no torch is needed for it.

The first half is how it looks. The second are the two ways to bring any photograph in through own stills (a soft mask, a
million strokes): shown to work where there is no limit, and then at every limit.
"""

from __future__ import annotations

from itertools import groupby

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageFilter

from tendred.core.masks import regions, rows, settled
from tendred.core.strokes import painting
from tendred.engine.worker.brush import painted
from tendred.engine.worker.pictures import arranged, bits, laid_over
from tendred.errors import InvalidParams
from tendred.library.strokes import document
from tendred.schema.decode import convert
from tendred.schema.sealed import OwnStill
from tendred.schema.source import FEATHER, REGIONS, RUNS, ArrangedUse, Mask, Rect, Source
from tendred.schema.still import StillRequest
from tendred.schema.stroke import COLOURS, STROKES, Stroke

SIDE = 64
WHITE, BLACK = Image.new("RGB", (SIDE, SIDE), "white"), Image.new("RGB", (SIDE, SIDE), "black")


def stroke(colour, width, *points):
    return Stroke(colour=colour, width=width, points=[*points])


def drawn(still, *strokes):
    return np.asarray(painted(still, document([*strokes])[0]))


def use(**fields):
    return ArrangedUse(asset_id="ast_1", sha256="", **fields)


# -- how it looks


def test_a_stroke_is_flat():
    seen = drawn(WHITE, stroke("#204060", 9.0, 5, 5, 60, 40, 10, 60))
    assert {tuple(pixel) for row in seen for pixel in row} == {(255, 255, 255), (0x20, 0x40, 0x60)}


@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_a_stroke_is_as_wide_as_it_says_and_never_finer(width):
    for asked in (float(width), width - 0.5):
        column = drawn(WHITE, stroke("#000000", asked, 10, 30, 54, 30))[:, 32, 0]
        assert (column == 0).sum() == width


def test_one_point_is_a_dot():
    seen = drawn(WHITE, stroke("#000000", 1.0, 5, 7), stroke("#ff0000", 6.0, 40, 40))
    assert tuple(seen[7, 5]) == (0, 0, 0)
    assert tuple(seen[40, 40]) == (255, 0, 0)
    ys, xs = np.nonzero(seen[:, :, 1] == 0)
    red = (ys > 20) & (xs > 20)
    assert np.ptp(ys[red]) == np.ptp(xs[red]) == 5


def test_the_last_is_on_top_and_the_still_below_is_untouched():
    still = BLACK.copy()
    seen = drawn(still, stroke("#ff0000", 8.0, 0, 32, 63, 32), stroke("#00ff00", 8.0, 32, 0, 32, 63))
    assert tuple(seen[32, 32]) == (0, 255, 0)
    assert still.getextrema() == ((0, 0), (0, 0), (0, 0))


def test_a_still_is_cropped_then_mirrored_then_turned():
    still = Image.fromarray(np.arange(6 * 4 * 3, dtype="uint8").reshape(6, 4, 3))
    pixels = np.asarray(still)
    assert np.array_equal(arranged(still, use()), pixels)
    part = pixels[2:5, 1:4]
    assert np.array_equal(arranged(still, use(crop=Rect(x=1, y=2, width=3, height=3))), part)
    assert np.array_equal(arranged(still, use(mirror=True)), pixels[:, ::-1])
    for turn, quarters in ((90, -1), (180, 2), (270, 1)):
        assert np.array_equal(arranged(still, use(turn=turn)), np.rot90(pixels, quarters))
    whole = use(crop=Rect(x=1, y=2, width=3, height=3), mirror=True, turn=90)
    assert np.array_equal(arranged(still, whole), np.rot90(part[:, ::-1], -1))


# -- a photograph through a mask


@pytest.fixture(scope="module")
def photograph():
    """Noise of every size, as a photograph has it; grey, `(SIDE, SIDE)`. Nobody is on it, and it can't be guessed."""
    dice = np.random.default_rng(1)
    sum_ = np.zeros((SIDE, SIDE))
    for cells in (4, 8, 16, 32, 64):
        coarse = dice.normal(size=(cells, cells)) / cells**0.5
        sum_ += np.asarray(Image.fromarray(coarse.astype("float32")).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    low, high = sum_.min(), sum_.max()
    return ((sum_ - low) / (high - low) * 255).round().astype("uint8")


def runs_of(anew):
    """A drawing of booleans as runs."""
    flat = anew.reshape(-1).tolist()
    runs = [len([*same]) for _, same in groupby(flat)]
    return [0, *runs] if flat[0] else runs


def likeness(seen, photograph):
    """How much of what varies in the photograph is seen: 1 is all of it."""
    return float(np.corrcoef(np.asarray(seen, "float64").reshape(-1), photograph.reshape(-1))[0, 1] ** 2)


def test_with_a_soft_mask_two_stills_of_ours_are_any_photograph(photograph):
    white = np.ones((SIDE, SIDE, 3), "float32")
    got = laid_over(white, BLACK, photograph, 0) * 255
    assert np.array_equal(got.round().astype("uint8")[..., 0], photograph)


@pytest.mark.parametrize(
    "soft",
    [
        {"runs": [0.5, 63.5]},
        {"runs": [32, 32], "levels": [0, 128]},
        {"rects": [{"x": 0, "y": 0, "width": 8, "height": 8, "opacity": 0.5}]},
        {"data": "iVBORw0KGgo="},
        {"asset_id": "ast_1"},
        {"runs": [1] * (RUNS + 1), "width": SIDE, "height": SIDE},
        {"rects": [{"x": 0, "y": 0, "width": 8, "height": 8}] * 65},
        {"rects": [{"x": 0, "y": 0, "width": 8, "height": 8}], "feather": FEATHER + 1},
        {"rects": [{"x": 0, "y": 0, "width": 8, "height": 8}], "feather": [0.1, 0.9]},
    ],
)
def test_a_mask_has_no_place_for_anything_between(soft):
    with pytest.raises(InvalidParams):
        convert({"prompt": "hills", "image": {"asset_id": "ast_1"}, "mask": soft}, StillRequest)


def test_what_arrives_is_one_bit(photograph):
    runs = runs_of(photograph > np.median(photograph))
    assert set(np.unique(bits(Mask(runs=runs, width=SIDE, height=SIDE), SIDE, SIDE))) == {0, 255}


def test_a_photograph_in_dots_is_refused(photograph):
    runs = runs_of(photograph > np.median(photograph))
    assert max(regions(rows(runs, SIDE))) > REGIONS
    with pytest.raises(InvalidParams) as caught:
        settled(Mask(runs=runs, width=SIDE, height=SIDE), SIDE, SIDE)
    assert str(REGIONS) in caught.value.detail["problem"]


def test_what_fits_into_a_mask_is_not_the_photograph(photograph):
    """The best that we know how to send: smoothed until it is of few enough pieces, with every feather."""
    blurred = Image.fromarray(photograph)
    for radius in np.arange(0, 16, 0.5):
        seen = np.asarray(blurred.filter(ImageFilter.GaussianBlur(float(radius))), "float64")
        runs = runs_of(seen > np.median(seen))
        if max(regions(rows(runs, SIDE))) <= REGIONS:
            break
    mask = bits(settled(Mask(runs=runs, width=SIDE, height=SIDE), SIDE, SIDE), SIDE, SIDE)
    white = np.ones((SIDE, SIDE, 3), "float32")
    exact = [laid_over(white, BLACK, mask, feather)[..., 0] * 255 for feather in range(0, FEATHER + 1, 4)]
    assert max(float((one.round() == photograph).mean()) for one in exact) < 0.05
    assert max(likeness(one, photograph) for one in exact) < 0.9
    assert likeness(photograph, photograph) == pytest.approx(1)


# -- a photograph in strokes


def dots(photograph):
    """A stroke a pixel."""
    return [
        stroke(f"#{value:02x}{value:02x}{value:02x}", 1.0, x, y)
        for y, row in enumerate(photograph.tolist())
        for x, value in enumerate(row)
    ]


def asked(strokes):
    return StillRequest(prompt="hills", image=Source(asset_id="ast_1", strokes=[*strokes]))


def test_with_a_stroke_for_each_pixel_a_still_of_ours_is_any_photograph(photograph):
    assert np.array_equal(drawn(BLACK, *dots(photograph))[..., 0], photograph)


def test_a_million_strokes_are_refused_before_they_are_looked_at():
    dot = {"colour": "#000000", "width": 1, "points": [1, 1]}
    with pytest.raises(InvalidParams) as caught:
        convert({"prompt": "hills", "image": {"asset_id": "ast_1", "strokes": [dot] * 1_000_000}}, StillRequest)
    assert caught.value.path == "image.strokes"


def test_in_instalments_it_is_refused_too(photograph):
    """Each part painted on what the part before was painted on: all of them count."""
    coarse = (photograph // 16 * 16).astype("uint8")
    left, painted_, accepted = dots(coarse), [], 0
    with pytest.raises(InvalidParams) as caught:
        while left:
            still = OwnStill(
                asset_id="ast_1", path="", sha256="", width=SIDE, height=SIDE, words="", anchor=None, painted=painted_
            )
            painted_ = painting(asked(left[:500]), [still], SIDE, SIDE).painted
            left, accepted = left[500:], accepted + 500
    assert "strokes" in caught.value.detail["problem"]
    assert accepted <= STROKES < SIDE * SIDE


def test_what_fits_into_strokes_is_not_the_photograph(photograph):
    levels = 256 // COLOURS
    coarse = (photograph // levels * levels).astype("uint8")
    runs = [
        (value, len([*same])) for row in coarse.tolist() for value, same in groupby(row)
    ]  # strokes along the rows, the longest first
    assert len(runs) > STROKES
    lines, x, y = [], 0, 0
    for value, length in runs:
        lines.append((length, stroke(f"#{value:02x}{value:02x}{value:02x}", 1.0, x, y, x + length - 1, y)))
        x += length
        x, y = (0, y + 1) if x == SIDE else (x, y)
    kept = [one for _, one in sorted(lines, key=lambda line: -line[0])[:STROKES]]
    assert painting(asked(kept), [], SIDE, SIDE).painted
    seen = drawn(Image.new("RGB", (SIDE, SIDE), "#808080"), *kept)[..., 0]
    assert float((seen == photograph).mean()) < 0.5


def test_on_a_large_still_a_stroke_is_too_wide_for_a_photograph():
    with pytest.raises(InvalidParams) as caught:
        painting(asked([stroke("#000000", 1.0, 1, 1)]), [], 1024, 1024)
    assert caught.value.path == "image.strokes[0].width"
    assert msgspec.structs.asdict(stroke("#000000", 4.0, 1, 1))["width"] * 256 == 1024
