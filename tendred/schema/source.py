"""Pictures a still begins from: stills of the own library by id, one-bit masks, and nothing painted elsewhere."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record
from tendred.schema.stroke import STROKES, Stroke

RECTS: Final = 64
RUNS: Final = 16_384
"""A mask holds at most so many runs; with the settings around it, it still fits into the marks of a JPEG."""
REGIONS: Final = 64
"""A mask has at most so many connected regions: enough for hands and faces, too few to draw a picture with dots."""
FEATHER: Final = 64
CONTROLS: Final = 3
STRENGTH: Final = 0.6

Place = Annotated[int, Meta(ge=0, le=4095, description="Pixels from the left or from the top.")]
Extent = Annotated[int, Meta(ge=1, le=4096, description="Pixels.")]
Strength = Annotated[
    float, Meta(ge=0.01, le=1, description="How far it may go from what it begins with; 1 keeps almost nothing.")
]
Scale = Annotated[float, Meta(ge=0, le=2, description="How strongly it guides.")]
Part = Annotated[float, Meta(ge=0, le=1, description="A share of the steps.")]
Run = Annotated[int, Meta(ge=0, le=4096 * 4096)]


Turn = Literal[0, 90, 180, 270]


class Rect(Asked, frozen=True):
    """A rectangle in a still, in pixels from its top left corner."""

    x: Place
    y: Place
    width: Extent
    height: Extent


class Arranged(Asked, frozen=True):
    """A still of this library as it is used: no pixels come from outside.

    First `crop`, then `mirror`, then `turn`, then fitted to the still that is made, and painted over last.
    """

    asset_id: Id
    crop: Annotated[Rect, Meta(description="Only this part of it.")] | None = None
    mirror: Annotated[bool, Meta(description="Left becomes right.")] = False
    turn: Annotated[Turn, Meta(description="Degrees, clockwise.")] = 0
    strokes: Annotated[list[Stroke], Meta(max_length=STROKES, description="Painted over it, the last on top.")] = []


class Source(Arranged, frozen=True, kw_only=True):
    """A still of this library that the new one begins from."""

    strength: Strength = STRENGTH


class Mask(Asked, frozen=True):
    """Which pixels are made anew: one bit for each, as rectangles or as runs.

    `runs` go row by row from the top: so many pixels kept, so many made anew, so many kept, ...; the first may be 0.
    They need `width` and `height`, which are those of the still. `feather` softens the edge afterwards, over so many
    pixels to either side; the mask itself is never soft.
    """

    rects: Annotated[list[Rect], Meta(max_length=RECTS)] = []
    runs: Annotated[list[Run], Meta(max_length=RUNS)] = []
    width: Extent | None = None
    height: Extent | None = None
    feather: Annotated[int, Meta(ge=0, le=FEATHER)] = 0


class Control(Arranged, frozen=True, kw_only=True):
    """A still of this library that guides the new one through a ControlNet, from `start` to `end` of the steps."""

    model: Name
    scale: Scale = 1.0
    start: Part = 0.0
    end: Part = 1.0


class ArrangedUse(Record, frozen=True):
    """The very file, and how it was used. `strokes` is the hash of their document; null: nothing was painted."""

    asset_id: str
    sha256: str
    crop: Rect | None = None
    mirror: bool = False
    turn: Turn = 0
    strokes: str | None = None


class SourceUse(ArrangedUse, frozen=True, kw_only=True):
    """The very file that a still began from."""

    strength: float


class ControlUse(ArrangedUse, frozen=True, kw_only=True):
    """The very file and the very weights that guided a still."""

    model: str
    model_sha256: str
    scale: float
    start: float
    end: float


class PartUse(Record, frozen=True):
    """A part of a model that was taken from elsewhere, by name and weights."""

    name: str
    sha256: str
