"""Masks: one bit for each pixel, of few pieces. A soft one, or one of a million dots, would be a picture by another name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from tendred.errors import InvalidParams
from tendred.schema.source import REGIONS, Mask, Rect

Row = list[tuple[int, int, bool]]
"""Pieces of one row from left to right: `[start, end)`, and whether it is made anew."""


def settled(mask: Mask, width: int, height: int) -> Mask:
    """The mask with the still's size in it. Raises InvalidParams for one that doesn't fit, or is of too many pieces."""
    if bool(mask.rects) == bool(mask.runs):
        raise _wrong("it needs rects or runs, and not both")
    if (mask.width, mask.height) not in {(None, None), (width, height)}:
        raise InvalidParams(
            "mask_size", path="mask", width=mask.width, height=mask.height, still_width=width, still_height=height
        )
    if mask.rects:
        for number, rect in enumerate(mask.rects):
            if rect.x + rect.width > width or rect.y + rect.height > height:
                raise InvalidParams(path=f"mask.rects[{number}]", problem=f"it reaches out of {width} x {height}")
        _check_pieces(bands(mask.rects, width, height))
    else:
        _check_runs(mask, width, height)
    return replace(mask, width=width, height=height)


def rows(runs: list[int], width: int) -> Iterator[Row]:
    """The runs cut into rows."""
    row: Row = []
    at, anew = 0, False
    for run in runs:
        left = run
        while left > 0:
            piece = min(left, width - at)
            row.append((at, at + piece, anew))
            at, left = at + piece, left - piece
            if at == width:
                yield row
                row, at = [], 0
        anew = not anew


def bands(rects: list[Rect], width: int, height: int) -> Iterator[Row]:
    """The rows of a mask of rectangles that differ from the one above: what lies between them is the same again."""
    edges = sorted({0, height, *(rect.y for rect in rects), *(rect.y + rect.height for rect in rects)})
    for top in edges[:-1]:
        row: Row = []
        at = 0
        for rect in sorted((rect for rect in rects if rect.y <= top < rect.y + rect.height), key=lambda rect: rect.x):
            end = rect.x + rect.width
            if rect.x > at or not row:
                row += [(at, rect.x, False)] * (rect.x > at) + [(rect.x, end, True)]
            elif end > at:
                row[-1] = (row[-1][0], end, True)
            at = max(at, end)
        yield [*row, (at, width, False)] if at < width else row


def regions(cut: Iterable[Row]) -> tuple[int, int]:
    """How many connected pieces of these rows are made anew, and how many are kept. Corners that touch don't connect."""
    parents: list[int] = []
    kinds: list[bool] = []

    def top(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    above: list[tuple[int, int, bool, int]] = []
    for row in cut:
        here: list[tuple[int, int, bool, int]] = []
        first = 0
        for start, end, anew in row:
            node = len(parents)
            parents.append(node)
            kinds.append(anew)
            here.append((start, end, anew, node))
            while first < len(above) and above[first][1] <= start:
                first += 1
            for _, _, _, other in (piece for piece in _over(above, first, end) if piece[2] == anew):
                parents[top(other)] = top(node)
        above = here
    roots = [kinds[node] for node, parent in enumerate(parents) if node == parent]
    return roots.count(True), roots.count(False)


def _over(above: list[tuple[int, int, bool, int]], first: int, end: int) -> Iterator[tuple[int, int, bool, int]]:
    """The pieces of the row above, from `first` on, that begin before `end`."""
    for piece in above[first:]:
        if piece[0] >= end:
            return
        yield piece


def _check_runs(mask: Mask, width: int, height: int) -> None:
    if mask.width is None or mask.height is None:
        raise _wrong("runs need its width and height")
    if 0 in mask.runs[1:]:
        raise _wrong("only the first run may be 0")
    if sum(mask.runs) != width * height:
        raise _wrong(f"its runs cover {sum(mask.runs)} pixels instead of {width * height}")
    if len(mask.runs) == 1:
        raise _wrong("it makes nothing anew")
    _check_pieces(rows(mask.runs, width))


def _check_pieces(cut: Iterable[Row]) -> None:
    if max(regions(cut)) > REGIONS:
        raise _wrong(f"it is of more than {REGIONS} pieces")


def _wrong(problem: str) -> InvalidParams:
    return InvalidParams(path="mask", problem=problem)
