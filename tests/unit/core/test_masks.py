import random

import pytest

from tendred.core.masks import bands, regions, rows, settled
from tendred.errors import InvalidParams
from tendred.schema.source import REGIONS, Mask, Rect


def runs_of(picture):
    """Runs of a drawing: `#` is made anew."""
    bits = [letter == "#" for line in picture for letter in line]
    runs, now = [], False
    count = 0
    for bit in bits:
        if bit == now:
            count += 1
        else:
            runs.append(count)
            now, count = bit, 1
    return [*runs, count]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (["....", "...."], (0, 1)),
        (["####", "####"], (1, 0)),
        (["#..#", "#..#"], (2, 1)),
        (["#..#", "####"], (1, 1)),
        (["#.#.", ".#.#"], (4, 4)),
        ([".##.", "#..#", ".##."], (4, 5)),
        (["####", "#..#", "####"], (1, 1)),
        (["###.", "...#", "####", "#..."], (2, 3)),
    ],
)
def test_pieces_are_counted_by_their_sides(picture, expected):
    assert regions(rows(runs_of(picture), len(picture[0]))) == expected


def flooded(grid):
    """The same count, the slow way."""
    height, width = len(grid), len(grid[0])
    seen, counts = set(), [0, 0]
    for y in range(height):
        for x in range(width):
            if (y, x) in seen:
                continue
            counts[grid[y][x] != "#"] += 1
            waiting = [(y, x)]
            while waiting:
                at = waiting.pop()
                if at in seen:
                    continue
                seen.add(at)
                steps = ((at[0] + dy, at[1] + dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)))
                waiting += [(b, a) for b, a in steps if 0 <= b < height and 0 <= a < width and grid[b][a] == grid[y][x]]
    return tuple(counts)


@pytest.mark.parametrize("seed", range(40))
def test_any_drawing_is_counted_as_a_flood_would(seed):
    dice = random.Random(seed)
    width, height = dice.randrange(1, 14), dice.randrange(1, 14)
    grid = ["".join("#" if dice.random() < 0.5 else "." for _ in range(width)) for _ in range(height)]
    assert regions(rows(runs_of(grid), width)) == flooded(grid)


def test_runs_are_cut_into_rows():
    assert list(rows([1, 4, 1], 3)) == [[(0, 1, False), (1, 3, True)], [(0, 2, True), (2, 3, False)]]


def test_a_mask_that_fits_gets_its_size():
    rects = settled(Mask(rects=[Rect(x=0, y=0, width=64, height=32)], feather=3), 64, 32)
    assert (rects.width, rects.height, rects.feather) == (64, 32, 3)
    runs = Mask(runs=[100, 28], width=16, height=8)
    assert settled(runs, 16, 8) == runs


@pytest.mark.parametrize(
    ("mask", "path", "words"),
    [
        (Mask(), "mask", "not both"),
        (Mask(rects=[Rect(x=0, y=0, width=1, height=1)], runs=[1, 1]), "mask", "not both"),
        (
            Mask(rects=[Rect(x=0, y=0, width=1, height=1), Rect(x=60, y=0, width=5, height=1)]),
            "mask.rects[1]",
            "64 x 64",
        ),
        (Mask(runs=[0, 4096]), "mask", "width and height"),
        (Mask(runs=[0, 4095], width=64, height=64), "mask", "4095 pixels"),
        (Mask(runs=[4096], width=64, height=64), "mask", "nothing anew"),
        (Mask(runs=[1, 0, 4095], width=64, height=64), "mask", "may be 0"),
    ],
)
def test_a_mask_that_does_not_fit_is_told(mask, path, words):
    with pytest.raises(InvalidParams) as caught:
        settled(mask, 64, 64)
    assert caught.value.path == path
    assert words in caught.value.detail["problem"]


def test_a_mask_of_another_size_is_told_with_both():
    with pytest.raises(InvalidParams) as caught:
        settled(Mask(runs=[0, 1024], width=32, height=32), 64, 64)
    assert caught.value.variant == "mask_size"
    assert [caught.value.detail[name] for name in ("width", "still_width")] == [32, 64]


def dots(count, width=256, height=64):
    """So many pixels, none beside another."""
    picture = [["."] * width for _ in range(height)]
    for number in range(count):
        picture[number * 2 // width * 2][number * 2 % width] = "#"
    return runs_of(picture)


def test_a_picture_made_of_dots_is_refused():
    assert settled(Mask(runs=dots(REGIONS), width=256, height=64), 256, 64)
    holes = dots(REGIONS + 1)
    # The first pixel is a dot; without its empty run, what was made anew is kept and the other way round.
    assert holes[0] == 0
    for runs in (holes, holes[1:]):
        with pytest.raises(InvalidParams) as caught:
            settled(Mask(runs=runs, width=256, height=64), 256, 64)
        assert str(REGIONS) in caught.value.detail["problem"]


def of_rects(rects, width, height):
    """The same drawing, pixel by pixel."""
    grid = [["."] * width for _ in range(height)]
    for rect in rects:
        for y in range(rect.y, rect.y + rect.height):
            grid[y][rect.x : rect.x + rect.width] = "#" * rect.width
    return ["".join(row) for row in grid]


@pytest.mark.parametrize("seed", range(40))
def test_rectangles_are_counted_as_a_flood_would(seed):
    dice = random.Random(seed)
    width, height = dice.randrange(2, 16), dice.randrange(2, 16)
    rects = []
    for _ in range(dice.randrange(1, 7)):
        x, y = dice.randrange(width), dice.randrange(height)
        rects.append(Rect(x=x, y=y, width=dice.randrange(1, width - x + 1), height=dice.randrange(1, height - y + 1)))
    assert regions(bands(rects, width, height)) == flooded(of_rects(rects, width, height))


def test_a_grating_of_rectangles_is_refused():
    bars = [Rect(x=0, y=2 * at, width=64, height=1) for at in range(16)]
    posts = [Rect(x=2 * at, y=0, width=1, height=64) for at in range(16)]
    assert settled(Mask(rects=bars), 64, 64)
    with pytest.raises(InvalidParams) as caught:
        settled(Mask(rects=[*bars, *posts]), 64, 64)
    assert str(REGIONS) in caught.value.detail["problem"]
