"""Train the autoencoder: first both halves, then the decoder alone on latents that don't move any more.

    python packaging/starter/vae.py [--work FOLDER] [--seconds 2400]
    python packaging/starter/vae.py --decoder [--seconds 900]

Goes on from `FOLDER/vae` when there is one, else from the VAE of the starter that ships. Everything later is trained on
its latents, so it is run before the UNet; `--decoder` leaves the encoder as it is and may be run at any time after.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from data import WORK, descriptions, drawings, rows_of
from diffusers import AutoencoderKL
from drawing import SIDE, close
from latents import latents, tensor
from lora import draw, scenes
from muon import Muon
from text import SHIPPED
from torch import Tensor
from torch.nn import functional

RATE: Final = 1e-3
_KL: Final = 1e-7
"""Small, so that faint lines are worth their place in the latents."""
_NOISE: Final = 0.07
_CLOSER: Final = 5.0
_FAINT: Final = 0.05
"""Contrast, of 2, below which there is nothing to see."""
_MIRAS: Final = 240
_FLAT: Final = 0.2
"""What a pixel counts in the middle of flat colour; elsewhere the contrast round it, of 2, is added."""


def psnr(x: Tensor, y: Tensor) -> float:
    """Of pictures in -1..1, in dB, the mean over pictures."""
    return (-10 * torch.log10(((x - y.clamp(-1, 1)) / 2).square().mean((1, 2, 3)))).mean().item()


def loss(y: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Absolute and square error, that of edges, and the square of that relative to local contrast.

    `weight`, `(n, 1, h, w)`, says how much each pixel counts, beside what is drawn there: flat colour is soon right.

    The last makes gray hair on a gray wall, or a mouth in a dark face, count like black on white. Without it they
    vanish, and they do with absolute values alone: where a thin line can't be placed to the pixel, the least of those is
    no line.
    """

    def edges(t: Tensor) -> tuple[Tensor, Tensor]:
        return t[..., 1:] - t[..., :-1], t[..., 1:, :] - t[..., :-1, :]

    with torch.no_grad():
        contrast = (functional.max_pool2d(x, 5, 1, 2) + functional.max_pool2d(-x, 5, 1, 2)).mean(1, keepdim=True)
        size = _FLAT + contrast if weight is None else (_FLAT + contrast) * weight
        size = size / size.mean((1, 2, 3), keepdim=True)
        contrast = contrast + _FAINT
    error = (y - x).abs()
    found = ((0.3 * error + error.square() + 0.5 * (error / contrast).square()) * size).mean()
    for a, b, part in zip(edges(y), edges(x), (size[..., 1:], size[..., 1:, :]), strict=True):
        found = found + 0.5 * ((a - b).abs() * part).mean()
    return found


def weights(subjects: list[str]) -> Tensor:
    """For `loss`: what is close (`drawing.close`) counts `_CLOSER` times as much as the rest."""
    found = torch.ones(len(subjects), 1, SIDE, SIDE)
    for one, subject in zip(found, subjects, strict=True):
        rows, columns = close(subject)
        one[:, rows, columns] = _CLOSER
    return found


def train(folder: Path, seconds: float, *, decoder: bool) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(int(time.time()))
    kept = folder / "vae"
    vae = AutoencoderKL.from_pretrained(kept if kept.exists() else SHIPPED / "vae", torch_dtype=torch.float32)
    drawn = drawings(folder, "train")
    described = descriptions(folder, "train")
    # Few in a batch, but whole pictures: group norm sees other numbers in a piece of one. The ring round a glowing sun
    # is the thinnest line there is, and nobody else wears glasses like Mira's (lora.py).
    kinds = [
        rows_of(described, "subject", "woman", "man"),
        rows_of(described, "subject", "landscape"),
        rows_of(described, "subject", "creature"),
        rows_of(described, "sun", "glow"),
    ]
    mira = tensor(draw(folder, scenes(_MIRAS, 31, examination=False)))
    held = tensor(drawings(folder, "judge")[:32])
    learning = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    if decoder:
        known, _ = latents(folder, vae)
        with torch.no_grad():
            hers = torch.cat([vae.encode(part).latent_dist.mean for part in mira.split(40)])
    else:
        learning += [*vae.encoder.parameters(), *vae.quant_conv.parameters()]
    optimiser = Muon(learning)
    began, step, total = time.monotonic(), 0, 0.0
    while (spent := time.monotonic() - began) < seconds:
        rate = RATE * min(1, (step + 1) / 50) * max(0.02, 1 - spent / seconds)
        rows = np.array([rng.choice(kind) for kind in kinds])
        one = rng.integers(_MIRAS, size=1)
        x = torch.cat([tensor(drawn[rows]), mira[one]]).contiguous()
        weight = weights([*(described[row]["subject"] for row in rows), "woman"])
        if decoder:
            z = torch.cat([known[rows], hers[one]])
            # Somewhat noisy, as the UNet's are.
            found = loss(vae.decode(z + _NOISE * torch.randn_like(z)).sample, x, weight)
        else:
            coded = vae.encode(x).latent_dist
            found = loss(vae.decode(coded.sample()).sample, x, weight) + _KL * coded.kl().mean()
        found.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step(rate)
        step, total = step + 1, total + found.item()
        if step % 100 == 0:
            with torch.no_grad():
                coded = vae.encode(held).latent_dist
                shown = vae.decode(coded.mean).sample
            print(f"vae {step} {spent:.0f} s loss {total / 100:.4f}, held out {loss(shown, held):.4f} {psnr(held, shown):.2f} dB, "
                  f"latents {coded.mean.std():.3f} +- {coded.std.mean():.3f}", flush=True)  # fmt: skip
            total = 0.0
    if not decoder:
        with torch.no_grad():
            spread = torch.cat(
                [vae.encode(tensor(drawn[i : i + 50])).latent_dist.mean for i in range(0, 500, 50)]
            ).std()
        vae.register_to_config(scaling_factor=float(1 / spread))
        (folder / "latents.safetensors").unlink(missing_ok=True)
    vae.save_pretrained(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the starter's autoencoder.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=2400)
    parser.add_argument("--decoder", action="store_true", help="leave the encoder as it is")
    args = parser.parse_args()
    train(args.work, args.seconds, decoder=args.decoder)
