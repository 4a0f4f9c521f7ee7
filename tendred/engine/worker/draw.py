"""One picture: the words, the numbers, the steps, the pixels."""

from __future__ import annotations

import copy
import errno
import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler

from tendred.engine.worker import words
from tendred.engine.worker.company import Company
from tendred.engine.worker.load import Resident
from tendred.engine.worker.loop import Errand, Job, Picture
from tendred.engine.worker.noise import varied
from tendred.engine.worker.preview import Watcher
from tendred.engine.worker.ways import Way, way_of
from tendred.errors import DiskFull, FolderUnwritable, Internal, UnsupportedParameter
from tendred.schema.families import ABILITIES, OTHER
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import CONSISTENCY, SCHEDULERS, Still, numbered
from tendred.schema.work import Finding

NO_WORDS: Final = " "
NO_GUIDANCE: Final = 1.0
"""Up to this scale guidance does nothing, so that a model without any can be asked for it."""
_CONSISTENT_STEPS: Final = 50
"""What consistency models are taught (Luo et al. 2023, section 4.3: skipping 20 of 1000 steps)."""


def arguments(still: Still, conditioning: Conditioning, resident: Resident, way: Way) -> dict[str, Any]:
    """What the pipeline is called with. Raises UnsupportedParameter for a wish that this model doesn't know."""
    wishes: dict[str, tuple[str, Any]] = {"steps": ("num_inference_steps", still.steps)}
    if still.image is None or "width" in way.parameters:
        # Some take the size of the image they are given, which has been fitted.
        wishes |= {"width": ("width", still.width), "height": ("height", still.height)}
    if still.clip_skip is not None:
        # Theirs counts the layers that are left out; none is left out where the last one is read.
        wishes["clip_skip"] = ("clip_skip", still.clip_skip - 1 or None)
    can = ABILITIES.get(type(resident.pipe).__name__, OTHER)
    guidance = can.guidance
    negative = _text(conditioning.negative)
    # What the boundary adds by itself counts where there is room for it; the anchor stands in the prompt anyway.
    if negative and (still.negative_prompt or (can.negative and "negative_prompt" in way.parameters)):
        # No words is not the same as empty words: some families encode nothing as zeros.
        wishes["negative_prompt"] = ("negative_prompt", negative)
    elif guidance == "true_cfg_scale":
        # Without any, this one would pass over the guidance.
        wishes["negative_prompt"] = ("negative_prompt", NO_WORDS)
    if still.guidance > NO_GUIDANCE or guidance in way.parameters:
        wishes["guidance"] = (guidance, still.guidance)
    for wish, (parameter, _) in wishes.items():
        if parameter not in way.parameters:
            raise UnsupportedParameter(path=wish, model=resident.name)
    prompt = ", ".join(part for part in (conditioning.anchor, _text(conditioning.prompt)) if part)
    if "negative_prompt_embeds" not in way.parameters or not words.weighs(resident.pipe):
        _check_plain(conditioning, resident.name)
    elif not (words.plain(conditioning) and words.fits(resident.pipe, prompt) and words.fits(resident.pipe, negative)):
        # These say nothing of the layer any more: it was read already.
        for name in ("negative_prompt", "clip_skip"):
            wishes.pop(name, None)
        skipped = None if still.clip_skip is None else still.clip_skip - 1 or None
        given = words.embedded(resident.pipe, conditioning, skipped)
        return {**given, **dict(wishes.values()), **way.given}
    return {"prompt": prompt, **dict(wishes.values()), **way.given}


@contextmanager
def scheduler_of(still: Still, resident: Resident) -> Generator[None]:
    """The scheduler that was asked for, fresh, for one picture; the model's own one stands there untouched after.

    Raises UnsupportedParameter for one that the model can't work with.
    """
    pipe = resident.pipe
    own = getattr(pipe, "scheduler", None)
    # A model's own scheduler may be one that the table doesn't name; then it goes by its class.
    name = SCHEDULERS.get(still.scheduler, still.scheduler)
    if own is not None and type(own).__name__ == name:
        pipe.scheduler = copy.deepcopy(own)
    elif own is not None and still.scheduler in SCHEDULERS:
        pipe.scheduler = _other(own, name, still.steps, resident.name)
    else:
        raise UnsupportedParameter(path="scheduler", model=resident.name)
    try:
        yield
    finally:
        pipe.scheduler = own


def draw(company: Company, resident: Resident) -> list[tuple[Job, int, Picture]]:
    """Draw pictures into staging, in one call. Raises Cancelled within a step of being told to stop.

    One that isn't wanted any more by then is left out: its staging folder may be gone.
    """
    job = company.jobs[0]
    stills = [numbered(one.still, index) for one, index in company.seats]
    # A generator for each, on the CPU on every device: the same noise everywhere, whatever else was or is drawn.
    generators = [torch.Generator("cpu").manual_seed(still.seed) for still in stills]
    with (
        scheduler_of(stills[0], resident),
        words.layers_named(resident.pipe),
        way_of(job, resident) as way,
        varied(way.pipe, stills[0], resident.name),
        _one_by_one(getattr(way.pipe, "vae", None), len(stills)),
    ):
        calls = [
            arguments(still, one.conditioning, resident, way)
            for still, (one, _) in zip(stills, company.seats, strict=True)
        ]
        call = joined(calls)
        if "callback_on_step_end" in way.parameters:
            call["callback_on_step_end"] = _stepping(company, Watcher(company, stills[0], resident.eye))
        drawn = way.pipe(**call, generator=generators, output_type="np")
    pictures = [way.finish(np.asarray(image)) for image in drawn.images]
    if not all(np.isfinite(pixels).all() for pixels in pictures):
        # Half precision overflowed, or a LoRA threw it off. A black picture would say nothing of it.
        if job.loras:
            names = ", ".join(f"{lora.name} ({lora.weight:g})" for lora in job.loras)
            raise UnsupportedParameter("overflow", path="loras", model=resident.name, names=names)
        raise Internal(problem=f"{resident.name} gave numbers that are no colours")
    return [
        (one, index, stored(one, index, (pixels * 255).round().astype("uint8"), _findings(drawn, place)))
        for place, ((one, index), pixels) in enumerate(zip(company.seats, pictures, strict=True))
        if company.wants(one)
    ]


def joined(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The arguments of several pictures as those of one call; of one they stay what they are.

    Raises Internal where they can't be: words of which some fill more windows than others, or have a negative one.
    """
    if len(calls) == 1:
        return calls[0]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for call in calls for name in call):
        values: list[Any] = [call.get(name) for call in calls]
        if name in {"prompt", "negative_prompt"} and None not in values:
            found[name] = values
        elif all(torch.is_tensor(value) and value.shape == values[0].shape for value in values):
            found[name] = torch.cat(values)
        elif all(not torch.is_tensor(value) and value == values[0] for value in values):
            found[name] = values[0]
        else:
            raise Internal(problem=f"{name} of these pictures don't go into one call")
    return found


@contextmanager
def _one_by_one(vae: Any, pictures: int) -> Generator[None]:
    """Several are decoded one after another: that takes most memory, and gains nothing by company."""
    if pictures == 1 or not hasattr(vae, "use_slicing"):
        yield
        return
    before, vae.use_slicing = vae.use_slicing, True
    try:
        yield
    finally:
        vae.use_slicing = before


def stored(job: Errand, index: int, pixels: Any, findings: list[Finding]) -> Picture:
    """Write `(height, width, 3)` of bytes into staging. Raises DiskFull, FolderUnwritable."""
    raw = np.ascontiguousarray(pixels)
    height, width, _ = raw.shape
    path = job.target(index)
    data = raw.tobytes()
    _write(path, data)
    return Picture(path, width, height, hashlib.sha256(data).hexdigest(), findings)


def _text(spans: list[Span]) -> str:
    return "".join(span.text for span in spans)


def _check_plain(conditioning: Conditioning, model: str) -> None:
    for path, spans in (("prompt", conditioning.prompt), ("negative_prompt", conditioning.negative)):
        if any(span.weight != 1.0 for span in spans):
            raise UnsupportedParameter("weights", path=path, model=model)


def _other(own: Any, name: str, steps: int, model: str) -> Any:
    wanted: Any = getattr(diffusers, name)
    takes = {one.__name__ for one in own.compatibles}
    more: dict[str, int] = {}
    if name == CONSISTENCY and DDIMScheduler.__name__ in takes:
        takes.add(name)
        # It picks its steps out of so many, and fails where more are asked for.
        more["original_inference_steps"] = max(steps, _CONSISTENT_STEPS)
    if name not in takes and type(own).__name__ not in getattr(wanted, "_compatibles", ()):
        raise UnsupportedParameter(path="scheduler", model=model)
    try:
        return wanted.from_config(own.config, **more)
    except ImportError as problem:  # LMS needs scipy, which nothing else here does.
        raise UnsupportedParameter(path="scheduler", model=model) from problem


def _stepping(company: Company, watcher: Watcher) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
    """The callback after each step: reports over all calls of the order, and stops by raising Cancelled.

    An exception leaves at once and leaves the pipeline usable; the library's own flag would still decode.
    """

    def step(pipe: Any, number: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        company.check()
        steps = getattr(pipe, "num_timesteps", company.jobs[0].still.steps)
        company.phase("sampling", company.call * steps + number + 1, company.calls * steps)
        watcher.look(pipe, number + 1, steps, tensors.get("latents"))
        if number + 1 == steps:
            company.phase("decoding", company.call, company.calls)
        return tensors

    return step


def _findings(drawn: Any, place: int) -> list[Finding]:
    """A model's own checker blackens what it flags; that must not pass as a picture."""
    flags = getattr(drawn, "nsfw_content_detected", None)
    return [Finding(check="safety_checker", rule="model_checker", refuse=True)] if flags and flags[place] else []


def _write(path: Path, data: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(folder=str(path.parent)) from problem
        raise FolderUnwritable(folder=str(path.parent), problem=problem.strerror or "") from problem
