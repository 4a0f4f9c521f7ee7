"""What a picture that is still being drawn will be, told from its latents alone.

After each step a pipeline shows its latents x at noise level s. Seen as they are, they look like noise nearly to the
end. What the model expects to come of them is on the way: its steps follow dx/ds = (x - D) / s, where D is the
denoised picture (Karras et al., "Elucidating the design space of diffusion-based generative models", arXiv
2206.00364, equation 1), so D = x - s dx/ds, with the difference that the last step made for dx/ds. The same holds on
the straight ways of flow matching, x = (1 - s) D + s noise. Samplers that add new noise at every step have no such
way; theirs are shown as they are, scaled.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import torch

_RESTLESS: Final = ("Ancestral", "SDE", "LCM", "TCD")
_LEVEL: Final = 1e-6
"""A smaller difference of levels is none: some samplers look twice from the same place."""


class Point(NamedTuple):
    """Latents at a noise level, in the scale where x = D + s noise (flow matching: x = (1 - s) D + s noise)."""

    level: float
    latents: torch.Tensor


class Way:
    """The points that a picture came through. `scheduler` is the one that leads it."""

    def __init__(self, scheduler: Any) -> None:
        config = scheduler.config
        name = type(scheduler).__name__
        self._scheduler = scheduler
        self._flow = name.startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))
        sde = "sde" in str(config.get("algorithm_type", ""))
        self._restless = sde or any(word in name for word in _RESTLESS)
        self._before: Point | None = None
        self._now: Point | None = None

    def pass_by(self, step: int, steps: int, latents: torch.Tensor) -> None:
        """It stands here after `step` of `steps`."""
        now = self._point(step, steps, latents)
        if self._now is not None and self._now.level - now.level > _LEVEL:
            self._before = self._now
        self._now = now

    def goal(self) -> torch.Tensor | None:
        """The denoised latents; None before it went anywhere."""
        before, now = self._before, self._now
        if now is None:
            return None
        if self._restless:
            return now.latents if self._flow else now.latents / math.sqrt(1 + now.level * now.level)
        if before is None:
            return None
        return now.latents - now.level * (now.latents - before.latents) / (now.level - before.level)

    def _point(self, step: int, steps: int, latents: torch.Tensor) -> Point:
        scheduler = self._scheduler
        # Who starts from a picture leaves out the first of the scheduler's steps.
        at = step + max(0, len(scheduler.timesteps) - steps)
        level = 0.0
        if hasattr(scheduler, "sigmas"):
            level = float(scheduler.sigmas[min(at, len(scheduler.sigmas) - 1)])
        elif at < len(scheduler.timesteps):
            kept = float(scheduler.alphas_cumprod[int(scheduler.timesteps[at])])
            level = math.sqrt((1 - kept) / kept)
        # Some work with x / sqrt(1 + s^2), whose variance stays one; they say so by the noise that they begin with.
        scaled = self._flow or float(scheduler.init_noise_sigma) > 1.0
        return Point(level, latents.float() * (1.0 if scaled else math.sqrt(1 + level * level)))
