"""Telling that memory ran out, how much was wanted, and what would have fitted."""

from __future__ import annotations

import math
import re
from typing import Final

import torch

_SIGNS: Final = ("not enough memory", "can't allocate memory", "out of memory")
_WANTED: Final = re.compile(r"tried to allocate\s+([\d.]+)\s*(bytes|[KMGT]i?B)?", re.IGNORECASE)
_UNITS: Final = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
STEP: Final = 64
"""Sides are offered in multiples of this many pixels, which every family takes."""


def ran_out(problem: BaseException) -> bool:
    """Whether this exception means that memory ran out."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(problem, RuntimeError) and any(sign in str(problem).lower() for sign in _SIGNS)


def device_lost(problem: BaseException) -> bool:
    """Whether the GPU's context is broken: every later call in this process would fail too."""
    return isinstance(problem, RuntimeError) and not ran_out(problem) and "CUDA error" in str(problem)


def wanted_bytes(problem: BaseException) -> int:
    """How much the failed allocation asked for; 0 where the message doesn't say."""
    found = _WANTED.search(str(problem))
    if found is None:
        return 0
    return int(float(found[1]) * _UNITS[(found[2] or "b")[0].lower()])


def would_fit(width: int, height: int, wanted: int, free: int) -> str | None:
    """A size to try, such as "768 x 768": the same shape with at most half the pixels. None if there is none.

    Working memory grows about with the number of pixels, so the area shrinks by what was free over what was wanted.
    """
    share = min(0.5, max(0.05, free / wanted)) if wanted and free else 0.5
    scale = math.sqrt(share)
    fits = [max(STEP, math.floor(side * scale / STEP) * STEP) for side in (width, height)]
    return f"{fits[0]} x {fits[1]}" if fits[0] * fits[1] < width * height else None
