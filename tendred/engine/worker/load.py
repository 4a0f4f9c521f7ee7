"""A model folder into memory: nothing from the network, no code of its own, no pickle, the same bits each time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from diffusers import DiffusionPipeline

from tendred.engine.worker import device as devices
from tendred.engine.worker.loop import in_short
from tendred.engine.worker.memory import ran_out
from tendred.errors import ModelMissing, ModelRefused

_LIBRARIES: Final = frozenset({None, "diffusers", "transformers"})
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass
class Resident:
    """A model in memory. `parameters` are the names its pipeline's call takes."""

    name: str
    path: str
    pipe: Any
    device: str
    dtype: str
    bytes: int
    parameters: frozenset[str]


def load(name: str, path: str, device: str) -> Resident:
    """Load a diffusers folder. Raises ModelMissing or ModelRefused; memory trouble goes through as it is."""
    index = _read_index(name, Path(path))
    dtype = devices.number_format(device, unet="unet" in index)
    try:
        pipe: Any = DiffusionPipeline.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=dtype, trust_remote_code=False
        )
    except Exception as problem:
        if ran_out(problem):
            raise
        raise ModelRefused(name=name, reason=_reason(Path(path), problem), problem=in_short(problem)) from problem
    parameters = _parameters(name, pipe)
    pipe.set_progress_bar_config(disable=True)
    if getattr(pipe, "watermark", None) is not None:
        # SDXL paints one in whenever a certain package happens to be installed; marking is done elsewhere, for all.
        pipe.watermark = None
    if device == "cpu":
        _settle_weights(pipe)
    else:
        pipe.to(device)
    dtype_name = str(dtype).removeprefix("torch.")
    return Resident(name, path, pipe, device, dtype_name, _count_bytes(pipe), parameters)


def _read_index(name: str, folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
        parts = {key: value for key, value in index.items() if not key.startswith("_") and isinstance(value, list)}
        libraries = {value[0] for value in parts.values()}
    except OSError as problem:
        raise ModelMissing("gone", name=name, folder=str(folder)) from problem
    except (ValueError, AttributeError, IndexError, TypeError) as problem:
        raise ModelRefused(name=name, reason="metadata", problem=in_short(problem)) from problem
    # diffusers imports whatever module the index names; only its own and transformers' are models.
    for library in libraries - _LIBRARIES:
        if not hasattr(diffusers.pipelines, str(library)):
            raise ModelRefused(name=name, reason="remote_code", problem=f"model_index.json names {library}")
    return parts


def _parameters(name: str, pipe: Any) -> frozenset[str]:
    """The names that the pipeline's call takes; a pipeline that makes no still from words is refused."""
    import inspect

    known = frozenset(inspect.signature(type(pipe).__call__).parameters)
    if not known >= {"prompt", "width", "height"} or "num_frames" in known:
        problem = f"{type(pipe).__name__} makes no still from words"
        raise ModelRefused(name=name, reason="family", problem=problem)
    return known


def _reason(folder: Path, problem: BaseException) -> str:
    words = str(problem)
    if "trust_remote_code" in words or "remote code" in words:
        return "remote_code"
    if "Safetensor" in type(problem).__name__:
        return "header"
    pickles = any(next(folder.rglob(pattern), None) is not None for pattern in _PICKLES)
    return "pickle" if pickles and "safetensors" in words else "metadata"


def _settle_weights(pipe: Any) -> None:
    """Copy every weight out of the mapped file.

    Where a tensor begins in memory decides which kernel reads it, and so the last bits of the picture; a mapped
    file puts it wherever its header ends. Fresh allocations are all aligned alike.
    """
    with torch.no_grad():
        for module in devices.modules(pipe):
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.data = tensor.data.clone()


def _count_bytes(pipe: Any) -> int:
    tensors = {
        id(tensor): tensor.numel() * tensor.element_size()
        for module in devices.modules(pipe)
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(tensors.values())
