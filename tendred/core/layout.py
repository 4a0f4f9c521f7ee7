"""Where everything stands on a sheet, in pixels. Pure: the media process only draws what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tendred.schema.asset import Asset
from tendred.schema.sheet import Placed, SheetPlan, SheetRequest, Written

SIDE: Final = 6144
"""Pixels of a sheet's longer side at most; a PNG of that is written in seconds."""
CELL: Final = 512
"""Pixels of a cell's longer side at most: a sheet is looked at, its cells are in the library."""
LEAST: Final = 8
GAP: Final = 8
LINE: Final = 28
ROWS_WIDE: Final = 180
"""Pixels for the labels of the rows."""


class Layout(NamedTuple):
    """A plan and the size of the whole."""

    plan: SheetPlan
    width: int
    height: int


def lay_out(
    sheet: SheetRequest, there: Mapping[tuple[int, int], Asset], missing: Mapping[tuple[int, int], str]
) -> Layout:
    """Columns and rows of equal cells; pictures keep their shape. `missing` says in words why there is no picture."""
    columns = max((cell.x for cell in sheet.cells), default=0) + 1
    rows = max((cell.y for cell in sheet.cells), default=0) + 1
    left = ROWS_WIDE + GAP if any(sheet.rows) else 0
    top = LINE + GAP + (LINE if any(sheet.columns) else 0)
    foot = LINE if any(cell.label for cell in sheet.cells) else 0
    wide, high = _cell(there, (SIDE - left - GAP) // columns - GAP, (SIDE - top) // rows - GAP - foot)

    def corner(x: int, y: int) -> tuple[int, int]:
        return left + GAP + x * (wide + GAP), top + y * (high + foot + GAP)

    width, height = corner(columns, 0)[0], corner(0, rows)[1]
    labels = [Written(text=sheet.title, x=GAP, y=GAP // 2, width=width - 2 * GAP, height=LINE)]
    for x, text in enumerate(sheet.columns):
        labels.append(Written(text=text, x=corner(x, 0)[0], y=LINE + GAP // 2, width=wide, height=LINE))
    for y, text in enumerate(sheet.rows):
        labels.append(Written(text=text, x=GAP, y=corner(0, y)[1], width=ROWS_WIDE, height=high))
    pictures: list[Placed] = []
    for cell in sheet.cells:
        x, y = corner(cell.x, cell.y)
        if cell.label:
            labels.append(Written(text=cell.label, x=x, y=y + high, width=wide, height=LINE))
        if asset := there.get((cell.x, cell.y)):
            pictures.append(_placed(asset, x, y, wide, high))
        else:
            text = missing.get((cell.x, cell.y), "")
            labels.append(Written(text=text, x=x, y=y, width=wide, height=high))
    return Layout(SheetPlan(pictures=pictures, labels=[label for label in labels if label.text]), width, height)


def _cell(there: Mapping[tuple[int, int], Asset], widest: int, highest: int) -> tuple[int, int]:
    """A cell's size: that of the largest picture, made smaller where it must be."""
    wide = max((asset.width for asset in there.values()), default=CELL)
    high = max((asset.height for asset in there.values()), default=CELL)
    scale = min(1.0, CELL / max(wide, high), widest / wide, highest / high)
    return max(LEAST, int(wide * scale)), max(LEAST, int(high * scale))


def _placed(asset: Asset, x: int, y: int, wide: int, high: int) -> Placed:
    """In the middle of its cell."""
    scale = min(1.0, wide / asset.width, high / asset.height)
    width, height = max(1, int(asset.width * scale)), max(1, int(asset.height * scale))
    return Placed(
        path=asset.path, sha256=asset.sha256, x=x + (wide - width) // 2, y=y + (high - height) // 2, width=width,
        height=height,
    )  # fmt: skip
