"""What a model folder in the diffusers layout is and takes, read without torch. Refuses whatever could run code."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, cast

import msgspec

from tendred.errors import ModelRefused
from tendred.models.header import read_header
from tendred.models.hub import licence_of, repository_of, strays
from tendred.models.singles import said
from tendred.schema.base import Record
from tendred.schema.model import ModelDefaults
from tendred.schema.still import SCHEDULERS
from tendred.schema.weights import ABOUT, PICKLES, entries, fingerprint, open_regular

_CODE: Final = {".py", ".pyc", ".so", ".pt2", ".pyd", ".dll"}
_LIBRARIES: Final = {"diffusers", "transformers", None}
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SCALES: Final = range(1, 9)
_JSON_BYTES: Final = 4 * 1024 * 1024
WEIGHTLESS: Final = ("Scheduler", "Tokenizer", "TokenizerFast", "TokenizersBackend", "Processor", "Extractor")
"""Endings of component classes that are configuration only; transformers 5 saves any fast tokenizer as its backend."""
LEFT_OUT: Final = {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}
"""Parts that are neither fetched nor loaded: what may be seen is the boundary's to say, for every model alike."""
_SAMPLE_SIZES: Final = range(1, 513)
_STEPS: Final = range(1, 201)
_LAYERS: Final = range(1, 129)
_GUIDANCE: Final = 50
_WORDS: Final = 8192


class Family(NamedTuple):
    """A family's habits: steps and guidance that people use with it, latent scale, native side in pixels."""

    name: str
    steps: int
    guidance: float
    multiple: int
    side: int


FAMILIES: Final[dict[str, Family]] = {
    "StableDiffusionPipeline": Family("sd15", 30, 7.5, 8, 512),
    "StableDiffusionXLPipeline": Family("sdxl", 30, 7.0, 8, 1024),
    "StableDiffusion3Pipeline": Family("sd35", 28, 4.5, 16, 1024),
    "FluxPipeline": Family("flux", 28, 3.5, 16, 1024),
    "Flux2Pipeline": Family("flux2", 28, 4.0, 16, 1024),
    "Flux2KleinPipeline": Family("flux2", 4, 4.0, 16, 1024),
    "ZImagePipeline": Family("zimage", 9, 0.0, 16, 1024),
    "QwenImagePipeline": Family("qwen-image", 30, 4.0, 16, 1024),
    "ChromaPipeline": Family("chroma", 35, 5.0, 16, 1024),
}
_OTHER: Final = Family("other", 30, 5.0, 16, 1024)


class Folder(Record, frozen=True):
    """A model folder that may be loaded.

    `words`: what its files say of themselves. `pipeline`: its class. `clip_layers`: how many its text encoder has, 0 for
    none. `guided`: whether guidance counts; distilled models pass over it.
    """

    family: str
    pipeline: str
    bytes: int
    defaults: ModelDefaults
    licence: str | None
    source: str | None
    words: str = ""
    clip_layers: int = 0
    guided: bool = True


def inspect(path: Path, name: str) -> Folder:
    """Look through a model folder. Blocking (headers only). Raises ModelRefused with its reason."""
    _indexed(path, name)
    index = _document(path / "model_index.json", name)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.endswith("Pipeline"):
        raise ModelRefused(name=name, reason="family", problem="model_index.json names no diffusers pipeline")
    weights = _weights(path, index, name)
    lines = [line for file in weights for line in said(read_header(file, name).metadata)]
    about = _document(path / ABOUT, name) if (path / ABOUT).is_file() else {}
    family = FAMILIES.get(pipeline, _OTHER)
    guided = _guided(path, index, pipeline, name)
    return Folder(
        family=family.name,
        pipeline=pipeline,
        bytes=sum(file.stat().st_size for file in weights),
        defaults=_defaults(path, family, about, name, guided=guided),
        licence=_text(about.get("licence")) or licence_of(path),
        source=_text(about.get("source")) or repository_of(path),
        words="\n".join(dict.fromkeys(lines))[:_WORDS],
        clip_layers=_clip_layers(path / "text_encoder" / "config.json", name),
        guided=guided,
    )


def mark(path: Path, name: str) -> str:
    """Changes whenever a file of the folder does. Blocking, quick. Raises ModelRefused for what is no model folder."""
    _indexed(path, name)
    try:
        return fingerprint(path)
    except (OSError, ValueError) as problem:
        raise ModelRefused(name=name, reason="header", problem=str(problem)) from problem


def _indexed(path: Path, name: str) -> None:
    """Before anything else is looked at: the path may as well be the whole disk."""
    if not (path / "model_index.json").is_file():
        problem = "it has no model_index.json, so it is no folder in the diffusers layout"
        raise ModelRefused(name=name, reason="header", problem=problem)


def _weights(path: Path, index: dict[str, Any], name: str) -> list[Path]:
    """Weight files of the components, after every check that needs no header."""
    files = _files(path, name)
    found: list[Path] = []
    for part, (library, kind) in parts_of(index, name).items():
        mine = (
            [path / file for file in files if _is_of(file, part) and file.endswith(".safetensors")] if library else []
        )
        if not mine and any(_is_of(file, part) and PurePosixPath(file).suffix.lower() in PICKLES for file in files):
            raise ModelRefused(name=name, reason="pickle", problem=f"{part} has pickled weights only")
        if library and not mine and not str(kind).endswith(WEIGHTLESS):
            raise ModelRefused(name=name, reason="header", problem=f"{part} has no .safetensors weights")
        found += mine
    if not found:
        raise ModelRefused(name=name, reason="header", problem="it holds no .safetensors weights")
    return found


def _files(path: Path, name: str) -> list[str]:
    """The names of its files, none of them code or a way out of the folder."""
    try:
        files = entries(path)
    except (OSError, ValueError) as problem:
        raise ModelRefused(name=name, reason="header", problem=str(problem)) from problem
    if (stray := strays(path, files)) is not None:
        raise ModelRefused(name=name, reason="header", problem=f"{stray} leads out of the hub's cache")
    for file in files:
        if file.suffix in _CODE:
            raise ModelRefused(name=name, reason="remote_code", problem=f"{file.name} is code")
        if file.path.name == "adapter_config.json":
            raise ModelRefused(name=name, reason="header", problem=f"{file.name} names other weights to load")
        if file.path.name == "config.json" and "transformers_weights" in _document(file.path, name):
            raise ModelRefused(name=name, reason="header", problem=f"{file.name} names other weights to load")
        if file.name.endswith(".index.json"):
            shards = _document(file.path, name).get("weight_map", {})
            if not isinstance(shards, dict) or not all(
                _is_plain(shard) for shard in cast("dict[str, Any]", shards).values()
            ):
                raise ModelRefused(name=name, reason="header", problem=f"{file.name} names files elsewhere")
    return [file.name for file in files]


def parts_of(index: dict[str, Any], name: str) -> dict[str, tuple[str | None, str | None]]:
    """Library and class of each component. A loader takes every value for one that isn't a plain number or switch."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for part, value in index.items():
        if part.startswith("_") or value is None or isinstance(value, bool | int | float):
            continue
        if value == LEFT_OUT.get(part):
            continue
        if not _IDENTIFIER.fullmatch(part) or not _is_pair(value):
            raise ModelRefused(
                name=name, reason="header", problem=f"model_index.json has an odd entry {ascii(part)[:64]}"
            )
        library, kind = cast("list[str | None]", value)
        if library not in _LIBRARIES:
            raise ModelRefused(name=name, reason="remote_code", problem=f"{part} comes from {str(library)[:64]}")
        if kind is not None and "pipeline" in kind.lower():
            # One inside another is loaded by its own rules, which allow pickles.
            raise ModelRefused(name=name, reason="pickle", problem=f"{part} is a pipeline of its own")
        found[part] = (library, kind)
    return found


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(cast("list[Any]", value)) == len(("library", "class"))
        and all(one is None or (isinstance(one, str) and one) for one in cast("list[Any]", value))
    )


def _is_plain(shard: object) -> bool:
    return isinstance(shard, str) and "/" not in shard and "\\" not in shard and ":" not in shard and shard != ".."


def _is_of(file: str, part: str) -> bool:
    return PurePosixPath(file).parent == PurePosixPath(part)


def _defaults(path: Path, family: Family, about: dict[str, Any], name: str, *, guided: bool = True) -> ModelDefaults:
    side, multiple = family.side, family.multiple
    unet = path / "unet" / "config.json"
    if unet.is_file():
        scale = _scale(_document(path / "vae" / "config.json", name)) if (path / "vae").is_dir() else 8
        size = _document(unet, name).get("sample_size")
        side = size * scale if isinstance(size, int) and size in _SAMPLE_SIZES else side
        multiple = scale
    own = _document(path / "scheduler" / "scheduler_config.json", name).get("_class_name", "")
    names = {value: key for key, value in SCHEDULERS.items()}
    steps, guidance = about.get("steps", family.steps), about.get("guidance", family.guidance) if guided else 0.0
    return ModelDefaults(
        width=max(64, side),
        height=max(64, side),
        steps=steps if isinstance(steps, int) and steps in _STEPS else family.steps,
        guidance=float(guidance)
        if isinstance(guidance, int | float) and 0 <= guidance <= _GUIDANCE
        else family.guidance,
        scheduler=names.get(str(own), str(own) or "default"),
        multiple=multiple,
    )


def _clip_layers(config: Path, name: str) -> int:
    layers = _document(config, name).get("num_hidden_layers") if config.is_file() else None
    return layers if isinstance(layers, int) and layers in _LAYERS else 0


def _guided(path: Path, index: dict[str, Any], pipeline: str, name: str) -> bool:
    """A distilled model says that it takes no guidance; the library passes over what it is told all the same."""
    if index.get("is_distilled") is True:
        return False
    config = path / "transformer" / "config.json"
    if pipeline != "FluxPipeline" or not config.is_file():
        return True
    return _document(config, name).get("guidance_embeds") is True


def _scale(vae: dict[str, Any]) -> int:
    """Pixels per latent: the autoencoder halves once between each two of its blocks."""
    blocks: Any = vae.get("block_out_channels")
    return (
        2 ** (len(cast("list[int]", blocks)) - 1)
        if isinstance(blocks, list) and len(cast("list[int]", blocks)) in _SCALES
        else 8
    )


def _document(path: Path, name: str) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            data = file.read(_JSON_BYTES)
        # Cut off, a larger one is no JSON any more.
        return msgspec.json.decode(data, type=dict[str, Any])
    except (OSError, ValueError, msgspec.DecodeError, RecursionError) as problem:
        raise ModelRefused(
            name=name, reason="header", problem=f"{path.parent.name}/{path.name}: {problem}"
        ) from problem


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
