"""A contact sheet: pictures of the library side by side, with words below them."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record
from tendred.schema.still import Format, Lane, Tag

CELLS: Final = 256
"""A sheet holds at most so many pictures."""
ROWS: Final = 80
"""More would make it longer than some formats can hold."""
LABEL_CHARS: Final = 120

Label = Annotated[str, Meta(max_length=LABEL_CHARS)]


class SheetRequest(Asked, frozen=True):
    """`library.sheet` as the client wrote it: some pictures, or the newest of a character.

    `columns` null is about a square; `labels` null are the seeds.
    """

    asset_ids: Annotated[list[Id], Meta(max_length=CELLS, description="Pictures, in reading order.")] = []
    character: Annotated[Name, Meta(description="Or all stills of this character, oldest first.")] | None = None
    columns: Annotated[int, Meta(ge=1, le=32, description="Pictures in a row.")] | None = None
    labels: Annotated[list[Label], Meta(max_length=CELLS, description="One below each picture.")] | None = None
    title: Annotated[str, Meta(max_length=LABEL_CHARS, description="Above them all.")] = ""
    format: Format = "png"
    lane: Lane = "normal"
    tags: Annotated[list[Tag], Meta(max_length=32)] = []


class Sheet(Record, frozen=True):
    """The final request: what is judged and sealed. `prompt` is the title, so that it is found and shown like any."""

    prompt: str
    asset_ids: list[str]
    labels: list[str]
    columns: int
    format: Format
    lane: Lane
    tags: list[str]
