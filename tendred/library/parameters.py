"""The text about a picture that other tools read: AUTOMATIC1111's "infotext", as its `create_infotext` writes it.

    prompt <lora:name:0.8>
    Negative prompt: ...
    Steps: 20, Sampler: Euler, CFG scale: 4, Seed: 1, Size: 128x128, Model: starter, Model hash: abcdef1234, Version: ...

Source: github.com/AUTOMATIC1111/stable-diffusion-webui, modules/processing.py and infotext_utils.py (`quote`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tendred import __version__

SAMPLERS: Final = {
    "ddim": "DDIM",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_sde": "DPM++ SDE",
    "euler": "Euler",
    "euler_a": "Euler a",
    "flow_euler": "Flow Euler",
    "heun": "Heun",
    "lcm": "LCM",
    "pndm": "PLMS",
    "unipc": "UniPC",
}
"""Our scheduler names in the words of other tools; one that is not here is written as it is."""


def parameters_text(settings: Mapping[str, Any]) -> str:
    """The text for one picture.

    `settings` holds the fields of `schema.still.Still`, with `seed` being this picture's own, and may hold
    `model_sha256`. What is missing or null is left out.
    """
    loras: list[Mapping[str, Any]] = settings.get("loras") or []
    used = "".join(f" <lora:{lora['name']}:{_number(lora.get('weight', 1.0))}>" for lora in loras)
    lines = [f"{settings.get('prompt', '')}{used}"]
    if negative := settings.get("negative_prompt"):
        lines.append(f"Negative prompt: {negative}")
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in _values(settings) if value not in (None, "")))
    return "\n".join(lines)


def _values(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    scheduler = settings.get("scheduler")
    width, height = settings.get("width"), settings.get("height")
    steps: list[Mapping[str, Any]] = settings.get("variations") or []
    # Other tools know one step, not several.
    step: Mapping[str, Any] = steps[0] if len(steps) == 1 else {}
    image: Mapping[str, Any] = settings.get("image") or {}
    vae: Mapping[str, Any] = settings.get("vae") or {}
    return [
        ("Steps", settings.get("steps")),
        ("Sampler", SAMPLERS.get(scheduler, scheduler) if scheduler else None),
        ("CFG scale", settings.get("guidance")),
        ("Seed", settings.get("seed")),
        ("Variation seed", step.get("seed")),
        ("Variation seed strength", step.get("strength")),
        ("Size", f"{width}x{height}" if width and height else None),
        ("Model", settings.get("model")),
        ("Model hash", (settings.get("model_sha256") or "")[:10]),
        ("VAE", vae.get("name")),
        ("VAE hash", (vae.get("sha256") or "")[:10]),
        ("Denoising strength", image.get("strength") or None),
        ("Clip skip", settings.get("clip_skip")),
        ("Version", f"tendred {__version__}"),
    ]


def _quoted(value: Any) -> str:
    text = _number(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
