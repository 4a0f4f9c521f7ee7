"""What is said of a provider's key: where it comes from, never the key."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record

KeySource = Literal["file", "systemd", "keyring"]


class KeyPlace(Record, frozen=True):
    """Where a provider's key is, or would be put. `present` is null where that can't be told; `problem` says why, in words."""

    provider: str
    source: KeySource
    place: str
    present: bool | None
    problem: str | None


class KeyPlaces(Record, frozen=True):
    """Every provider that there is an adapter for."""

    providers: list[KeyPlace]
