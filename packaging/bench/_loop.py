"""The bare loop: the same pipeline, called again and again. Reads requests and writes seconds, a JSON line each."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from PIL import Image

from tendred.engine.worker import device
from tendred.engine.worker.load import load


def main() -> None:
    name, folder, threads = sys.argv[1:]
    device.settle(int(threads))
    resident = load(name, folder, device.pick("auto"))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        began, busy = time.perf_counter(), time.process_time()
        drawn = resident.pipe(
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
