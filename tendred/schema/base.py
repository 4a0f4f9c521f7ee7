"""The shapes that the other records are made of."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Record(Struct, frozen=True, kw_only=True):
    """Something we say. Unknown fields of newer versions are skipped when it is read back."""


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something a client says. An unknown field is a mistake and is refused by name."""


Limit = Annotated[int, Meta(ge=1, le=500, description="How many rows a page holds.")]
Cursor = Annotated[str, Meta(max_length=512, description="Opaque; the `next` of the page before.")]
Id = Annotated[str, Meta(max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
