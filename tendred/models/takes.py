"""What a request for a model may say, with ranges and defaults, so that a client can draw a form from it."""

from __future__ import annotations

from typing import Any, Final

from msgspec.inspect import FloatType, IntType, Metadata, Type, UnionType, type_info

from tendred.models.folder import Folder
from tendred.schema.families import ABILITIES, OTHER
from tendred.schema.model import Taken
from tendred.schema.source import CONTROLS, STRENGTH, Strength
from tendred.schema.still import SCHEDULERS, ClipSkip, Guidance, Seed, Side, Steps

NATIVE_TIMES: Final = 8
"""A side over so many times the model's own only costs hours and memory; nothing comes of it."""
_FLOW: Final = frozenset({"flow_euler", "FlowMatchEulerDiscreteScheduler"})
_LORAS: Final = 16


def takes(folder: Folder) -> list[Taken]:
    """The fields, in the order in which people fill them in."""
    can, defaults = ABILITIES.get(folder.pipeline, OTHER), folder.defaults
    found = [_taken("prompt", "text", "")]
    if can.negative:
        found.append(_taken("negative_prompt", "text", ""))
    for name, default in (("width", defaults.width), ("height", defaults.height)):
        least, most = _range(Side)
        found.append(
            _taken(name, "int", default, least=least, most=min(most, default * NATIVE_TIMES), step=defaults.multiple)
        )
    found.append(_number("steps", "int", defaults.steps, Steps))
    if folder.guided:
        found.append(_number("guidance", "float", defaults.guidance, Guidance))
    found.append(_taken("scheduler", "choice", defaults.scheduler, choices=_schedulers(defaults.scheduler)))
    found.append(_number("seed", "int", None, Seed))
    found.append(_taken("loras", "loras", None, most=_LORAS))
    if can.image is not None or can.inpaint is not None:
        least, most = _range(Strength)
        found.append(_taken("image", "image", None))
        found.append(_taken("image.strength", "float", STRENGTH, least=least, most=most))
    if can.inpaint is not None:
        found.append(_taken("mask", "mask", None))
    if can.control is not None:
        found.append(_taken("control", "control", None, most=CONTROLS))
    if can.clip_skip:
        least, most = _range(ClipSkip)
        most = min(most, max(1, folder.clip_layers - 1)) if folder.clip_layers else most
        found.append(_taken("clip_skip", "int", None, least=least, most=most, step=1))
    found.append(_taken("vae", "model", None))
    return found


def _schedulers(own: str) -> list[str]:
    """A model made for flows draws noise with the schedulers of the others, and they with its."""
    flow = own in _FLOW
    return sorted({own, *(name for name in SCHEDULERS if (name in _FLOW) == flow)})


def _number(name: str, kind: Any, default: float | None, annotated: Any) -> Taken:
    least, most = _range(annotated)
    return _taken(name, kind, default, least=least, most=most, step=1 if kind == "int" else None)


def _range(annotated: Any) -> tuple[float, float]:
    """The bounds that a field's own type sets: they stand in one place."""
    seen: Type = type_info(annotated)
    while isinstance(seen, Metadata | UnionType):
        seen = seen.type if isinstance(seen, Metadata) else seen.types[0]
    assert isinstance(seen, IntType | FloatType)
    assert seen.ge is not None
    assert seen.le is not None
    return seen.ge, seen.le


def _taken(
    name: str,
    kind: Any,
    default: str | float | None,
    *,
    least: float | None = None,
    most: float | None = None,
    step: float | None = None,
    choices: list[str] | None = None,
) -> Taken:
    return Taken(name=name, type=kind, default=default, least=least, most=most, step=step, choices=choices)
