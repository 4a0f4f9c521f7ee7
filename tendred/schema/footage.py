"""Clips as files: what the media process is asked to do with them, and what it says."""

from __future__ import annotations

from typing import Any, Final, Literal

from tendred.schema.base import Record

FINAL_SIDES: Final[dict[tuple[int, int], int]] = {
    (1920, 1080): 2, (1080, 1920): 2, (1280, 720): 3, (720, 1280): 3,
}  # fmt: skip
"""The sizes that become 3840x2160 or 2160x3840, and by which factor. No other size does."""
CLIP_SECONDS: Final = 60.0
"""A longer clip is none of ours: providers render 20 s at most."""


class Sound(Record, frozen=True):
    """A clip's sound: codec, sampling rate in Hz, channels, and the samples that its packets hold for each channel."""

    codec: str
    rate: int
    channels: int
    samples: int


class Colour(Record, frozen=True):
    """A clip's colour tags by their numbers in ITU-T H.273 (2: not said). `range`: 1 is limited, 2 full, 0 not said."""

    range: int
    primaries: int
    transfer: int
    matrix: int


class Footage(Record, frozen=True, tag="footage"):
    """What a clip's file holds, counted packet by packet. `fps` is a fraction as in WIRE.md.

    `duration_s` is that of the pictures. `steady`: every picture stays equally long. `rotation` in degrees, `square`:
    its pixels are.
    """

    bytes: int
    sha256: str
    duration_s: float
    width: int
    height: int
    fps: str
    frames: int
    steady: bool
    codec: str
    pixels: str
    rotation: int
    square: bool
    colour: Colour
    sound: Sound | None


class Probe(Record, frozen=True, tag="probe"):
    """Look into the file at `path`, which may hold anything."""

    path: str


class Engine(Record, frozen=True):
    """Two FIFOs: small pictures go into `there`, large ones come `back`; raw 8-bit RGB, rows from the top, one by one."""

    there: str
    back: str


class Enlarge(Record, frozen=True, tag="enlarge"):
    """Make a clip's pictures `width` x `height`, by Lanczos or by the engine; its sound is copied packet by packet.

    `source` must hash to `sha256`. `settings` travel in the file.
    """

    source: str
    sha256: str
    target: str
    width: int
    height: int
    engine: Engine | None
    settings: dict[str, Any]


class Enlarged(Record, frozen=True, tag="enlarged"):
    """The file that was made, not yet durable. `pictures_sha256` is over its video packets, before marking."""

    footage: Footage
    pictures_sha256: str


class Take(Record, frozen=True):
    """A clip to be looked at, by file and hash, and what stands above it."""

    path: str
    sha256: str
    label: str


LookKind = Literal["poster", "waveform", "sheet", "compare"]


class Look(Record, frozen=True, tag="look"):
    """A picture of one clip or, for `compare`, of two beside each other, as a WebP file at `target`."""

    kind: LookKind
    takes: list[Take]
    target: str


class Plain(Record, frozen=True, tag="plain"):
    """A still of ours without anything that travels in it, cut and scaled to `width` x `height`, as PNG or JPEG."""

    source: str
    sha256: str
    target: str
    width: int
    height: int
    format: Literal["png", "jpeg"]


class Shown(Record, frozen=True, tag="shown"):
    """A picture that was made of a clip or a still."""

    path: str
    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int


ClipWork = Probe | Enlarge | Look | Plain
ClipMade = Footage | Enlarged | Shown
