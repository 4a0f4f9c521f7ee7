"""A fictional adult who looks the same in every picture."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record


class CharacterUse(Record, frozen=True):
    """The version of a character a picture was made with."""

    name: str
    version: int


class CharacterLora(Record, frozen=True):
    """A LoRA that a character's looks need, and how strongly it counts."""

    name: str
    weight: float


class Character(Record, frozen=True):
    """One version of a character.

    `fragment` are the words that stand for them in a prompt. `seed` null lets every still choose its own.
    `reference_asset_id` is a still of them. `state` is missing, and `reason` says why, while a LoRA isn't there.
    """

    name: str
    version: int
    fragment: str
    loras: list[CharacterLora]
    seed: int | None
    reference_asset_id: str | None
    state: Literal["ready", "missing"]
    reason: str | None


class Characters(Record, frozen=True):
    """Everyone, by name."""

    characters: list[Character]
