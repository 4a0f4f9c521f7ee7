"""Models on disk and in memory."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record

ModelKind = Literal["model", "lora", "vae", "controlnet", "upscaler", "embedding"]


class ModelInfo(Record, frozen=True):
    """One entry of the catalogue. `sha256` is null until its weights were hashed."""

    name: str
    kind: ModelKind
    family: str
    path: str
    bytes: int
    licence: str | None
    source: str | None
    sha256: str | None
    last_used_at: str | None
    is_default: bool
    state: Literal["ready", "missing", "refused"]
    reason: str | None


class Models(Record, frozen=True):
    """The catalogue."""

    models: list[ModelInfo]


class Taken(Record, frozen=True):
    """One field of a request that a model takes, as a form would show it.

    `least`, `most` and `step` count for numbers, `choices` for words; `default` is what is used when it is left out.
    """

    name: str
    type: Literal["text", "int", "float", "choice", "image", "mask", "control", "loras", "model"]
    default: str | int | float | None
    least: float | None
    most: float | None
    step: float | None
    choices: list[str] | None


class ModelShown(Record, frozen=True):
    """One model, and what it takes; what isn't in `takes` is refused by name."""

    model: ModelInfo
    takes: list[Taken]


class LoadedModel(Record, frozen=True):
    """A model in the engine's memory and when it will be let go (null: not by itself)."""

    model: str
    device: str
    bytes: int
    loaded_at: str
    expires_at: str | None
    busy: bool


class Loaded(Record, frozen=True):
    """Everything loaded."""

    loaded: list[LoadedModel]


class Unloaded(Record, frozen=True):
    """Names of what was let go."""

    unloaded: list[str]


class ModelDefaults(Record, frozen=True):
    """What a model does when a request leaves it open. `multiple` is the step of width and height in pixels."""

    width: int
    height: int
    steps: int
    guidance: float
    scheduler: str
    multiple: int
