"""The training pictures as the encoder sees them, worked out once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from data import drawings
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CELL: Final = 8
"""Pixels of a side of what one latent stands for."""


def tensor(drawn: NDArray) -> Tensor:
    """uint8 `(n, h, w, 3)` to float `(n, 3, h, w)` in -1..1."""
    return (torch.tensor(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def latents(folder: Path, vae: AutoencoderKL) -> tuple[Tensor, Tensor]:
    """`(count, 8, 16, 16)`, unscaled, and how busy each cell is, `(count, 1, 16, 16)`, one on the mean.

    Kept in `latents.safetensors`: remove it whenever the encoder has been trained again.
    """
    kept = folder / "latents.safetensors"
    if kept.exists():
        found = load_file(kept)
    else:
        pictures = drawings(folder, "train")
        coded, busy = [], []
        for first in range(0, len(pictures), 100):
            x = tensor(pictures[first : first + 100])
            with torch.no_grad():
                coded.append(vae.encode(x).latent_dist.mean)
            edges = nn.functional.pad((x[..., 1:] - x[..., :-1]).abs(), (0, 1))
            edges = edges + nn.functional.pad((x[..., 1:, :] - x[..., :-1, :]).abs(), (0, 0, 0, 1))
            busy.append(nn.functional.avg_pool2d(edges.mean(1, keepdim=True), CELL))
            print(f"\rlatents: {first + len(x)} of {len(pictures)}", end="", flush=True)
        print()
        weight = (torch.cat(busy) / torch.cat(busy).mean()).clamp(max=4) + 0.5
        found = {"latents": torch.cat(coded).contiguous(), "busy": (weight / weight.mean()).contiguous()}
        save_file(found, kept)
    return found["latents"], found["busy"]
