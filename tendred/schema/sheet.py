"""Sheets: many stills on one picture, with labels. A grid is a sheet whose cells are drawn for it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from tendred.schema.base import Asked, Id, Record
from tendred.schema.job import Job
from tendred.schema.still import Format, Lane, StillRequest, Tag

CELLS: Final = 256
"""Cells of a sheet at most."""
ROWS: Final = 80
"""More would leave no room for pictures beside their labels."""
VALUES: Final = 1_000
NO_AXIS: Final = frozenset({"count", "lane", "format", "tags", "keep_alive_s", "reproducible"})
"""Fields that change nothing in a picture, or make several of one."""


class Axis(Asked, frozen=True):
    """A field of `images.generate` and its values in turn.

    With `replace`, which only `prompt` and `negative_prompt` take, each value stands in the place of these words.
    """

    field: Annotated[str, Meta(min_length=1, max_length=64)]
    values: Annotated[list[Any], Meta(min_length=1, max_length=VALUES)]
    replace: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


class GridRequest(StillRequest, frozen=True, kw_only=True):
    """A still, and what is different from column to column (`x`) and from row to row (`y`)."""

    x: Axis
    y: Axis | None = None


Label = Annotated[str, Meta(max_length=120)]


class ContactRequest(Asked, frozen=True):
    """`library.sheet` as the client wrote it. `columns` null is about a square; `labels` null are the seeds."""

    asset_ids: Annotated[list[Id], Meta(min_length=1, max_length=CELLS, description="Pictures, in reading order.")]
    columns: Annotated[int, Meta(ge=1, le=32, description="Pictures in a row.")] | None = None
    labels: Annotated[list[Label], Meta(max_length=CELLS, description="One below each picture.")] | None = None
    title: Annotated[str, Meta(max_length=120, description="Above them all.")] = ""
    format: Format = "png"
    lane: Lane = "normal"
    tags: Annotated[list[Tag], Meta(max_length=32)] = []


class Cell(Record, frozen=True):
    """A place on a sheet, from the top left, and the job that draws it, or the asset that is there already."""

    x: int
    y: int
    job_id: str | None
    asset_id: str | None
    label: str | None


class SheetRequest(Record, frozen=True):
    """The final request of a job that makes a sheet. `seed` is that of the first cell."""

    title: str
    columns: list[str]
    rows: list[str]
    cells: list[Cell]
    format: Format
    lane: Lane
    tags: list[str]
    seed: int


class Grid(Record, frozen=True):
    """The job that makes the sheet once its cells have ended, and the cells, whose jobs make stills like any other."""

    job: Job
    cells: list[Cell]
    deduplicated: bool


class Placed(Record, frozen=True):
    """A picture of the library and its box on a sheet, in pixels from the top left. It must hash to `sha256`."""

    path: str
    sha256: str
    x: int
    y: int
    width: int
    height: int


class Written(Record, frozen=True):
    """Words in a box on a sheet, cut to fit."""

    text: str
    x: int
    y: int
    width: int
    height: int


class SheetPlan(Record, frozen=True):
    """What stands where."""

    pictures: list[Placed]
    labels: list[Written]
