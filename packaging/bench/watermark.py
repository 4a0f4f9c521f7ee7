"""The mark in the pixels: whether it is read again after what pictures go through, in flat drawings and in busy ones.

With `invisible-watermark` and `onnxruntime` installed, its RivaGAN is asked the same of the same pictures.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from _house import Table, arguments, median, ms
from PIL import Image, ImageDraw

from tendred.media.worker import watermark

Picture = Image.Image


def flat(seed: int, side: int) -> Picture:
    """Plain shapes on a plain ground, with pure black and white among the colours, as drawings have them."""
    rng = random.Random(seed)

    def colour() -> tuple[int, ...]:
        return tuple(rng.choice((0, 255, rng.randrange(256))) for _ in range(3))

    picture = Image.new("RGB", (side * 2, side * 2), colour())
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.randrange(2, 9)):
        x, y = rng.randrange(2 * side), rng.randrange(2 * side)
        a, b = rng.randrange(side // 4, side) // 2, rng.randrange(side // 4, side) // 2
        (pen.ellipse if rng.random() < 0.6 else pen.rectangle)((x - a, y - b, x + a, y + b), fill=colour())
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def busy(seed: int, side: int) -> Picture:
    """Detail at every size, less of it the smaller, as in a photograph."""
    seeded, whole = np.random.default_rng(seed), np.zeros((side, side, 3))
    for cells in (4, 16, 64, 256):
        noise = seeded.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        whole += np.asarray(Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)) / cells**0.5
    return Image.fromarray((whole * 255 / whole.max()).astype(np.uint8))


def saved(picture: Picture, form: str, quality: int) -> Picture:
    out = io.BytesIO()
    picture.save(out, form, quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def crop(picture: Picture) -> Picture:
    """80 % of each side, from a place that is no multiple of anything."""
    width, height = (side * 4 // 5 for side in picture.size)
    return picture.crop((13, 7, 13 + width, 7 + height))


AFTER: dict[str, Callable[[Picture], Picture]] = {
    "as published": lambda it: it,
    "JPEG 75": lambda it: saved(it, "JPEG", 75),
    "80 % crop": crop,
    "80 % crop, then JPEG 75": lambda it: saved(crop(it), "JPEG", 75),
    "JPEG 50": lambda it: saved(it, "JPEG", 50),
    "WebP 75": lambda it: saved(it, "WEBP", 75),
    "half as large": lambda it: it.resize((it.width // 2, it.height // 2), Image.Resampling.LANCZOS),
}
TARGETS = {"as published": 99, "JPEG 75": 95, "80 % crop": 95}


class Riva:
    """The network of `invisible-watermark`: 32 bits, all of which must be right."""

    def __init__(self) -> None:
        import onnxruntime

        place = Path(str(util.find_spec("imwatermark").submodule_search_locations[0]))  # type: ignore[union-attr]
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(place / f"rivagan_{it}.onnx") for it in ("encoder", "decoder")
        )

    @staticmethod
    def frame(picture: Picture) -> Any:
        values = np.asarray(picture, np.float32)[:, :, ::-1] / 127.5 - 1
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None, :, None])

    def embed(self, picture: Picture, bits: Any) -> Picture:
        found = self.encoder.run(None, {"frame": self.frame(picture), "data": bits[None].astype(np.float32)})[0]
        return Image.fromarray(
            np.rint((np.clip(found[0, :, 0].transpose(1, 2, 0)[:, :, ::-1], -1, 1) + 1) * 127.5).astype(np.uint8)
        )

    def read(self, picture: Picture) -> Any:
        return self.decoder.run(None, {"frame": self.frame(picture)})[0][0] > 0.52


def psnr(one: Picture, other: Picture) -> float:
    error = np.mean((np.asarray(one, float) - np.asarray(other, float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def ours(table: Table, name: str, draw: Callable[[int, int], Picture], count: int, side: int) -> None:
    read, loss, cost, false = dict.fromkeys(AFTER, 0), [], [], 0
    for seed in range(count):
        number, before = random.Random(f"{name}{seed}").randrange(65536), draw(seed, side)
        began = time.process_time()
        marked = watermark.embed(before, number)
        cost.append(time.process_time() - began)
        loss.append(psnr(before, marked))
        false += watermark.read(before) is not None
        for after, change in AFTER.items():
            read[after] += watermark.read(change(marked)) == number
    for after, hits in read.items():
        target = f"{TARGETS[after]} %" if after in TARGETS else ""
        table.add(f"{name}, {after}", f"{hits}/{count}", target)
    table.add(f"{name}, read where there is none", f"{false}/{count}", "0")
    table.add(f"{name}, PSNR of the marked picture, median", f"{median(loss):.1f} dB")
    table.add(f"{name}, processor time of marking, median", ms(median(cost)))


def theirs(table: Table, name: str, draw: Callable[[int, int], Picture], count: int, side: int) -> None:
    riva = Riva()
    read, right, cost = 0, [], []
    for seed in range(count):
        bits, before = np.random.default_rng(seed).integers(0, 2, 32), draw(seed, side)
        began = time.process_time()
        marked = riva.embed(before, bits)
        cost.append(time.process_time() - began)
        same = int((riva.read(marked) == bits).sum())
        right.append(same)
        read += same == bits.size
    table.add(f"RivaGAN: {name}, as published", f"{read}/{count}", "", f"median {median(right):g} of 32 bits right")
    table.add(f"RivaGAN: {name}, processor time of marking, median", ms(median(cost)))


def main() -> None:
    options = arguments(
        __doc__,
        pictures=(100, 3, "pictures of each kind"),
        side=(512, 512, "pixels of a side"),
        riva=(5, 1, "for RivaGAN"),
    )
    table = Table(f"the mark in {options.pictures} flat and {options.pictures} busy pictures of {options.side} px")
    for name, draw in (("flat", flat), ("busy", busy)):
        ours(table, name, draw, options.pictures, options.side)
    if util.find_spec("imwatermark") and util.find_spec("onnxruntime"):
        for name, draw in (("flat", flat), ("busy", busy)):
            theirs(table, name, draw, options.riva, options.side)


if __name__ == "__main__":
    main()
