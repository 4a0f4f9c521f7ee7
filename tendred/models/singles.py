"""Files that stand for themselves: what is in one, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tendred.errors import ModelRefused
from tendred.models.header import Header, read_header
from tendred.models.recognise import recognise
from tendred.schema.base import Record
from tendred.schema.model import ModelKind
from tendred.schema.weights import open_regular

_ABOUT_BYTES: Final = 64 * 1024
_SPEC: Final = "modelspec."
_PICTURE: Final = "modelspec.thumbnail"
_SPEC_CHARS: Final = 2_000
_SPECS: Final = 40
_SAID: Final = (
    "modelspec.title", "modelspec.trigger_phrase", "modelspec.tags", "modelspec.description", "modelspec.usage_hint",
    "ss_output_name", "ss_training_comment",
)  # fmt: skip
_NOUNS: Final[dict[ModelKind, str]] = {
    "model": "a checkpoint", "lora": "a LoRA", "vae": "an autoencoder", "controlnet": "a ControlNet",
    "upscaler": "an upscaler", "embedding": "an embedding",
}  # fmt: skip


class About(Record, frozen=True):
    """What `<name>.json` beside a file says. `base`: the one model it was made for, by name; null if any will do."""

    name: str | None = None
    family: str | None = None
    base: str | None = None
    licence: str | None = None
    source: str | None = None
    trigger: str | None = None


class Single(Record, frozen=True, kw_only=True):
    """A file that stands for itself, looked through. `spec`: its `modelspec` metadata, without the prefix."""

    family: str
    bytes: int
    about: About
    detail: str | None = None
    spec: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def licence(self) -> str | None:
        """What is said of it beside counts for more than what it says itself."""
        return self.about.licence or self.spec.get("license")


def open_header(file: Path, name: str) -> Header:
    """A single file's header. Raises ModelRefused."""
    try:
        return read_header(file, name)
    except ModelRefused as problem:
        raise refused(name, str(problem.detail["reason"]), str(problem.detail["problem"])) from problem


def read_about(file: Path, name: str) -> About:
    """What stands in `<name>.json` beside a file; nothing where there is none. Raises ModelRefused."""
    beside = file.with_suffix(".json")
    try:
        with open_regular(beside) as data:
            return msgspec.json.decode(data.read(_ABOUT_BYTES), type=About)
    except FileNotFoundError:
        return About()
    except (OSError, ValueError, RecursionError) as problem:
        raise ModelRefused("lora", name=name, reason="metadata", problem=f"{beside.name}: {problem}") from problem


def inspect_single(kind: ModelKind, file: Path, name: str, *, noted: bool = True) -> Single:
    """Look through a file that should be of a kind. Blocking (the header only). Raises ModelRefused with its reason."""
    header = open_header(file, name)
    about = read_about(file, name) if noted else About()
    seen = recognise(header)
    if seen is None or seen.kind != kind:
        found = "nothing that is known here" if seen is None else _NOUNS[seen.kind] if seen.kind else seen.detail
        raise refused(name, "family", f"it is {found}, not {_NOUNS[kind]}")
    if seen.refusal is not None:
        raise refused(name, "family", seen.refusal)
    return Single(
        family=about.family or seen.family,
        bytes=file.stat().st_size,
        about=about,
        detail=seen.detail,
        spec=spec_of(header.metadata),
    )


def kind_of(file: Path, name: str) -> ModelKind:
    """What a file is that nobody said anything of. Raises ModelRefused for nothing that is known, and for a checkpoint."""
    try:
        seen = recognise(read_header(file, name))
    except ModelRefused as problem:
        reason, words = problem.detail["reason"], problem.detail["problem"]
        raise ModelRefused("single", name=name, reason=reason, problem=words) from problem
    if seen is None:
        problem = "its tensors are those of nothing that is known here"
        raise ModelRefused("single", name=name, reason="family", problem=problem)
    if seen.kind is None or seen.kind == "model":
        problem = seen.refusal or "a checkpoint is wanted as a folder"
        raise ModelRefused("single", name=name, reason="family", problem=problem)
    return seen.kind


def spec_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """What a file says of itself by the ModelSpec standard (github.com/Stability-AI/ModelSpec), cut to what people read."""
    said = sorted((key, text) for key, text in metadata.items() if key.startswith(_SPEC) and key != _PICTURE)
    return {key.removeprefix(_SPEC)[:64]: text[:_SPEC_CHARS] for key, text in said[:_SPECS]}


def said(metadata: Mapping[str, str]) -> list[str]:
    """What a file says that it shows, a line for each: for the boundary."""
    return [text for key in _SAID if (text := metadata.get(key))]


def refused(name: str, reason: str, problem: str) -> ModelRefused:
    """A single file that can't be used."""
    return ModelRefused("lora", name=name, reason=reason, problem=problem)
