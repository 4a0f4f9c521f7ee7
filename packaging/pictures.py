"""Draw the README's pictures with what ships: `python packaging/pictures.py`, after `make demo` or `make dev`.

A daemon of its own (TENDRED_HOME in a temporary directory) draws each prompt that stands in the README; the strip goes
to packaging/demo/pictures.png. Run it again whenever the starter changes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

from tendred.app.cli import main as tendre
from tendred.app.client import Client
from tendred.config.load import load
from tendred.config.paths import resolve

STRIP: Final = Path(__file__).resolve().parent / "demo" / "pictures.png"
ASKED: Final = (
    ("@mira, laughing, wearing a teal dress on a yellow background", 1),
    ("@mira, surprised, in a red jacket, purple background", 5),
    ("un homme pâle souriant aux cheveux roux avec une barbe, pull vert, fond bleu", 1),
    ("landscape of red, orange, yellow and green hills under a blue sky with a white sun", 7),
    ("purple pear-shaped clay creature with antennae, one eye and a toothy mouth, yellow background", 1),
)
"""Prompts and seeds, as the README has them."""


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ["TENDRED_HOME"] = home
        if code := tendre(["up"]):
            return code
        try:
            client = Client.find(resolve(load().config.paths))
            shown = [_draw(client, prompt, seed) for prompt, seed in ASKED]
        finally:
            tendre(["down"])
    strip = Image.new("RGB", (sum(one.width for one in shown), shown[0].height))
    for number, one in enumerate(shown):
        strip.paste(one, (number * one.width, 0))
    # A palette halves the file, and nobody sees it in flat drawings.
    strip.quantize(192, dither=Image.Dither.NONE).save(STRIP, optimize=True)
    print(f"{STRIP.name}: {strip.width} x {strip.height}, {STRIP.stat().st_size} bytes")
    return 0


def _draw(client: Client, prompt: str, seed: int) -> Image.Image:
    job = client.call("images.generate", prompt=prompt, seed=seed)["job"]
    while job["state"] in {"queued", "running"}:
        job = client.call("jobs.wait", job_id=job["id"], timeout_s=20)
    if job["error"]:
        raise SystemExit(f"{prompt}: {job['error']['message']}")
    print(f"  {prompt} (seed {seed})")
    with Image.open(client.call("library.get", asset_id=job["asset_ids"][0])["path"]) as picture:
        return picture.convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
