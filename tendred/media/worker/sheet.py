"""A contact sheet: pictures of the library in rows, each with its label below."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from tendred.errors import StillNotOurs
from tendred.media.worker.encode import write
from tendred.schema.work import Cell, Compose, Composed

__all__ = ["JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin", "compose"]  # the plug-ins register by being there

CELL: Final = 256
"""A picture's longer side on a sheet, in pixels."""
SMALLEST: Final = 64
LONGEST: Final = 8192
"""Of the sheet's sides, in pixels: what every viewer and every format takes."""
_GAP: Final = 12
_TEXT: Final = 14
_TITLE: Final = 22
_LEADING: Final = 1.5
_PAPER: Final = (24, 24, 27)
_INK: Final = (228, 228, 231)
_FORMATS: Final = ("PNG", "JPEG", "WEBP")


def compose(work: Compose) -> Composed:
    """Draw the sheet and write its raw pixels to the target.

    Raises StillNotOurs for a file that isn't the one that was made here, DiskFull, FolderUnwritable.
    """
    side = _side(len(work.cells), work.columns)
    pictures = [_small(cell, side) for cell in work.cells]
    sheet = _sheet(work, pictures)
    data = sheet.tobytes()
    write(Path(work.target), data)
    width, height = sheet.size
    return Composed(path=work.target, width=width, height=height, pixels_sha256=hashlib.sha256(data).hexdigest())


def _side(count: int, columns: int) -> int:
    """How large a picture may be, so that the sheet stays within bounds."""
    rows = -(-count // columns)
    room = min((LONGEST - _GAP) // columns - _GAP, (LONGEST - 2 * _GAP - _line(_TITLE)) // rows - _GAP - _line(_TEXT))
    return max(SMALLEST, min(CELL, room))


def _small(cell: Cell, side: int) -> Image.Image:
    """The picture at its size on the sheet. Pixels from elsewhere have no way in: the file must be the one we made."""
    try:
        with open(os.open(cell.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            data = file.read()
    except OSError:
        raise StillNotOurs(asset_id=cell.asset_id) from None
    if hashlib.sha256(data).hexdigest() != cell.sha256:
        raise StillNotOurs(asset_id=cell.asset_id)
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as picture:
            small = picture.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        raise StillNotOurs(asset_id=cell.asset_id) from None
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return small


def _sheet(work: Compose, pictures: list[Image.Image]) -> Image.Image:
    wide = max(picture.width for picture in pictures)
    high = max(picture.height for picture in pictures)
    words = _line(_TEXT) if any(cell.label for cell in work.cells) else 0
    head = _GAP + _line(_TITLE) if work.title else 0
    rows = -(-len(pictures) // work.columns)
    columns = min(work.columns, len(pictures))
    size = (_GAP + columns * (wide + _GAP), head + _GAP + rows * (high + words + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    if work.title:
        _write(pen, (_GAP, _GAP), work.title, size[0] - 2 * _GAP, _TITLE)
    places = _places(len(pictures), work.columns, wide + _GAP, high + words + _GAP)
    for cell, picture, (x, y) in zip(work.cells, pictures, places, strict=True):
        left, top = _GAP + x, head + _GAP + y
        sheet.paste(picture, (left + (wide - picture.width) // 2, top + (high - picture.height) // 2))
        _write(pen, (left, top + high + (_line(_TEXT) - _TEXT) // 2), cell.label, wide, _TEXT)
    return sheet


def _places(count: int, columns: int, wide: int, high: int) -> Iterator[tuple[int, int]]:
    for place in range(count):
        row, column = divmod(place, columns)
        yield column * wide, row * high


def _line(size: int) -> int:
    """How high a line of text is."""
    return round(size * _LEADING)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, room: int, size: int) -> None:
    """One line, cut where it would be too long."""
    font = ImageFont.load_default(size)
    plain = " ".join(text.split())
    if isinstance(font, ImageFont.ImageFont):
        # Pillow without FreeType has a font for Latin-1 only.
        plain = plain.encode("latin-1", "replace").decode("latin-1")
    shown = plain
    while shown and pen.textlength(shown, font) > room:
        plain = plain[:-1]
        shown = plain.rstrip() + ("…" if isinstance(font, ImageFont.FreeTypeFont) else "...")
        if not plain:
            return
    pen.text(at, shown, _INK, font)
