"""Pictures a still begins from: stills of the own library by id, one-bit masks, and nothing painted elsewhere."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record

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


class Source(Asked, frozen=True):
    """A still of this library that the new one begins from."""

    asset_id: Id
    strength: Strength = STRENGTH


class Rect(Asked, frozen=True):
    """A rectangle in the still that is made, in pixels from its top left corner."""

    x: Place
    y: Place
    width: Extent
    height: Extent


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


class Control(Asked, frozen=True):
    """A still of this library that guides the new one through a ControlNet, from `start` to `end` of the steps."""

    asset_id: Id
    model: Name
    scale: Scale = 1.0
    start: Part = 0.0
    end: Part = 1.0


class SourceUse(Record, frozen=True):
    """The very file that a still began from."""

    asset_id: str
    sha256: str
    strength: float


class ControlUse(Record, frozen=True):
    """The very file and the very weights that guided a still."""

    asset_id: str
    sha256: str
    model: str
    model_sha256: str
    scale: float
    start: float
    end: float


class PartUse(Record, frozen=True):
    """A part of a model that was taken from elsewhere, by name and weights."""

    name: str
    sha256: str
