"""A still as it is asked for, and as it is made."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from tendred.schema.base import Asked, Name, Record
from tendred.schema.character import CharacterUse
from tendred.schema.source import CONTROLS, Control, ControlUse, Mask, PartUse, Source, SourceUse
from tendred.schema.stroke import StrokesUse

Lane = Literal["normal", "interactive", "idle"]
Format = Literal["png", "jpeg", "webp"]
Kind = Literal["still", "clip", "upscale", "sheet"]

MAX_INT: Final = 2**53 - 1
MAX_SEED: Final = MAX_INT - 64
PROMPT_BYTES: Final = 8192
"""A prompt or negative prompt holds at most this many bytes of UTF-8."""

WEIGHING: Final = frozenset({"sd15", "sdxl"})
"""Families whose encoders (CLIP's) take weighed words."""

SCHEDULERS: Final[dict[str, str]] = {
    "ddim": "DDIMScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "dpmpp_sde": "DPMSolverSinglestepScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler",
    "flow_euler": "FlowMatchEulerDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lcm": "LCMScheduler",
    "pndm": "PNDMScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Scheduler names and the diffusers classes behind them."""

TOGETHER: Final = 8
TOGETHER_PIXELS: Final = 4 * 1024 * 1024
"""What is drawn in one go has at most so many pictures, and so many pixels in all of them."""

CONSISTENCY: Final = "LCMScheduler"
"""Goes with the configuration of any that DDIM goes with (for a LoRA that needs it); the library names none for it."""

Side = Annotated[int, Meta(ge=64, le=4096, description="Pixels; a multiple of what the model needs.")]
Steps = Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")]
Guidance = Annotated[float, Meta(ge=0, le=50, description="Classifier-free guidance scale.")]
Seed = Annotated[int, Meta(ge=0, le=MAX_SEED, description="Seeds of a count are seed, seed + 1, ...")]
Count = Annotated[int, Meta(ge=1, le=64, description="How many stills.")]
KeepAlive = Annotated[
    float, Meta(ge=-1, le=86400, description="Seconds the model stays loaded afterwards; -1 until unloaded.")
]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]
ClipSkip = Annotated[
    int, Meta(ge=1, le=12, description="Which layer of the text encoder is read, from the last: 1 is the last.")
]


class LoraUse(Asked, frozen=True):
    """One LoRA by name, and how strongly it counts: from 0, for below it what it is named for becomes its opposite."""

    name: Name
    weight: Annotated[float, Meta(ge=0, le=4)] = 1.0


class StillRequest(Asked, frozen=True):
    """`images.generate` as the client wrote it. Null means the model's own default, or chosen and recorded."""

    prompt: Annotated[str, Meta(description="What the picture shows, in words.")]
    negative_prompt: Annotated[str, Meta(description="What it should not show.")] = ""
    model: Name | None = None
    width: Side | None = None
    height: Side | None = None
    steps: Steps | None = None
    guidance: Guidance | None = None
    scheduler: Name | None = None
    seed: Seed | None = None
    count: Count = 1
    loras: Annotated[list[LoraUse], Meta(max_length=16)] = []
    character: Name | None = None
    preset: (
        Annotated[str, Meta(max_length=64, description="Fields by name; what the request says itself wins.")] | None
    ) = None
    format: Format = "png"
    lane: Lane = "normal"
    keep_alive_s: KeepAlive | None = None
    tags: Annotated[list[Tag], Meta(max_length=32)] = []
    image: Annotated[Source, Meta(description="Begin from this still of the library.")] | None = None
    mask: Annotated[Mask, Meta(description="Make only these pixels of `image` anew.")] | None = None
    control: Annotated[list[Control], Meta(max_length=CONTROLS)] = []
    clip_skip: ClipSkip | None = None
    vae: Annotated[Name, Meta(description="Another autoencoder, by name.")] | None = None
    reproducible: Annotated[
        bool, Meta(description="False: may be drawn in one go with others, and then can't be promised once more.")
    ] = True


class Variation(Record, frozen=True):
    """A step away from the noise of `asset_id`: `strength` of the way, on the arc, to the noise of `seed`.

    0 is the picture's own noise, 1 the other alone.
    """

    asset_id: str
    seed: int
    strength: float


class Repeat(Record, frozen=True):
    """Whose recipe is followed once more, and the pixels that should come of it (`promised`) or may."""

    asset_id: str
    pixels_sha256: str
    promised: bool


class Still(Record, frozen=True):
    """The final request: every value settled, after plugins and expansion. This is what is judged and sealed.

    `variations` are steps one after another, each from what the one before led to. The last fields have defaults, so
    that what an older version sealed can be read.
    """

    prompt: str
    negative_prompt: str
    model: str
    width: int
    height: int
    steps: int
    guidance: float
    scheduler: str
    seed: int
    count: int
    loras: list[LoraUse]
    character: CharacterUse | None
    format: Format
    lane: Lane
    keep_alive_s: float
    tags: list[str]
    image: SourceUse | None = None
    mask: Mask | None = None
    control: list[ControlUse] = []
    clip_skip: int | None = None
    vae: PartUse | None = None
    again: Repeat | None = None
    variations: list[Variation] = []
    reproducible: bool = True
    painted: list[StrokesUse] = []
    """Every set of strokes in it, those in what it came from too: limits hold for all of them together."""


def numbered(still: Still, index: int) -> Still:
    """The request of one picture of a count. The daemon records it and its child draws it, so it stands where both see it.

    Seeds count up: those of the last variation where there are any, since they all begin with the same noise.
    """
    if not still.variations:
        return replace(still, seed=still.seed + index, count=1)
    last = still.variations[-1]
    steps = [*still.variations[:-1], replace(last, seed=last.seed + index)]
    return replace(still, count=1, variations=steps)


def common(still: Still) -> Still | None:
    """What of a still must be the same in others that are drawn in one go with it; None where it is drawn by itself.

    The daemon puts jobs together by it and its child looks once more, so it stands where both see it.
    """
    if still.reproducible or still.image is not None or still.control or still.again is not None or still.variations:
        return None
    return replace(still, prompt="", seed=0, count=1, tags=[], character=None, format="png")


def seats(still: Still) -> int:
    """How many pictures of its size are drawn in one go at most: memory grows with each."""
    return max(1, min(TOGETHER, TOGETHER_PIXELS // (still.width * still.height)))


def parents_of(still: Still) -> list[str]:
    """The assets that a picture comes from, by id."""
    if still.again is not None:
        return [still.again.asset_id]
    return [step.asset_id for step in still.variations[-1:]]


class Amendment(Asked, frozen=True):
    """The fields of a request that a plugin may change; what is left unset stays as it was."""

    prompt: str | UnsetType = UNSET
    negative_prompt: str | UnsetType = UNSET
    model: Name | UnsetType | None = UNSET
    width: Side | UnsetType | None = UNSET
    height: Side | UnsetType | None = UNSET
    steps: Steps | UnsetType | None = UNSET
    guidance: Guidance | UnsetType | None = UNSET
    scheduler: Name | UnsetType | None = UNSET
    seed: Seed | UnsetType | None = UNSET
    loras: list[LoraUse] | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
