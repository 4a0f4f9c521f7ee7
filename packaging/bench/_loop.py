"""The bare loop: the same pipeline, called again and again. Reads requests and writes seconds, a JSON line each.

It is what anybody would write with diffusers, and has nothing of ours in it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image


def load(folder: str, threads: int) -> Any:
    """The pipeline on the CPU. Weights are copied out of the mapped file, as the engine does, for the same last bits."""
    if threads:
        torch.set_num_threads(threads)
    pipe: Any = DiffusionPipeline.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    with torch.no_grad():
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                for tensor in (*part.parameters(), *part.buffers()):
                    tensor.data = tensor.data.clone()
    return pipe


def main() -> None:
    folder, threads = sys.argv[1:]
    pipe = load(folder, int(threads))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        began, busy = time.perf_counter(), time.process_time()
        drawn = pipe(
            prompt=asked["prompt"],
            width=asked["width"],
            height=asked["height"],
            num_inference_steps=asked["steps"],
            guidance_scale=asked["guidance"],
            generator=[torch.Generator("cpu").manual_seed(asked["seed"])],
            output_type="np",
        )
        pixels = (drawn.images[0] * 255).round().astype("uint8")
        Image.fromarray(pixels).save(asked["path"], compress_level=3)
        spent = {"seconds": time.perf_counter() - began, "processor": time.process_time() - busy}
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main()
