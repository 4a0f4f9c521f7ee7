"""Rough pictures of what is being drawn, for whoever looks on. Nothing here touches what the pipeline works with.

Denoised latents (see `denoised`) become colours by the model's preview decoder (see load), else by a linear map: colours
are nearly linear in the latents of the usual autoencoders. The map is fitted once for each load, by least squares, on flat
patches of colour sent through the model's own encoder.
"""

from __future__ import annotations

import copy
import time
import traceback
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from tendred.engine.worker.company import Company
from tendred.engine.worker.denoised import Way
from tendred.schema.still import Still
from tendred.schema.work import PREVIEW_SIDE

FOLDER: Final = "preview"
"""Where a model's own preview decoder lies, in diffusers' layout (`AutoencoderTiny`)."""
APART_S: Final = 0.3
SHARE: Final = 0.02
"""Of the time of drawing, so much may go to previews."""
_PATCHES: Final = 8
_PATCH: Final = 24
"""Pixels: a multiple of what any autoencoder shrinks by, so that most latents see one colour only."""
_RIDGE: Final = 1e-3


class Eye:
    """A model's way of showing its latents. Lives as long as the model is in memory."""

    def __init__(self, decoder: Any, vae: Any) -> None:
        """`decoder`: the model's own, or None. `vae`: what the linear map is fitted to, or None."""
        self._decoder = decoder
        self._vae = vae
        self._map: torch.Tensor | None = None
        self.blind = decoder is None and vae is None
        """It can't be done with this model, and isn't tried again."""
        self.due = 0.0

    @torch.no_grad()
    def see(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (1, c, h, w) as uint8 RGB (height, width, 3), both sides at most PREVIEW_SIDE."""
        if self._decoder is not None:
            scale = 2 ** (len(self._decoder.config.decoder_block_out_channels) - 1)
            fitting = _fitting(latents, PREVIEW_SIDE // scale)
            picture = self._decoder.decode(fitting.to(self._decoder.dtype)).sample[0].float()
        else:
            fitting = _fitting(latents, PREVIEW_SIDE)[0].float().cpu()
            picture = torch.einsum("chw,cr->rhw", _with_ones(fitting), self.colours)
        shown = picture.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        return shown.permute(1, 2, 0).contiguous().cpu()

    @property
    def colours(self) -> torch.Tensor:
        """The linear map, (c + 1, 3), fitted when it is first wanted."""
        if self._map is None:
            self._map = fit(self._vae)
            self._vae = None
        return self._map

    def prepare(self) -> None:
        """Have ready what is made once, so that it doesn't count as the time of one preview."""
        if self._decoder is None:
            _ = self.colours


def decoder_of(folder: Path, device: str, dtype: torch.dtype) -> Any:
    """The model's own preview decoder, loaded; None where it has none, or none that can be used."""
    if not (folder / FOLDER / "config.json").is_file():
        return None
    try:
        loaded: Any = AutoencoderTiny.from_pretrained(
            folder / FOLDER, local_files_only=True, use_safetensors=True, dtype=dtype
        )
        return loaded.to(device).eval()
    except Exception:  # noqa: BLE001  a model is none the worse for a broken preview decoder
        traceback.print_exc()
        return None


@torch.no_grad()
def fit(vae: Any) -> torch.Tensor:
    """Least squares from the latents that a pipeline works with to colours from -1 to 1: (channels + 1, 3), bias last."""
    generator = torch.Generator("cpu").manual_seed(0)
    colours = torch.rand((1, 3, _PATCHES, _PATCHES), generator=generator) * 2 - 1
    picture = colours.repeat_interleave(_PATCH, 2).repeat_interleave(_PATCH, 3)
    # Some overflow half precision; and the one that draws is left alone.
    own = copy.deepcopy(vae).float() if vae.dtype == torch.float16 else vae
    coded = own.encode(picture.to(device=own.device, dtype=own.dtype))
    found = coded.latents if hasattr(coded, "latents") else coded.latent_dist.mean
    scale, shift = (getattr(vae.config, name, None) for name in ("scaling_factor", "shift_factor"))
    latents = ((found[0].float().cpu() - (shift or 0.0)) * (scale or 1.0)).double()
    wanted = functional.adaptive_avg_pool2d(picture.double(), latents.shape[1:])[0]
    rows, targets = _with_ones(latents).flatten(1).T, wanted.flatten(1).T
    # Flat colours excite few directions of the latents; the ridge keeps the others from counting for much.
    ridge = _RIDGE * len(rows) * torch.eye(rows.shape[1], dtype=rows.dtype)
    solved: torch.Tensor = torch.linalg.solve(rows.T @ rows + ridge, rows.T @ targets).float()
    if not bool(torch.isfinite(solved).all()):
        raise ValueError("its autoencoder gave numbers that are none")
    return solved


class Watcher:
    """Shows pictures while they are drawn, as long as somebody looks on."""

    def __init__(self, company: Company, still: Still, eye: Eye) -> None:
        self._company = company
        self._still = still
        self._eye = eye
        self._way: Way | None = None
        eye.due = max(eye.due, time.perf_counter() + APART_S)

    def look(self, pipe: Any, step: int, steps: int, latents: torch.Tensor | None) -> None:
        """After a step. Never raises: a preview that fails is none, and the picture goes on."""
        if self._eye.blind or latents is None or not self._company.jobs[0].pipes.watched:
            self._way = None
            return
        try:
            self._look(pipe, step, steps, latents)
        except Exception:  # noqa: BLE001  whatever it was, the picture is worth more than a look at it
            self._eye.blind = True
            traceback.print_exc()

    def _look(self, pipe: Any, step: int, steps: int, latents: torch.Tensor) -> None:
        self._way = self._way or Way(pipe.scheduler)
        self._way.pass_by(step, steps, latents)
        # After the last step the picture itself is next.
        if time.perf_counter() < self._eye.due or step == steps or (goal := self._way.goal()) is None:
            return
        self._eye.prepare()
        began = time.perf_counter()
        for place, (job, index) in enumerate(self._company.seats):
            if self._company.wants(job):
                picture = self._eye.see(_unpacked(pipe, goal[place : place + 1], self._still))
                height, width, _ = picture.shape
                job.glimpse(index, step, steps, (width, height), bytes(picture.numpy().data))
        ended = time.perf_counter()
        self._eye.due = ended + max(APART_S, (ended - began) / SHARE)


def _unpacked(pipe: Any, latents: torch.Tensor, still: Still) -> torch.Tensor:
    """As a picture: (1, c, h, w)."""
    if latents.ndim == 3:  # noqa: PLR2004  a row of patches
        latents = pipe._unpack_latents(latents, still.height, still.width, pipe.vae_scale_factor)  # noqa: SLF001
    return latents[:1, :, 0] if latents.ndim == 5 else latents[:1]  # noqa: PLR2004  with a time of one


def _fitting(latents: torch.Tensor, most: int) -> torch.Tensor:
    height, width = latents.shape[-2:]
    share = min(1.0, most / max(height, width))
    if share == 1.0:
        return latents
    return functional.interpolate(latents, (max(1, int(height * share)), max(1, int(width * share))), mode="area")


def _with_ones(latents: torch.Tensor) -> torch.Tensor:
    return torch.cat([latents, torch.ones_like(latents[:1])])
