"""Who would miss a model or a LoRA: characters, LoRAs made for it, jobs that still wait."""

from __future__ import annotations

import sqlite3
from typing import Final

from tendred.core.characters import Cast
from tendred.errors import ModelRefused
from tendred.models.lora import Adapter
from tendred.models.shelf import Shelf
from tendred.schema.cache import Dependents
from tendred.schema.model import ModelKind
from tendred.store.database import Database

MOST: Final = 10
_RUNS: Final = "SELECT 1 FROM job WHERE state IN ('running', 'cancelling') AND "
_OPEN: Final = "FROM job WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND "
_REQUEST: Final = "CAST(request AS TEXT)"
_OF: Final[dict[ModelKind, str]] = {
    "model": f"kind <> 'upscale' AND json_extract({_REQUEST}, '$.model') = ?",
    "lora": f"EXISTS (SELECT 1 FROM json_each({_REQUEST}, '$.loras') AS used "
    "WHERE json_extract(used.value, '$.name') = ?)",
    "controlnet": f"EXISTS (SELECT 1 FROM json_each({_REQUEST}, '$.control') AS used "
    "WHERE json_extract(used.value, '$.model') = ?)",
    "vae": f"json_extract({_REQUEST}, '$.vae.name') = ?",
    "upscaler": f"kind = 'upscale' AND json_extract({_REQUEST}, '$.model') = ?",
}
NOBODY: Final = Dependents(characters=[], loras=[], jobs=[], waiting=0)


async def dependents(database: Database, cast: Cast, shelf: Shelf, kind: ModelKind, name: str) -> Dependents:
    """Everyone who names it."""
    clause = _OF.get(kind)
    if clause is None:
        return NOBODY
    loras = await _made_for(shelf, name) if kind == "model" else []
    needed = {name} if kind == "lora" else set(loras)
    who = [one.name for one in await cast.list() if needed & {lora.name for lora in one.loras}]

    def work(connection: sqlite3.Connection) -> tuple[list[str], int]:
        rows = connection.execute(f"SELECT id {_OPEN}{clause} ORDER BY id LIMIT ?", (name, MOST))
        first = [row["id"] for row in rows]
        count: int = connection.execute(f"SELECT count(*) {_OPEN}{clause}", (name,)).fetchone()[0]
        return first, count

    jobs, waiting = await database.read(work)
    return Dependents(characters=who, loras=loras, jobs=jobs, waiting=waiting)


def runs_in(connection: sqlite3.Connection, kind: ModelKind, name: str) -> bool:
    """Whether a job that names it is being worked at, whatever the engine has loaded by now."""
    clause = _OF.get(kind)
    return clause is not None and connection.execute(f"{_RUNS}{clause} LIMIT 1", (name,)).fetchone() is not None


def in_words(who: Dependents) -> str:
    """The same, on a line; empty where nobody does."""
    parts = [f"character {name}" for name in who.characters] + [f"LoRA {name}" for name in who.loras]
    parts += [f"{who.waiting} waiting jobs" if who.waiting > 1 else "a waiting job"] if who.waiting else []
    return ", ".join(parts)


async def _made_for(shelf: Shelf, model: str) -> list[str]:
    found: list[str] = []
    for place in await shelf.places("lora"):
        try:
            file = await shelf.look(place)
        except ModelRefused:
            continue
        if isinstance(file, Adapter) and file.about.base == model:
            found.append(place.name)
    return found
