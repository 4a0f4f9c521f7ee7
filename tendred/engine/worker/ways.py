"""From what a picture is made: words alone, or an image, a mask, pictures that guide; and with which pipeline.

Every pipeline here is of the model's own parts, shared and not copied: `Class(**pipe.components)`. (The library's own
`from_pipe` turns the shared weights into float32.)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import diffusers
from diffusers.configuration_utils import FrozenDict
from PIL import Image

from tendred.engine.worker.load import Resident
from tendred.engine.worker.loop import Job
from tendred.engine.worker.parts import own_parts
from tendred.engine.worker.pictures import bits, laid_over, source
from tendred.errors import UnsupportedParameter
from tendred.schema.families import ABILITIES, OTHER, task

Finish = Callable[[Any], Any]
_PLAIN: Final = 4


@dataclass(frozen=True)
class Way:
    """A pipeline, the names that its call takes, what it is given besides words and numbers, and the last touch."""

    pipe: Any
    parameters: frozenset[str]
    given: dict[str, Any]
    finish: Finish


@contextmanager
def way_of(job: Job, resident: Resident) -> Generator[Way]:
    """How this order is drawn. Raises UnsupportedParameter, ModelRefused, StillNotOurs."""
    still = job.still
    with own_parts(job, resident) as nets:
        if still.image is None and not still.control:
            yield Way(resident.pipe, resident.parameters, {}, _as_it_is)
            return
        name = task(
            ABILITIES.get(type(resident.pipe).__name__, OTHER),
            image=still.image is not None,
            mask=still.mask is not None,
            control=bool(still.control),
        )
        if name is None:
            raise UnsupportedParameter(path="control" if still.control else "image", model=resident.name)
        extra = {"controlnet": nets[0] if len(nets) == 1 else nets} if nets else {}
        pipe = sharing(getattr(diffusers, name), resident.pipe, **extra)
        parameters = frozenset(inspect.signature(type(pipe).__call__).parameters)
        given = _guides(job, parameters)
        finish = _as_it_is
        if still.image is not None:
            image = source(job, "image", still.image)
            given |= {"image": image, "strength": still.image.strength}
            if still.mask is not None:
                mask, feather = bits(still.mask, *job.size), still.mask.feather
                given["mask_image"] = Image.fromarray(mask)
                finish = partial(laid_over, still=image, mask=mask, feather=feather)
        with _taught_no_masks(pipe):
            yield Way(pipe, parameters, given, finish)


@contextmanager
def _taught_no_masks(pipe: Any) -> Generator[None]:
    """A UNet that takes latents only says four channels, by which the library tells it from one that takes masks too.

    The starter's latents have eight.
    """
    unet = getattr(pipe, "unet", None)
    if unet is None or unet.config.in_channels != pipe.vae.config.latent_channels:
        yield
        return
    own = unet._internal_dict  # noqa: SLF001 - `config` is a view of it, and can't be set
    unet._internal_dict = FrozenDict({**own, "in_channels": _PLAIN})  # noqa: SLF001
    try:
        yield
    finally:
        unet._internal_dict = own  # noqa: SLF001


def sharing(kind: Any, pipe: Any, **extra: Any) -> Any:
    """A pipeline of another class out of the same parts, with the same settings."""
    takes = inspect.signature(kind.__init__).parameters
    parts = {name: part for name, part in pipe.components.items() if name in takes}
    # Settings are no components: without them, a model that encodes no words as words would get zeros.
    settings = {
        name: pipe.config[name] for name in takes if name in pipe.config and name not in parts and name not in extra
    }
    made = kind(**parts, **settings, **extra)
    made.set_progress_bar_config(disable=True)
    if getattr(made, "watermark", None) is not None:
        made.watermark = None  # see load
    return made


def _guides(job: Job, parameters: frozenset[str]) -> dict[str, Any]:
    """The pictures that guide, how strongly and when: one by itself, several as lists."""
    uses = job.still.control
    if not uses:
        return {}
    stills = [source(job, f"control[{number}]", use) for number, use in enumerate(uses)]
    values: dict[str, list[Any]] = {
        "control_image" if "control_image" in parameters else "image": stills,
        "controlnet_conditioning_scale": [use.scale for use in uses],
        "control_guidance_start": [use.start for use in uses],
        "control_guidance_end": [use.end for use in uses],
    }
    return {name: listed[0] if len(listed) == 1 else listed for name, listed in values.items()}


def _as_it_is(pixels: Any) -> Any:
    return pixels
