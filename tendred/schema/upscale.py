"""A still or a locked take made larger: as it is asked for, and as it is done."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record
from tendred.schema.character import CharacterUse
from tendred.schema.source import PartUse, SourceUse
from tendred.schema.still import Format, KeepAlive, Lane, Tag
from tendred.schema.stroke import StrokesUse

LANCZOS: Final = "lanczos"
"""The name of the resampler that needs no model."""
SIDE: Final = 8192
"""The longest side that comes out, in pixels: what the media process can still encode."""

Factor = Annotated[int, Meta(ge=2, le=4, description="How many times wider and higher.")]


class UpscaleRequest(Asked, frozen=True):
    """`images.upscale` as the client wrote it. A null model is the one that fits the picture, or `lanczos`."""

    asset_id: Id
    factor: Factor = 2
    model: Annotated[Name, Meta(description="An upscaler of models.list, or lanczos.")] | None = None
    format: Format = "png"
    lane: Lane = "normal"
    keep_alive_s: KeepAlive | None = None
    tags: Annotated[list[Tag], Meta(max_length=32)] = []


class Upscale(Record, frozen=True):
    """The final request. Words, seed and character are those of the still that is made larger."""

    image: SourceUse
    factor: int
    model: str
    width: int
    height: int
    prompt: str
    negative_prompt: str
    seed: int
    count: int
    character: CharacterUse | None
    format: Format
    lane: Lane
    keep_alive_s: float
    tags: list[str]
    painted: list[StrokesUse] = []


class ClipUpscale(Record, frozen=True):
    """The final request of a 4K master: the locked take `clip`, picture by picture. `format` is always mp4.

    Words, seed and character are those of the take.
    """

    clip: PartUse
    shot_id: str
    take_id: str
    factor: int
    model: str
    width: int
    height: int
    fps: str
    frames: int
    prompt: str
    seed: int
    count: int
    character: CharacterUse | None
    lane: Lane
    keep_alive_s: float
    tags: list[str]
    format: Literal["mp4"] = "mp4"
    negative_prompt: str = ""
