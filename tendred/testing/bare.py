"""diffusers by itself, to compare with: `python -m tendred.testing.bare < JOBS.json` tells what each job's pixels hash to.

Nothing of the engine is used. A job is `{folder, seed, call}` and may name another pipeline `class`, which is then loaded
from the folder as if it were made for it, a `scheduler` class, a `vae` and `controlnets` as folders, and how many `layers`
its text encoder keeps; `images` are calls' values that are read from PNG files (a list of them, if there are several).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from typing import Any


def drawn(job: dict[str, Any]) -> str:
    """SHA-256 of the picture's bytes."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    torch.set_num_threads(1)
    offline = {"local_files_only": True, "use_safetensors": True}
    parts: dict[str, Any] = {}
    if "vae" in job:
        parts["vae"] = diffusers.AutoencoderKL.from_pretrained(job["vae"], **offline)
    if nets := [diffusers.ControlNetModel.from_pretrained(folder, **offline) for folder in job.get("controlnets", [])]:
        parts["controlnet"] = nets[0] if len(nets) == 1 else nets
    kind = getattr(diffusers, job.get("class", "DiffusionPipeline"))
    pipe: Any = kind.from_pretrained(job["folder"], **offline, **parts)
    pipe.set_progress_bar_config(disable=True)
    if layers := job.get("layers"):
        # What clip skip means: that the last ones aren't there.
        pipe.text_encoder.encoder.layers = pipe.text_encoder.encoder.layers[:layers]
    if "scheduler" in job:
        pipe.scheduler = getattr(diffusers, job["scheduler"]).from_config(pipe.scheduler.config)
    for module in pipe.components.values():
        if isinstance(module, torch.nn.Module):
            for value in (*module.parameters(), *module.buffers()):
                # Where a weight begins in memory decides about last bits (see engine.worker.load).
                value.data = value.data.clone()
    images = {name: _opened(file) for name, file in job.get("images", {}).items()}
    generator = [torch.Generator("cpu").manual_seed(job["seed"])]
    made = pipe(**job["call"], **images, generator=generator, output_type="np").images[0]
    return hashlib.sha256((made * 255).round().astype("uint8").tobytes()).hexdigest()


def _opened(file: str | list[str]) -> Any:
    images: Any = importlib.import_module("PIL.Image")
    if isinstance(file, list):
        return [_opened(one) for one in file]
    with images.open(file) as opened:
        return opened.copy()


if __name__ == "__main__":
    print(json.dumps([drawn(job) for job in json.load(sys.stdin)]))  # noqa: T201
