"""LoRA files made without torch: whole and well-formed, with values that depend on a seed alone."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tendred.models.header import read_header
from tendred.testing.tiny import STARTER

RANK: Final = 2
LAYER: Final = ".attn2.to_q.weight"
_BYTES: Final = 4


def layers(model: Path = STARTER) -> dict[str, tuple[int, int]]:
    """Some layers of a model's UNet, with how many values go in and come out."""
    [file] = (model / "unet").glob("*.safetensors")
    tensors = read_header(file, "model").tensors
    return {
        key.removesuffix(".weight"): (tensor.shape[1], tensor.shape[0])
        for key, tensor in tensors.items()
        if key.endswith(LAYER)
    }


def shapes(places: Mapping[str, tuple[int, int]], prefix: str = "unet.") -> dict[str, list[int]]:
    """The keys of a LoRA for these layers, as peft names them."""
    found: dict[str, list[int]] = {}
    for layer, (wide, high) in places.items():
        found[f"{prefix}{layer}.lora_A.weight"] = [RANK, wide]
        found[f"{prefix}{layer}.lora_B.weight"] = [high, RANK]
    return found


def write(
    file: Path,
    keys: Mapping[str, list[int]] | None = None,
    *,
    metadata: Mapping[str, str] = MappingProxyType({}),
    seed: int = 0,
    about: Mapping[str, str] | None = None,
) -> Path:
    """Write a file; without `keys`, one for the starter. `about` becomes the JSON beside it."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for key, shape in (shapes(layers()) if keys is None else keys).items():
        size = _BYTES
        for side in shape:
            size *= side
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = msgspec.json.encode(header)
    noise = hashlib.shake_256(str(seed).encode()).digest(end // _BYTES)
    data = b"".join(struct.pack("<f", value / 1000) for value in noise)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    if about is not None:
        file.with_suffix(".json").write_bytes(msgspec.json.encode(about))
    return file


def mira(root: Path) -> Path:
    """The LoRA that ships, as far as the daemon looks: in `root` as in the package's folder of models."""
    about = {"name": "mira", "family": "sdxl", "base": "starter", "licence": "Apache-2.0", "source": "made by a test"}
    return write(root / "loras" / "mira.safetensors", about=about)
