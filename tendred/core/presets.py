"""Presets: named sets of fields. What a request says itself counts for more."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from tendred.clock import rfc3339
from tendred.core.settings import Settings
from tendred.errors import InvalidParams, NotFound, TooLarge
from tendred.schema.decode import convert
from tendred.schema.prompt import Preset
from tendred.schema.still import StillRequest
from tendred.store.database import Tx

PREFIX: Final = "preset:"
LEFT_OUT: Final = frozenset({"prompt", "preset"})
"""A preset says how, not what; and none leads to another."""
MOST: Final = 1_000


class Presets:
    """Presets, as settings in the database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def list(self) -> list[Preset]:
        """Every one, by name."""
        found = await self._settings.under(PREFIX)
        return [_told(name, document) for name, document in sorted(found.items())]

    async def get(self, name: str, path: str = "name") -> Preset:
        """One. Raises NotFound (near names)."""
        document = await self._settings.get(PREFIX + name)
        if document is None:
            known = sorted(await self._settings.under(PREFIX))
            near = difflib.get_close_matches(name, known, 3, 0.4) or known[:3]
            raise NotFound(path=path, noun="preset", name=name, near=near)
        return _told(name, document)

    async def set(self, name: str, fields: dict[str, Any]) -> Preset:
        """Make or replace one. Raises InvalidParams for a field that `images.generate` would refuse."""
        for field in sorted(LEFT_OUT & set(fields)):
            raise InvalidParams(path=f"fields.{field}", problem="a preset can't hold it")
        fields = {field: value for field, value in fields.items() if value is not None}
        if not fields:
            raise InvalidParams(path="fields", problem="a preset holds at least one field")
        convert({**fields, "prompt": ""}, StillRequest, prefix="fields.")

        def work(tx: Tx) -> dict[str, Any]:
            if len(Settings.under_in(tx.connection, PREFIX)) >= MOST:
                raise TooLarge("stored", limit=MOST)
            document = {"fields": fields, "updated_at": rfc3339(tx.now)}
            Settings.set_in(tx, PREFIX + name, document)
            return document

        return _told(name, await self._settings.change(work))

    async def remove(self, name: str) -> None:
        """Forget one. Raises NotFound (near names)."""
        await self.get(name)
        await self._settings.drop(PREFIX + name)

    async def apply(self, request: StillRequest, asked: Mapping[str, Any]) -> StillRequest:
        """The request with its preset's fields; those that `asked` holds (what was written; null is nothing) stay.

        Raises NotFound (near names).
        """
        if request.preset is None:
            return request
        preset = await self.get(request.preset, "preset")
        fields = {name: value for name, value in preset.fields.items() if name not in preset.ignored}
        settled = convert({**fields, "prompt": ""}, StillRequest, prefix="preset.")
        mine = {name for name, value in asked.items() if value is not None}
        return replace(request, **{name: getattr(settled, name) for name in fields if name not in mine})


def _told(name: str, document: dict[str, Any]) -> Preset:
    fields: dict[str, Any] = document["fields"]
    ignored = [field for field, value in fields.items() if not _fits(field, value)]
    return Preset(name=name, fields=fields, ignored=ignored, updated_at=document["updated_at"])


def _fits(field: str, value: Any) -> bool:
    """Whether this version takes it: another one may have written it."""
    try:
        convert({field: value, "prompt": ""}, StillRequest)
    except InvalidParams:
        return False
    return field not in LEFT_OUT
