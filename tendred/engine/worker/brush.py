"""What people painted, drawn here: flat colours without soft edges, so that a stroke is what it says and nothing else."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from PIL import Image, ImageDraw

from tendred.schema.stroke import Stroke

_STROKES: Final = msgspec.json.Decoder(list[Stroke])


def painted(still: Any, document: bytes) -> Any:
    """A copy of an RGB picture with the strokes of a document over it, the last on top."""
    canvas: Image.Image = still.copy()
    pen = ImageDraw.Draw(canvas)
    for stroke in _STROKES.decode(document):
        _draw(pen, stroke)
    return canvas


def _draw(pen: ImageDraw.ImageDraw, stroke: Stroke) -> None:
    xs, ys = stroke.points[::2], stroke.points[1::2]
    points = list(zip(xs, ys, strict=True))
    # Never narrower than asked for: the least width is a limit.
    width = math.ceil(stroke.width)
    if len(points) > 1:
        pen.line(points, fill=stroke.colour, width=width, joint="curve")
    before, after = width // 2, (width - 1) // 2
    for x, y in {points[0], points[-1]}:
        if width == 1:
            pen.point((x, y), fill=stroke.colour)  # an ellipse of one pixel is none
        else:
            pen.ellipse((x - before, y - before, x + after, y + after), fill=stroke.colour)
