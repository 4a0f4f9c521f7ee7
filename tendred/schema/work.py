"""What core hands to a backend or to media, and what comes back."""

from __future__ import annotations

from typing import Any, Final, Literal

from tendred.schema.asset import EngineInfo
from tendred.schema.base import Record
from tendred.schema.job import Phase
from tendred.schema.marks import Checked, Parent
from tendred.schema.sealed import Reviewed
from tendred.schema.sheet import SheetPlan
from tendred.schema.still import Format


class LoraFile(Record, frozen=True):
    """Where a LoRA of an order lies; how strongly it counts, and what it hashes to, stands under the seal."""

    name: str
    path: str


class PartFile(Record, frozen=True):
    """Where something else that an order needs lies; what it hashes to stands under the seal.

    `role`: `image`, `vae`, `control[0]` (the picture), `controlnet[0]` (its weights); `image.strokes` and
    `control[0].strokes` are what is painted over these.
    """

    role: str
    path: str


class WorkOrder(Record, frozen=True):
    """One job for a backend. `indices` are the outputs still to make; raw pictures go to `staging`.

    `loras` and `parts` are those of the sealed request, in its order. `kind` tells what the request is: a Still or
    an Upscale, whose model is an upscaler (an empty path: none is needed). `frames`: a ClipUpscale, without indices;
    its pictures come and go through the FIFOs of the roles `there` and `back` (see schema.footage.Engine).
    """

    job_id: str
    reviewed: Reviewed
    model: str
    model_path: str
    loras: list[LoraFile]
    indices: list[int]
    staging: str
    keep_alive_s: float
    kind: Literal["still", "upscale", "frames"] = "still"
    parts: list[PartFile] = []
    together: bool = False
    """Whether its pictures may be drawn in one go, where the request says so too: not after an engine died of it."""
    previews: bool = False
    """Whether somebody looks on from the start; later see Backend.previews."""


class Finding(Record, frozen=True):
    """What an output check saw; the boundary decides what it means."""

    check: str
    rule: str
    refuse: bool


class Advance(Record, frozen=True, tag="advance"):
    """How far the work is."""

    phase: Phase
    done: int
    total: int | None
    eta_s: float | None = None


class Output(Record, frozen=True, tag="output"):
    """One finished picture: raw 8-bit RGB, rows from the top, `width * height * 3` bytes at `path` (in staging)."""

    index: int
    path: str
    width: int
    height: int
    seed: int
    pixels_sha256: str
    engine: EngineInfo
    findings: list[Finding] = []


PREVIEW_SIDE: Final = 256
"""A preview's longer side has at most so many pixels."""


class Preview(Record, frozen=True, tag="preview"):
    """A rough picture after `done` of `total` steps: raw 8-bit RGB, rows from the top, sides up to PREVIEW_SIDE."""

    index: int
    done: int
    total: int
    width: int
    height: int
    rgb: bytes


Report = Advance | Output | Preview
"""A backend's reports. It ends by returning (done) or by raising a TendredError (failed)."""


class Encode(Record, frozen=True):
    """A raw picture, or a sheet to be drawn (then `raw` and `pixels_sha256` are empty), to make a file of.

    `settings` and `parameters` travel in the file; the credentials of `parents` are kept in its own.
    """

    raw: str
    width: int
    height: int
    pixels_sha256: str
    format: Format
    target: str
    thumbnail: str | None
    settings: dict[str, Any]
    parameters: str
    sheet: SheetPlan | None = None
    parents: list[Parent] = []


class Encoded(Record, frozen=True):
    """The file that was made, not yet durable: fsync and rename are the library's."""

    path: str
    media_type: str
    bytes: int
    sha256: str
    pixels_sha256: str = ""
    output_check: Checked = "none"


PreviewForm = Literal["jpeg", "ppm"]


class Shrink(Record, frozen=True):
    """A raw picture to make a small file of: both sides at most `side`."""

    rgb: bytes
    width: int
    height: int
    side: int
    form: PreviewForm


class Shrunk(Record, frozen=True):
    """The small file."""

    data: bytes
    media_type: str
    width: int
    height: int


ChildRole = Literal["engine", "media"]
