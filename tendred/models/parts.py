"""Autoencoders and ControlNets in a folder of their own, with `config.json` in the diffusers layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.errors import ModelRefused
from tendred.models.header import read_header
from tendred.models.singles import About, Single
from tendred.schema.model import ModelKind
from tendred.schema.weights import PICKLES, entries, open_regular

CONFIG: Final = "config.json"
_CODE: Final = frozenset({".py", ".pyc", ".so", ".pt2", ".pyd", ".dll"})
_CONFIG_BYTES: Final = 256 * 1024
_KINDS: Final[dict[ModelKind, str]] = {"vae": "Autoencoder", "controlnet": "ControlNet"}
_NOUNS: Final[dict[ModelKind, str]] = {"vae": "an autoencoder", "controlnet": "a ControlNet"}


def inspect_folder(kind: ModelKind, path: Path, name: str) -> Single:
    """Look through one. Blocking (headers only). Raises ModelRefused with its reason."""
    try:
        files = entries(path)
    except (OSError, ValueError) as problem:
        raise _refused(name, "header", str(problem)) from problem
    weights = [file.path for file in files if file.suffix == ".safetensors"]
    for file in files:
        if file.suffix in _CODE:
            raise _refused(name, "remote_code", f"{file.name} is code")
        if file.suffix in PICKLES and not weights:
            raise _refused(name, "pickle", f"{file.name} is a pickle, and only .safetensors files are read")
    if not weights:
        raise _refused(name, "header", "it holds no .safetensors weights")
    wanted = str(_config(path / CONFIG, name).get("_class_name", ""))
    if _KINDS[kind] not in wanted:
        raise _refused(name, "family", f"it is {wanted[:64] or 'of no class'}, not {_NOUNS[kind]}")
    for file in weights:
        read_header(file, name)
    return Single(family=wanted, bytes=sum(file.stat().st_size for file in weights), about=About())


def _config(file: Path, name: str) -> dict[str, Any]:
    try:
        with open_regular(file) as data:
            return msgspec.json.decode(data.read(_CONFIG_BYTES), type=dict[str, Any])
    except (OSError, ValueError, RecursionError) as problem:
        raise _refused(name, "header", f"{file.name}: {problem}") from problem


def _refused(name: str, reason: str, problem: str) -> ModelRefused:
    return ModelRefused("part", name=name, reason=reason, problem=problem)
