"""The model cache as a whole: what a model takes, what was found on the disk, what is in order, what takes room."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record
from tendred.schema.model import ModelInfo, ModelKind


class Advice(Record, frozen=True):
    """Something that could go to come under a budget, and when it was last of use. Nothing is ever deleted by itself."""

    name: str
    kind: str
    bytes: int
    last_used_at: str | None


class Budget(Record, frozen=True):
    """Room that a person gave, and how much of it is taken. `advice`: what was of no use for longest, enough to fit."""

    limit_bytes: int | None
    used_bytes: int | None
    advice: list[Advice]


class Budgets(Record, frozen=True):
    """Both of them. `used_bytes` of the pictures is counted only where they have a limit."""

    models: Budget
    pictures: Budget


class Models(Record, frozen=True):
    """The catalogue."""

    models: list[ModelInfo]
    budget: Budget


class Parameter(Record, frozen=True):
    """One field of a request, as a form can show it. `multiple`: its step; `choices`: all that it may be."""

    name: str
    type: Literal["text", "integer", "number", "choice", "list", "image", "mask", "model"]
    default: str | int | float | None
    minimum: int | float | None
    maximum: int | float | None
    multiple: int | None
    choices: list[str] | None
    description: str


class Dependents(Record, frozen=True):
    """Who would miss a model or a LoRA. `jobs` are the first of those that still wait, `waiting` is how many do."""

    characters: list[str]
    loras: list[str]
    jobs: list[str]
    waiting: int


class ModelShow(Record, frozen=True):
    """One entry with everything that is known of it.

    `takes` are the fields of a request that it has, `lacks` those it refuses; empty for what draws nothing by itself.
    `fits` are the models that a LoRA can be put on. `spec` is what the file says of itself (ModelSpec).
    """

    model: ModelInfo
    detail: str | None
    base: str | None
    trigger: str | None
    takes: list[Parameter]
    lacks: list[str]
    fits: list[str]
    spec: dict[str, str]
    used_by: Dependents


class Removed(Record, frozen=True):
    """What was forgotten, whether its files went too, and who misses it now."""

    name: str
    kind: ModelKind
    path: str
    files_deleted: bool
    was_default: bool
    used_by: Dependents


class Found(Record, frozen=True):
    """Something on the disk. `same_as` is the path of a duplicate, or the name it is known by already."""

    path: str
    name: str
    kind: ModelKind | None
    family: str
    detail: str | None
    bytes: int
    licence: str | None
    source: str | None
    tool: str
    state: Literal["new", "known", "duplicate", "refused"]
    reason: str | None
    same_as: str | None


class Place(Record, frozen=True):
    """A folder that was looked through, and whose it is."""

    path: str
    tool: Literal["comfyui", "a1111", "invokeai", "hub", "folder"]
    state: Literal["ok", "missing", "unreadable"]


class Scan(Record, frozen=True):
    """What other programs hold already. `whole` is false where there was too much to look at all of it."""

    places: list[Place]
    found: list[Found]
    added: list[ModelInfo]
    whole: bool


class FileCheck(Record, frozen=True):
    """One file hashed anew. `damaged`: other bytes at the same size and time; `changed`: replaced since; `new`: a first time."""

    file: str
    state: Literal["ok", "new", "changed", "damaged", "missing"]
    sha256: str | None
    expected: str | None


class ModelCheck(Record, frozen=True):
    """One entry looked at anew."""

    name: str
    kind: ModelKind
    state: Literal["ok", "changed", "damaged", "missing", "refused"]
    reason: str | None
    files: list[FileCheck]


class Orphan(Record, frozen=True):
    """A file in the daemon's own folder of models that belongs to nothing in the catalogue."""

    path: str
    bytes: int


class Verification(Record, frozen=True):
    """What is in order and what isn't. Orphans are looked for only where no name was given."""

    models: list[ModelCheck]
    orphans: list[Orphan]
    bytes: int
