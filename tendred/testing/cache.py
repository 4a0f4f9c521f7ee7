"""A model cache without files: names, and what was asked of them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from tendred.errors import ModelInUse, ModelMissing
from tendred.schema.cache import (
    Budget,
    Budgets,
    Dependents,
    FileCheck,
    Found,
    ModelCheck,
    Models,
    ModelShow,
    Orphan,
    Parameter,
    Removed,
    Scan,
    Verification,
)
from tendred.schema.model import ModelInfo, ModelKind

_ROOM: Final = Budget(limit_bytes=None, used_bytes=0, advice=[])
_NOBODY: Final = Dependents(characters=[], loras=[], jobs=[], waiting=0)
_STEPS: Final = Parameter(
    name="steps", type="integer", default=20, minimum=1, maximum=200, multiple=None, choices=None, description="Steps."
)


class FakeCache:
    """With the real one's signatures and errors. `found`, `checks` and `needed` are what it answers; `room` its budgets."""

    def __init__(self) -> None:
        self.entries: dict[str, ModelInfo] = {}
        self.found: list[Found] = []
        self.checks: list[ModelCheck] = []
        self.orphans: list[Orphan] = []
        self.needed: set[str] = set()
        self.room = Budgets(models=_ROOM, pictures=_ROOM)
        self.scanned: list[tuple[list[str], bool, bool]] = []

    async def every(self, kind: ModelKind | None) -> Models:
        models = [model for model in self.entries.values() if kind in {None, model.kind}]
        return Models(models=models, budget=self.room.models)

    async def budgets(self) -> Budgets:
        return self.room

    async def add(self, path: str, name: str | None, kind: ModelKind | None = None) -> ModelInfo:
        single = path.endswith(".safetensors")
        model = ModelInfo(
            name=name or Path(path).stem, kind=kind or ("lora" if single else "model"), family="sdxl", path=path,
            bytes=0, licence=None, source=None, sha256=None, last_used_at=None,
            is_default=not single and not self.entries, state="ready", reason=None,
        )  # fmt: skip
        self.entries[model.name] = model
        return model

    def use(self, name: str) -> ModelInfo:
        chosen = self._entry(name, None)
        for model in self.entries.values():
            self.entries[model.name] = replace(model, is_default=model is chosen)
        return self.entries[name]

    async def show(self, name: str | None, kind: ModelKind | None) -> ModelShow:
        name = name or next(model.name for model in self.entries.values() if model.is_default)
        return ModelShow(
            model=self._entry(name, kind), detail=None, base=None, trigger=None, takes=[_STEPS],
            lacks=["negative_prompt"], fits=[], spec={"title": name}, used_by=_NOBODY,
        )  # fmt: skip

    async def remove(self, name: str, kind: ModelKind | None, *, force: bool, delete_files: bool) -> Removed:
        model = self._entry(name, kind)
        if name in self.needed and not force:
            raise ModelInUse(path="name", name=name, by="a waiting job", characters=[], loras=[], jobs=[])
        del self.entries[name]
        return Removed(
            name=name, kind=model.kind, path=model.path, files_deleted=delete_files, was_default=model.is_default,
            used_by=_NOBODY,
        )  # fmt: skip

    async def scan(self, folders: list[str], *, known_places: bool, add: bool) -> Scan:
        self.scanned.append((folders, known_places, add))
        new = [found for found in self.found if found.state == "new"] if add else []
        added = [await self.add(found.path, found.name, found.kind) for found in new]
        return Scan(places=[], found=self.found, added=added, whole=True)

    async def verify(self, name: str | None, kind: ModelKind | None) -> Verification:
        if name is not None:
            self._entry(name, kind)
        checks = [check for check in self.checks if name in {None, check.name}]
        return Verification(models=checks, orphans=[] if name else self.orphans, bytes=1000)

    def damage(self, name: str, file: str) -> None:
        """From now on a check finds other bytes in a file."""
        bad = FileCheck(file=file, state="damaged", sha256="b" * 64, expected="a" * 64)
        self.checks.append(ModelCheck(name=name, kind="model", state="damaged", reason=None, files=[bad]))

    def _entry(self, name: str, kind: ModelKind | None) -> ModelInfo:
        model = self.entries.get(name)
        if model is None or kind not in {None, model.kind}:
            raise ModelMissing(
                path="name", name=name, near=difflib.get_close_matches(name, self.entries) or [*self.entries]
            )
        return model
