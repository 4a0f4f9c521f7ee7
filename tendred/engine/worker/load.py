"""A model folder into memory: nothing from the network, no code of its own, no pickle, the same bits each time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import diffusers
import torch
from diffusers import DiffusionPipeline

from tendred.engine.worker import device as devices
from tendred.engine.worker.loop import in_short
from tendred.engine.worker.memory import ran_out
from tendred.engine.worker.preview import Eye, decoder_of
from tendred.engine.worker.single import open_single
from tendred.errors import ModelMissing, ModelRefused
from tendred.schema.weights import PICKLES, any_fingerprint, any_sha256, entries, open_regular

_LIBRARIES: Final = frozenset({None, "diffusers", "transformers"})


def _no_pickle(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("pickled weights are never read, only safetensors")


# Some loaders fall back to pickles by themselves. In this process there is nothing to fall back to.
for _module in (torch, torch.serialization, torch.jit):
    setattr(_module, "load", _no_pickle)  # noqa: B010  written out, it would look like a use of what it takes away


@dataclass
class Resident:
    """A model in memory. `parameters` are the names its pipeline's call takes; `sha256` is that of its files.

    `worn`: the LoRAs that are on it, by name, path and hash (see adapters). `parts`: what else was loaded for it, by
    path and hash (see parts).
    """

    name: str
    path: str
    sha256: str
    pipe: Any
    device: str
    dtype: str
    bytes: int
    parameters: frozenset[str]
    eye: Eye
    worn: list[tuple[str, str, str]] = field(default_factory=list)
    parts: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same model: name, path and weights."""
        return self.name, self.path, self.sha256


def load(name: str, path: str, sha256: str, device: str) -> Resident:
    """Load a diffusers folder, or a single file, whose bytes hash to `sha256`.

    Raises ModelMissing or ModelRefused; memory trouble goes through as it is.
    """
    single = Path(path).is_file()
    index = {"unet": []} if single else _read_index(name, Path(path))
    mark = _verify(name, Path(path), sha256)
    dtype = devices.number_format(device, unet="unet" in index)
    try:
        pipe: Any = (
            open_single(name, Path(path), dtype)
            if single
            else DiffusionPipeline.from_pretrained(
                path,
                local_files_only=True,
                use_safetensors=True,
                dtype=dtype,
                trust_remote_code=False,
                **_without(index),
            )
        )
    except ModelRefused:
        raise
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
        settle_weights(devices.modules(pipe))
    else:
        pipe.to(device)
    eye = Eye(decoder_of(Path(path), device, dtype), getattr(pipe, "vae", None))
    # Read and copied by now: whatever was exchanged between the hash and here shows.
    if _mark(name, Path(path)) != mark:
        raise _changed(name)
    dtype_name = str(dtype).removeprefix("torch.")
    return Resident(name, path, sha256, pipe, device, dtype_name, _count_bytes(pipe), parameters, eye)


def _verify(name: str, folder: Path, sha256: str) -> str:
    """The folder's fingerprint, if its files are those that the request was judged with."""
    mark = _mark(name, folder)
    try:
        found = any_sha256(folder)
    except (OSError, ValueError) as problem:
        raise ModelRefused(name=name, reason="header", problem=in_short(problem)) from problem
    if found != sha256:
        raise _changed(name)
    return mark


def _mark(name: str, folder: Path) -> str:
    try:
        return any_fingerprint(folder)
    except (OSError, ValueError) as problem:
        raise ModelRefused(name=name, reason="header", problem=in_short(problem)) from problem


def _changed(name: str) -> ModelRefused:
    return ModelRefused(name=name, reason="header", problem="its files changed since the request was judged")


def _read_index(name: str, folder: Path) -> dict[str, Any]:
    try:
        with open_regular(folder / "model_index.json") as file:
            index = json.load(file)
        parts = {key: value for key, value in index.items() if not key.startswith("_") and isinstance(value, list)}
        libraries = {value[0] for value in parts.values()}
        nested = any("pipeline" in str(value[1]).lower() for value in parts.values())
    except OSError as problem:
        raise ModelMissing("gone", name=name, folder=str(folder)) from problem
    except (ValueError, AttributeError, IndexError, TypeError) as problem:
        raise ModelRefused(name=name, reason="metadata", problem=in_short(problem)) from problem
    # diffusers imports whatever module the index names; only its own and transformers' are models.
    for library in libraries - _LIBRARIES:
        if not hasattr(diffusers.pipelines, str(library)):
            raise ModelRefused(name=name, reason="remote_code", problem=f"model_index.json names {library}")
    if nested:
        # It would be loaded by rules of its own, which allow pickles.
        raise ModelRefused(name=name, reason="pickle", problem="a component is a pipeline of its own")
    return parts


def _without(index: dict[str, Any]) -> dict[str, Any]:
    """What a folder names and nobody loads: a checker of its own, and the extractor that served it alone."""
    if "safety_checker" not in index:
        return {}
    return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


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
    if folder.is_file():
        return "header"
    pickles = any(entry.suffix in PICKLES for entry in entries(folder))
    return "pickle" if pickles and "safetensors" in words else "metadata"


def settle_weights(modules: list[torch.nn.Module]) -> None:
    """Copy every weight out of the mapped file.

    Where a tensor begins in memory decides which kernel reads it, and so the last bits of the picture; a mapped
    file puts it wherever its header ends. Fresh allocations are all aligned alike.
    """
    with torch.no_grad():
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.data = tensor.data.clone()


def _count_bytes(pipe: Any) -> int:
    tensors = {
        id(tensor): tensor.numel() * tensor.element_size()
        for module in devices.modules(pipe)
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(tensors.values())
