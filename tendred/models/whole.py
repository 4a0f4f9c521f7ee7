"""A checkpoint in one file, with text encoders and autoencoder in it: what it is and takes, by its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tendred.errors import ModelRefused
from tendred.models.folder import FAMILIES, Folder
from tendred.models.header import read_header
from tendred.models.recognise import recognise
from tendred.models.singles import said, spec_of
from tendred.schema.model import ModelDefaults
from tendred.schema.weights import file_fingerprint

_PIPELINES: Final = {"sd15": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
_SCHEDULERS: Final = {"sd15": "pndm", "sdxl": "euler"}
"""Those of the configurations that the engine reads such files with (engine/worker/data)."""
_LAYERS: Final = 12
"""Of the first text encoder of both families."""
_WORDS: Final = 8_000


def is_whole(path: Path) -> bool:
    """Whether a file says of itself that it is a model. Blocking (the header only). Raises nothing."""
    try:
        seen = recognise(read_header(path, path.name))
    except ModelRefused:
        return False
    return seen is not None and seen.kind == "model"


def inspect_whole(path: Path, name: str) -> Folder:
    """Look through one. Blocking (the header only). Raises ModelRefused with its reason."""
    header = read_header(path, name)
    seen = recognise(header)
    if seen is None or seen.kind != "model":
        raise _refused(name, "it is no model")
    if seen.refusal is not None:
        raise _refused(name, seen.refusal)
    family = FAMILIES[_PIPELINES[seen.family]]
    spec = spec_of(header.metadata)
    return Folder(
        family=family.name,
        pipeline=_PIPELINES[seen.family],
        bytes=path.stat().st_size,
        defaults=ModelDefaults(
            width=family.side, height=family.side, steps=family.steps, guidance=family.guidance,
            scheduler=_SCHEDULERS[seen.family], multiple=family.multiple,
        ),
        licence=spec.get("license"),
        source=None,
        words="\n".join(dict.fromkeys(said(header.metadata)))[:_WORDS],
        clip_layers=_LAYERS,
    )  # fmt: skip


def mark_whole(path: Path, name: str) -> str:
    """Changes whenever the file does. Blocking, quick. Raises ModelRefused."""
    try:
        return file_fingerprint(path)
    except (OSError, ValueError) as problem:
        raise ModelRefused("single", name=name, reason="header", problem=str(problem)) from problem


def _refused(name: str, problem: str) -> ModelRefused:
    return ModelRefused("single", name=name, reason="family", problem=problem)
