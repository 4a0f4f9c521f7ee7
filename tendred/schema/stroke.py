"""What a person paints: lines of flat colour that the daemon draws itself, few and not too fine."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from tendred.schema.base import Asked, Record

STROKES: Final = 2_000
POINTS: Final = 200_000
COLOURS: Final = 64
SETS: Final = 64
"""So many times may be painted over a still and what it comes from: each is named in every still that follows."""
FINENESS: Final = 256
"""A stroke is at least this fraction of the short side wide. Finer, more or of more colours, they are a picture by another name."""

Point = Annotated[int, Meta(ge=-4096, le=8192)]
Width = Annotated[float, Meta(ge=0.25, le=4096, description="Pixels; at least 1/256 of the still's short side.")]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z", description="sRGB, like #c08040.")]


class Stroke(Asked, frozen=True):
    """A line through points of the still that is made, in pixels from its top left: x, y, x, y, ... One point is a dot."""

    colour: Colour
    width: Width
    points: Annotated[list[Point], Meta(min_length=2, max_length=2 * POINTS)]


class StrokesUse(Record, frozen=True):
    """Strokes that were painted, by the hash of their document (see library.strokes), and what counts of them."""

    sha256: str
    strokes: int
    points: int
    colours: list[str]
