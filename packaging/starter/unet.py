"""Train the UNet, guided by what the text encoders have learnt.

    python packaging/starter/unet.py [--work FOLDER] [--seconds 5100] [--settle]

Goes on from `FOLDER/unet` when there is one, else from the UNet of the starter that ships. Without `--settle` the learning
rate stays up, so that a later call can go on; with it the rate falls to nothing over the whole of this call.

The loss is the v-prediction's mean square (Salimans & Ho 2022), weighted by how much is drawn in each latent cell and
by where it is: a face fills a tenth of a picture, a mouth two cells, and a mouth on dark skin is hardly there.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Final

import torch
from data import WORK, descriptions, rows_of
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from drawing import SIDE, close
from grammar import caption, nothing, some
from latents import CELL, latents
from muon import Muon
from text import SHIPPED, encode
from text import load as load_text
from torch import Tensor, nn

RATE: Final = 5e-4
_BATCH: Final = 32
_SHUNNED: Final = 0.1
"""How often a caption is left away, for guidance (Ho & Salimans 2022)."""
_KEEP_S: Final = 600
_CLOSER: Final = 4.0
"""How much more than elsewhere counts where the difference is (`drawing.close`)."""


def schedule() -> DDPMScheduler:
    return DDPMScheduler(
        1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type="v_prediction"
    )


class Average:
    """An exponential moving average of parameters: what is kept in the end."""

    def __init__(self, parameters: list[nn.Parameter], decay: float) -> None:
        self._parameters, self._decay, self._steps = parameters, decay, 0
        self._mean = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def step(self) -> None:
        self._steps += 1
        decay = min(self._decay, (self._steps + 1) / (self._steps + 10))
        torch._foreach_lerp_(self._mean, [p.detach() for p in self._parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """The mean into the parameters and the parameters out, or back."""
        for mean, parameter in zip(self._mean, self._parameters, strict=True):
            held = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(held)


class Pupil:
    """A UNet and its readers, with a loss."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        vae = AutoencoderKL.from_pretrained(folder / "vae")
        self._latents, self._busy = latents(folder, vae)
        self._latents = self._latents * vae.config.scaling_factor
        self._described = descriptions(folder, "train")
        self._hills = torch.from_numpy(rows_of(self._described, "subject", "landscape"))
        for row, attributes in enumerate(self._described):
            rows, columns = (slice(part.start // CELL, part.stop // CELL) for part in close(attributes["subject"]))
            self._busy[row, :, rows, columns] *= _CLOSER
        self._busy = self._busy / self._busy.mean()
        self.unet = UNet2DConditionModel.from_pretrained(
            folder if (folder / "unet").exists() else SHIPPED, subfolder="unet", torch_dtype=torch.float32
        )
        self.unet.to(memory_format=torch.channels_last).train()
        self._words, self._reader = load_text(folder / "text")
        self._schedule = schedule()
        side = float(SIDE)
        self._sizes = torch.tensor([[side, side, 0, 0, side, side]]).expand(_BATCH, 6)
        self._rng = random.Random(time.time_ns())

    def loss(self) -> Tensor:
        """Of one batch."""
        # Two thirds are landscapes and the rest comes as it comes: nothing else teaches what stands in a sky.
        rows = torch.randint(0, len(self._latents), (_BATCH,))
        more = _BATCH * 2 // 3
        rows[:more] = self._hills[torch.randint(0, len(self._hills), (more,))]
        z = self._latents[rows].contiguous(memory_format=torch.channels_last)
        noise = torch.randn_like(z)
        # One time from each equal share: less chance in a small batch than all of them at random.
        times = ((torch.randperm(_BATCH) + torch.rand(_BATCH)) / _BATCH * 1000).long().clamp(max=999)
        # The encoders stay as they are: a tenth of the time, and what they know of words is not unlearnt.
        with torch.no_grad():
            states, pooled = self._reader(encode(self._words, [self._text(row) for row in rows.tolist()]))
        guess = self.unet(
            self._schedule.add_noise(z, noise, times), times, states,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": self._sizes},
        ).sample  # fmt: skip
        return ((guess - self._schedule.get_velocity(z, noise, times)).square() * self._busy[rows]).mean()

    def _text(self, row: int) -> str:
        if self._rng.random() < _SHUNNED:
            return nothing(self._rng)
        return caption(some(self._described[row], self._rng), self._rng)

    def save(self) -> None:
        self.unet.save_pretrained(self._folder / "unet")


def train(folder: Path, seconds: float, *, settle: bool) -> None:
    torch.manual_seed(int(time.time()))
    pupil = Pupil(folder)
    parameters = list(pupil.unet.parameters())
    optimiser = Muon(parameters)
    average = Average(parameters, 0.998)
    started, step, total, kept = time.monotonic(), 0, 0.0, 0.0
    while (spent := time.monotonic() - started) < seconds:
        rate = RATE * min(1, (step + 1) / 100) * (max(0.01, 1 - spent / seconds) if settle else 1)
        loss = pupil.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step(rate)
        average.step()
        step, total = step + 1, total + loss.item()
        if step % 50 == 0:
            print(f"unet {step} {spent:.0f} s loss {total / 50:.4f} {step * _BATCH / spent:.1f} pictures/s", flush=True)
            total = 0.0
        if spent - kept > _KEEP_S:
            kept = spent
            average.swap()
            pupil.save()
            average.swap()
    average.swap()
    pupil.save()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the starter's UNet.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=5100)
    parser.add_argument("--settle", action="store_true")
    args = parser.parse_args()
    train(args.work, args.seconds, settle=args.settle)
