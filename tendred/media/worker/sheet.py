"""A sheet: pictures of the library in their boxes, and words in theirs."""

from __future__ import annotations

import hashlib
import os
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from tendred.schema.sheet import Placed, SheetPlan, Written

PAPER: Final = (250, 250, 248)
EMPTY: Final = (232, 232, 228)
INK: Final = (40, 40, 40)
LETTERS: Final = (18, 14, 11)
"""Sizes of letters, the largest first; the first that fits is taken."""
_ELLIPSIS: Final = "…"
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_BYTES: Final = 256 * 1024 * 1024


def draw(plan: SheetPlan, width: int, height: int) -> Image.Image:
    """The whole. A picture that is not the one it was (another hash) or can't be read leaves its box empty."""
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for one in plan.pictures:
        _paste(sheet, pen, one)
    for label in plan.labels:
        _write(pen, label)
    return sheet


def _paste(sheet: Image.Image, pen: ImageDraw.ImageDraw, one: Placed) -> None:
    try:
        data = read(one.path, one.sha256)
        with Image.open(BytesIO(data), formats=_FORMATS) as picture:
            small = picture.convert("RGB").resize((one.width, one.height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        pen.rectangle((one.x, one.y, one.x + one.width - 1, one.y + one.height - 1), EMPTY)
        return
    sheet.paste(small, (one.x, one.y))


def read(path: str, sha256: str) -> bytes:
    """A picture of the library, if it is the very one. Raises ValueError, OSError."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        data = file.read(_BYTES)
    if hashlib.sha256(data).hexdigest() != sha256:
        # Somebody put other pixels there. None but our own may get into a picture of ours.
        raise ValueError(path)
    return data


def _write(pen: ImageDraw.ImageDraw, label: Written) -> None:
    """In the middle of its box's height; in smaller letters, and then cut, where it is too long."""
    text = " ".join(label.text.split())
    font = ImageFont.load_default(LETTERS[-1])
    for size in LETTERS:
        font = ImageFont.load_default(size)
        if pen.textlength(text, font) <= label.width:
            break
    else:
        while text and pen.textlength(text + _ELLIPSIS, font) > label.width:
            text = text[: min(len(text) - 1, int(len(text) * label.width / pen.textlength(text + _ELLIPSIS, font)) + 1)]
        text += _ELLIPSIS
    pen.text((label.x, label.y + label.height / 2), text, INK, font, anchor="lm")
