"""Train the preview decoder: the latents' picture in a tenth of the time, for looking on while a still is drawn.

    python packaging/starter/preview.py [--work FOLDER] [--seconds 240]

TAESD's architecture (madebyollin/taesd, MIT; `diffusers.AutoencoderTiny`), narrower. It learns from the latents of the
training pictures and never sees the large decoder.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from data import WORK, drawings
from diffusers import AutoencoderKL, AutoencoderTiny
from latents import latents, tensor
from muon import Muon
from vae import loss, psnr

_WIDTH: Final = 24
_BATCH: Final = 8
_RATE: Final = 3e-3


def make() -> AutoencoderTiny:
    """An untrained one for eight latent channels."""
    widths = (_WIDTH,) * 4
    return AutoencoderTiny(
        latent_channels=8, encoder_block_out_channels=widths, decoder_block_out_channels=widths,
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(2, 2, 1, 1), scaling_factor=1.0,
    )  # fmt: skip


def train(folder: Path, seconds: float) -> float:
    """Train for `seconds`, keep `FOLDER/preview`; returns the PSNR in dB on drawings it never saw."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
    coded, _ = latents(folder, vae)
    scale = float(vae.config.scaling_factor)
    drawn = drawings(folder, "train")
    tiny = make().to(memory_format=torch.channels_last)
    optimiser = Muon(tiny.parameters())
    began, step = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        rows = np.sort(rng.integers(0, len(coded), _BATCH))
        x, z = tensor(drawn[rows]), coded[rows] * scale
        # Half-drawn latents are noisy: it must not fall over them.
        shown = tiny.decode((z + 0.05 * torch.randn_like(z)).contiguous(memory_format=torch.channels_last)).sample
        found = loss(shown, x) + (tiny.encode(x).latents - z).square().mean()
        found.backward()
        torch.nn.utils.clip_grad_norm_(tiny.parameters(), 1.0)
        optimiser.step(_RATE * min(1, (step + 1) / 50) * max(0.01, 1 - spent / seconds))
        step += 1
        if step % 100 == 0:
            print(f"preview {step} {spent:.0f} s loss {found.item():.4f}", flush=True)
    tiny.save_pretrained(folder / "preview")
    held = tensor(drawings(folder, "judge")[:64])
    with torch.no_grad():
        return psnr(held, tiny.decode(vae.encode(held).latent_dist.mean * scale).sample)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the preview decoder.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=240)
    args = parser.parse_args()
    print(f"preview decoder: {train(args.work, args.seconds):.2f} dB on drawings never seen")
