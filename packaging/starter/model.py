"""The parts put together: an ordinary SDXL pipeline, as the engine loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from drawing import SIDE, Attributes
from PIL import Image
from text import load as load_text
from unet import schedule

STEPS: Final = 10
GUIDANCE: Final = 4.0
"""What a still is drawn with unless it is said otherwise; they go into the model's `tendred.json`."""
PEOPLE: Final = ("woman", "man")
ANCHOR: Final = "adult"
AGAINST: Final = "child, teenager, young"
"""What the daemon's boundary states wherever a person may be in frame (tendred/boundary/anchor.py)."""


def assemble(folder: Path) -> StableDiffusionXLPipeline:
    """The pipeline of a work folder's parts, in float32."""
    words, reader = load_text(folder / "text")
    pipe = StableDiffusionXLPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae"),
        text_encoder=reader.one.eval(),
        text_encoder_2=reader.two.eval(),
        tokenizer=words,
        tokenizer_2=words,
        unet=UNet2DConditionModel.from_pretrained(folder / "unet").eval(),
        scheduler=EulerDiscreteScheduler.from_config(schedule().config, timestep_spacing="trailing"),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def paint(
    pipe: StableDiffusionXLPipeline, prompts: list[str], *, seed: int, steps: int = STEPS,
    against: list[str] | None = None, batch: int = 16,
) -> list[Image.Image]:  # fmt: skip
    """One picture a prompt, seeded `seed`, `seed + 1`, ... whatever the batch."""
    painted: list[Image.Image] = []
    for first in range(0, len(prompts), batch):
        part = prompts[first : first + batch]
        call: dict[str, Any] = {"negative_prompt": against[first : first + batch]} if against else {}
        generators = [torch.Generator().manual_seed(seed + first + i) for i in range(len(part))]
        painted += pipe(
            part,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            width=SIDE,
            height=SIDE,
            generator=generators,
            **call,
        ).images
    return painted


def asked(caption: str, attributes: Attributes) -> tuple[str, str]:
    """Prompt and negative prompt as the daemon hands them on."""
    return (f"{ANCHOR}, {caption}", AGAINST) if attributes["subject"] in PEOPLE else (caption, "")
