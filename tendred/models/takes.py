"""What a model takes, field by field: for a form in a client, and for refusing by name what it has no word for."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from tendred.models.folder import Folder
from tendred.schema.cache import Parameter
from tendred.schema.families import ABILITIES, OTHER, Abilities
from tendred.schema.model import ModelDefaults
from tendred.schema.source import CONTROLS, STRENGTH, Strength
from tendred.schema.still import (
    CONSISTENCY,
    SCHEDULERS,
    ClipSkip,
    Count,
    Guidance,
    LoraUse,
    Seed,
    Side,
    Steps,
    StillRequest,
)

NATIVE_TIMES: Final = 8
"""A side over so many times the model's own only costs hours and memory; nothing comes of it."""
LORAS: Final = 16
OF_THE_DAEMON: Final = frozenset(
    {"model", "character", "preset", "format", "lane", "keep_alive_s", "tags", "reproducible"}
)
"""Fields of a request that every model takes alike: they are none of its business."""

# Those that diffusers says may stand for one another (schedulers/scheduling_utils.py, KarrasDiffusionSchedulers).
_ALIKE: Final = frozenset({
    "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
    "HeunDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
    "DEISMultistepScheduler", "UniPCMultistepScheduler", "DPMSolverSDEScheduler",
})  # fmt: skip


def schedulers(defaults: ModelDefaults) -> list[str]:
    """The names that fit a model, its own among them."""
    own = SCHEDULERS.get(defaults.scheduler, defaults.scheduler)
    alike = [name for name, kind in SCHEDULERS.items() if kind in {*_ALIKE, CONSISTENCY}] if own in _ALIKE else []
    return sorted({*alike, defaults.scheduler})


def parameters(folder: Folder) -> list[Parameter]:
    """The fields that a model of this kind takes, in the order of a request."""
    own = folder.defaults
    made = {
        "prompt": _text("prompt"),
        "negative_prompt": _text("negative_prompt"),
        "width": _side("width", own.width, own),
        "height": _side("height", own.height, own),
        "steps": _number("steps", Steps, own.steps),
        "guidance": _number("guidance", Guidance, own.guidance),
        "scheduler": _of("scheduler", "choice", default=own.scheduler, choices=schedulers(own)),
        "seed": _number("seed", Seed, None),
        "count": _number("count", Count, 1),
        "loras": _of("loras", "list", maximum=LORAS),
        "image": _of("image", "image"),
        "mask": _of("mask", "mask"),
        "control": _of("control", "list", maximum=CONTROLS),
        "clip_skip": _clip_skip(folder),
        "vae": _of("vae", "model"),
    }
    refused = {*lacks(folder), *(["clip_skip"] if can_of(folder) is OTHER else [])}
    fields = [made[name] for name in StillRequest.__struct_fields__ if name in made and name not in refused]
    at = next((place for place, field in enumerate(fields, 1) if field.name == "image"), None)
    if at is not None:
        fields.insert(at, _number("image.strength", Strength, STRENGTH))
    return fields


def lacks(folder: Folder) -> list[str]:
    """The fields of a request that a model of this kind refuses by name."""
    can = can_of(folder)
    there = {
        "negative_prompt": can.negative,
        "guidance": folder.guided,
        "image": can.image is not None or can.inpaint is not None,
        "mask": can.inpaint is not None,
        "control": can.control is not None,
        # What nothing is known of is asked for its parameters in the engine.
        "clip_skip": can.clip_skip or can is OTHER,
    }
    return [name for name, has in there.items() if not has]


def can_of(folder: Folder) -> Abilities:
    """What the model's family can do."""
    return ABILITIES.get(folder.pipeline, OTHER)


def weight() -> Parameter:
    """What a LoRA takes."""
    hint = next(field.type for field in msgspec.structs.fields(LoraUse) if field.name == "weight")
    return _number("weight", hint, 1.0, "How strongly it counts.")


def _clip_skip(folder: Folder) -> Parameter:
    form = _number("clip_skip", ClipSkip, None)
    layers = folder.clip_layers
    return msgspec.structs.replace(form, maximum=min(int(form.maximum or 0), max(1, layers - 1))) if layers else form


def _text(name: str) -> Parameter:
    return _of(name, "text", default="" if name != "prompt" else None)


def _side(name: str, default: int, own: ModelDefaults) -> Parameter:
    low, high = _range(Side)
    # What the model's step allows: the first and the last that may be asked for.
    low, high = -(-int(low or 0) // own.multiple) * own.multiple, min(int(high or 0), default * NATIVE_TIMES)
    form = _number(name, Side, default)
    return msgspec.structs.replace(form, minimum=low, maximum=high - high % own.multiple, multiple=own.multiple)


def _number(name: str, hint: Any, default: float | None, words: str | None = None) -> Parameter:
    low, high = _range(hint)
    kind = "integer" if get_args(hint)[0] is int else "number"
    return _of(name, kind, default=default, minimum=low, maximum=high, words=words)


def _range(hint: Any) -> tuple[Any, Any]:
    meta = get_args(hint)[1]
    return meta.ge, meta.le


def _of(name: str, kind: Any, *, words: str | None = None, **more: Any) -> Parameter:
    given: dict[str, Any] = {"default": None, "minimum": None, "maximum": None, "multiple": None, "choices": None}
    return Parameter(
        name=name, type=kind, description=_ABOUT.get(name, "") if words is None else words, **{**given, **more}
    )


_ABOUT: Final = {
    "prompt": "What the picture shows, in words.",
    "negative_prompt": "What it should not show.",
    "width": "Pixels.",
    "height": "Pixels.",
    "steps": "Denoising steps.",
    "guidance": "Classifier-free guidance scale.",
    "scheduler": "How the noise is taken away.",
    "seed": "Left open, one is chosen and recorded.",
    "count": "How many stills.",
    "loras": "LoRAs by name and weight.",
    "image": "A still of the library to begin from.",
    "image.strength": "How much of it is made anew.",
    "mask": "Which part of it is made anew, in one bit a pixel.",
    "control": "Stills of the library that guide, each through a ControlNet.",
    "clip_skip": "Which layer of the text encoder is read, from the last: 1.",
    "vae": "Another autoencoder.",
}
