"""Variations: pictures near another one, by starting from noise near its own.

Noise of a million independent normal numbers lies close to a sphere, and what lies off it is no noise to a model: the
straight way between two such points passes inside (at half-way, 30 % too quiet). So the step is taken on the arc
between them: Shoemake, "Animating rotation with quaternion curves" (SIGGRAPH 1985); for noise of generative
models White, "Sampling Generative Networks" (arXiv 1609.04468).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import torch

from tendred.errors import Internal, UnsupportedParameter
from tendred.schema.still import Still

_PARALLEL: Final = 1e-6
"""Below this sine there is no arc to speak of."""


def slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """The point `share` (0..1) of the way from `first` to `second` on the arc between them; shape and type of `first`.

    With w the angle between them: (sin((1 - share) w) first + sin(share w) second) / sin w. In double precision and
    on the CPU, its sums rounded once (fsum): neither threads nor device change a bit. A share of 0 gives `first` itself.
    """
    a, b = (tensor.detach().cpu().double().flatten() for tensor in (first, second))
    cosine = _sum(a * b) / math.sqrt(_sum(a * a) * _sum(b * b))
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    whole = math.sin(angle)
    if whole < _PARALLEL:
        ours, theirs = 1.0 - share, share
    else:
        ours, theirs = math.sin((1.0 - share) * angle) / whole, math.sin(share * angle) / whole
    return (ours * a + theirs * b).reshape(first.shape).to(dtype=first.dtype, device=first.device)


@contextmanager
def varied(pipe: Any, still: Still, model: str) -> Generator[None]:
    """While inside, `pipe` starts from the still's own noise and then takes its variations' steps.

    The pipeline draws every noise itself, with a generator per seed, in its own shape and order: whatever the
    family packs or scales, it does to all of them. The still's generator is left as without variations.
    Raises UnsupportedParameter for a pipeline that doesn't start from noise alone.
    """
    if not still.variations:
        yield
        return
    own = getattr(pipe, "prepare_latents", None)
    takes = {} if own is None else inspect.signature(own).parameters
    if own is None or "generator" not in takes or "image" in takes:
        raise UnsupportedParameter(path="variations", model=model)
    begun = False

    def prepare(*values: Any, **named: Any) -> Any:
        nonlocal begun
        begun = True
        said = inspect.signature(own).bind(*values, **named)
        found = own(*said.args, **said.kwargs)
        noise = _noise(found)
        for step in still.variations:
            said.arguments["generator"] = [torch.Generator("cpu").manual_seed(step.seed)]
            noise = slerp(noise, _noise(own(*said.args, **said.kwargs)), step.strength)
        return (noise, *found[1:]) if isinstance(found, tuple) else noise

    pipe.prepare_latents = prepare
    try:
        yield
    finally:
        del pipe.prepare_latents
    if not begun:
        # A picture without its variation would look like one.
        raise Internal(problem=f"{model} never asked for its noise")


def _noise(found: Any) -> torch.Tensor:
    """Some pipelines give the latents with more beside."""
    return found[0] if isinstance(found, tuple) else found


def _sum(values: torch.Tensor) -> float:
    return math.fsum(values.tolist())
