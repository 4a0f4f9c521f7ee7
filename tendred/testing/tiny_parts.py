"""Parts for tiny models, random like them: ControlNets and autoencoders as folders and files. See `tiny`."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any


def controlnet(folder: Path, model: Path, seed: int) -> Path:
    """A ControlNet for a folder with a UNet. None of its values is zero: new ones would guide nothing."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    torch.manual_seed(seed)
    unet = diffusers.UNet2DConditionModel.from_pretrained(model, subfolder="unet", local_files_only=True)
    net = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 16, 16, 16))
    with torch.no_grad():
        for value in net.parameters():
            value.add_(torch.randn_like(value) * 0.02)
    net.save_pretrained(folder, safe_serialization=True)
    return folder


def vae(folder: Path, model: Path, seed: int) -> Path:
    """Another autoencoder of the sizes of a model's own."""
    torch: Any = importlib.import_module("torch")
    diffusers: Any = importlib.import_module("diffusers")
    torch.manual_seed(seed)
    config = diffusers.AutoencoderKL.load_config(model, subfolder="vae", local_files_only=True)
    diffusers.AutoencoderKL.from_config(config).save_pretrained(folder, safe_serialization=True)
    return folder


def compact(file: Path, scale: int, seed: int, features: int = 8, layers: int = 3) -> Path:
    """An upscaler of the Compact architecture, as trainers write them."""
    torch: Any = importlib.import_module("torch")
    safetensors: Any = importlib.import_module("safetensors.torch")
    torch.manual_seed(seed)
    wide = [3, *[features] * (layers + 1)]
    state: dict[str, Any] = {}
    for number, (entering, leaving) in enumerate(itertools.pairwise(wide)):
        state[f"body.{2 * number}.weight"] = torch.randn(leaving, entering, 3, 3) * 0.15
        state[f"body.{2 * number}.bias"] = torch.randn(leaving) * 0.05
        state[f"body.{2 * number + 1}.weight"] = torch.rand(leaving) * 0.3
    last = 2 * (layers + 1)
    state[f"body.{last}.weight"] = torch.randn(3 * scale**2, features, 3, 3) * 0.05
    state[f"body.{last}.bias"] = torch.zeros(3 * scale**2)
    file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.save_file(state, file)
    return file
