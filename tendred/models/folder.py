"""What a model folder in the diffusers layout is and takes, read without torch. Refuses whatever could run code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from tendred.errors import ModelRefused
from tendred.models.header import read_header
from tendred.schema.base import Record
from tendred.schema.model import ModelDefaults
from tendred.schema.still import SCHEDULERS

_CODE: Final = {".py", ".pyc", ".so", ".pt2", ".pyd", ".dll"}
_PICKLES: Final = {".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"}
_LIBRARIES: Final = {"diffusers", "transformers", None}
_JSON_BYTES: Final = 4 * 1024 * 1024
_ABOUT: Final = "tendred.json"
"""Optional, ours: steps, guidance, licence and source of a model."""
_SAMPLE_SIZES: Final = range(1, 513)
_STEPS: Final = range(1, 201)
_GUIDANCE: Final = 50


class Family(Record, frozen=True):
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
    "ZImagePipeline": Family("zimage", 9, 0.0, 16, 1024),
    "QwenImagePipeline": Family("qwen-image", 30, 4.0, 16, 1024),
    "ChromaPipeline": Family("chroma", 35, 5.0, 16, 1024),
}
_OTHER: Final = Family("other", 30, 5.0, 16, 1024)


class Folder(Record, frozen=True):
    """A model folder that may be loaded."""

    family: str
    bytes: int
    defaults: ModelDefaults
    licence: str | None
    source: str | None


def inspect(path: Path, name: str) -> Folder:
    """Look through a model folder. Blocking (headers only). Raises ModelRefused with its reason."""
    index = _document(path / "model_index.json", name)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.endswith("Pipeline"):
        raise ModelRefused(name=name, reason="family", problem="model_index.json names no diffusers pipeline")
    weights = _weights(path, index, name)
    for file in weights:
        read_header(file, name)
    about = _document(path / _ABOUT, name) if (path / _ABOUT).is_file() else {}
    family = FAMILIES.get(pipeline, _OTHER)
    return Folder(
        family=family.name,
        bytes=sum(file.stat().st_size for file in weights),
        defaults=_defaults(path, family, about, name),
        licence=_text(about.get("licence")),
        source=_text(about.get("source")),
    )


def fingerprint(path: Path) -> str:
    """Changes whenever a file does, of whatever kind: names, sizes and times. Blocking, quick."""
    parts: list[str] = []
    for file in sorted(path.rglob("*")):
        stat = file.stat()
        parts.append(f"{file.relative_to(path)}|{stat.st_size}|{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def weights_sha256(path: Path) -> str:
    """SHA-256 over `relative/name sha256` lines of every weight file and JSON, sorted. Blocking, as slow as the disk."""
    outer = hashlib.sha256()
    for file in _files(path):
        if file.name == _ABOUT:
            continue
        with file.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        outer.update(f"{file.relative_to(path).as_posix()} {digest}\n".encode())
    return outer.hexdigest()


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.suffix in {".safetensors", ".json"} and file.is_file())


def _weights(path: Path, index: dict[str, Any], name: str) -> list[Path]:
    """Weight files of the components, after every check that needs no header."""
    found: list[Path] = []
    for file in path.rglob("*"):
        if file.suffix in _CODE:
            raise ModelRefused(name=name, reason="remote_code", problem=f"{file.name} is code")
    for part, value in index.items():
        if part.startswith("_") or not isinstance(value, list):
            continue
        library = cast("list[str | None]", value)[0]
        if library not in _LIBRARIES:
            raise ModelRefused(name=name, reason="remote_code", problem=f"{part} comes from {library}")
        mine = sorted((path / part).glob("*.safetensors")) if library else []
        if not mine and any(file.suffix in _PICKLES for file in (path / part).glob("*")):
            raise ModelRefused(name=name, reason="pickle", problem=f"{part} has pickled weights only")
        found += mine
    if not found:
        raise ModelRefused(name=name, reason="header", problem="it holds no .safetensors weights")
    return found


def _defaults(path: Path, family: Family, about: dict[str, Any], name: str) -> ModelDefaults:
    side, multiple = family.side, family.multiple
    unet = path / "unet" / "config.json"
    if unet.is_file():
        scale = _scale(_document(path / "vae" / "config.json", name)) if (path / "vae").is_dir() else 8
        size = _document(unet, name).get("sample_size")
        side = size * scale if isinstance(size, int) and size in _SAMPLE_SIZES else side
        multiple = scale
    own = _document(path / "scheduler" / "scheduler_config.json", name).get("_class_name", "")
    names = {value: key for key, value in SCHEDULERS.items()}
    steps, guidance = about.get("steps", family.steps), about.get("guidance", family.guidance)
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


def _scale(vae: dict[str, Any]) -> int:
    """Pixels per latent: the autoencoder halves once between each two of its blocks."""
    blocks: Any = vae.get("block_out_channels")
    return 2 ** (len(cast("list[int]", blocks)) - 1) if isinstance(blocks, list) and blocks else 8


def _document(path: Path, name: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > _JSON_BYTES:
            raise ModelRefused(name=name, reason="header", problem=f"{path.name} is too large")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as problem:
        raise ModelRefused(
            name=name, reason="header", problem=f"{path.parent.name}/{path.name}: {problem}"
        ) from problem


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
