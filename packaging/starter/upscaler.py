"""Train the x2 upscaler for drawn pictures.

    python packaging/starter/upscaler.py [--work FOLDER] [--seconds 300]

The Compact architecture (SRVGGNet; xinntao/Real-ESRGAN, BSD-3-Clause, describes it): a stack of 3x3 convolutions with
PReLU, a pixel shuffle, and the nearest-neighbour picture added. Its tensors are named as that family names them, so
that whatever loads such a model loads this one.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from data import WORK
from drawing import Artist, choose, styles
from muon import Muon
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

FEATURES: Final = 32
LAYERS: Final = 8
_CROP: Final = 48
_BATCH: Final = 16
_RATE: Final = 3e-3


class Compact(nn.Module):
    """`(n, 3, h, w)` in 0..1 to `(n, 3, 2h, 2w)`."""

    def __init__(self, features: int = FEATURES, layers: int = LAYERS) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)]
        for _ in range(layers):
            parts += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        self.body = nn.Sequential(*parts, nn.Conv2d(features, 12, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.body(x), 2) + functional.interpolate(x, scale_factor=2, mode="nearest")


def drawings(folder: Path, count: int, seed: int) -> NDArray[np.uint8]:
    """`count` pictures of 256 pixels."""
    rng, artist = random.Random(seed), Artist(styles(folder / "styles"))
    return np.stack([artist.draw(choose(rng), rng, side=256) for _ in range(count)])


def halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half as wide and high, by area."""
    side = len(picture) // 2
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """In dB."""
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) / 255**2 + 1e-10))


@torch.no_grad()
def examine(net: Compact, pictures: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean PSNR in dB of the network and of Lanczos on pictures it never saw."""
    ours, lanczos = [], []
    for picture in pictures:
        small = halved(picture)
        x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        shown = (net(x)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        ours.append(psnr(shown, picture))
        lanczos.append(psnr(np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.LANCZOS)), picture))
    return float(np.mean(ours)), float(np.mean(lanczos))


def train(folder: Path, seconds: float, *, count: int = 1200) -> tuple[float, float]:
    """Train for `seconds`, keep `FOLDER/drawn-x2.safetensors`; returns `examine`'s figures."""
    torch.manual_seed(0)
    seen, held = drawings(folder, count, 11), drawings(folder, 60, 12)
    small = np.stack([halved(picture) for picture in seen])
    net = Compact()
    optimiser = Muon(net.parameters())
    rng = np.random.default_rng(0)
    began, step = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        xs, ys = [], []
        for row in rng.integers(0, count, _BATCH):
            top, left = rng.integers(0, 128 - _CROP + 1, 2)
            xs.append(small[row, top : top + _CROP, left : left + _CROP])
            ys.append(seen[row, 2 * top : 2 * (top + _CROP), 2 * left : 2 * (left + _CROP)])
        x, y = (torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2).float() / 255 for part in (xs, ys))
        # A quarter of the batch is soft or noisy, as pictures of a model are: then edges are to be found, not kept.
        worn = _BATCH // 4
        x[:worn] = (
            functional.avg_pool2d(functional.pad(x[:worn], (1, 1, 1, 1), "replicate"), 3, 1) * 0.6 + x[:worn] * 0.4
        )
        x[:worn] += 0.01 * torch.randn_like(x[:worn])
        loss = functional.smooth_l1_loss(net(x), y, beta=0.05)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimiser.step(_RATE * max(0.01, 1 - spent / seconds))
        step += 1
        if step % 200 == 0:
            print(f"upscaler {step} {spent:.0f} s loss {loss.item():.5f}", flush=True)
    save_file(
        {name: weight.contiguous().half() for name, weight in net.state_dict().items()}, folder / "drawn-x2.safetensors"
    )
    ours, lanczos = examine(net, held)
    (folder / "upscaler.figures.json").write_text(json.dumps({"ours": ours, "lanczos": lanczos}), "utf-8")
    return ours, lanczos


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the x2 upscaler.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=300)
    args = parser.parse_args()
    ours, lanczos = train(args.work, args.seconds)
    print(f"upscaler {ours:.2f} dB, Lanczos {lanczos:.2f} dB: {ours - lanczos:+.2f} dB")
