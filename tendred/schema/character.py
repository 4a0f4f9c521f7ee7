"""A fictional adult who looks the same in every picture."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from tendred.schema.base import Asked, Id, Name, Record


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
    `reference_asset_id` is a still of them. `ships`: they came with the package, and can't be changed (nor is it
    known when they were made). `state` is missing, and `reason` says why, while a LoRA isn't there.
    """

    name: str
    version: int
    fragment: str
    loras: list[CharacterLora]
    seed: int | None
    reference_asset_id: str | None
    created_at: str | None
    ships: bool
    state: Literal["ready", "missing"]
    reason: str | None


class Characters(Record, frozen=True):
    """Everyone, by name."""

    characters: list[Character]


Weight = Annotated[float, Meta(ge=0, le=4)]
MAX_SEED: Final = 2**53 - 65
"""As of a still; that module needs this one."""


class LoraOfCharacter(Asked, frozen=True):
    """A LoRA that their looks need."""

    name: Name
    weight: Weight = 1.0


Loras = Annotated[list[LoraOfCharacter], Meta(max_length=16)]
Fragment = Annotated[str, Meta(min_length=1, max_length=2048, description="The words that stand for them in a prompt.")]
CharacterName = Annotated[str, Meta(min_length=1, max_length=64)]
OwnSeed = Annotated[int, Meta(ge=0, le=MAX_SEED, description="Null lets every still choose its own.")]


class NewCharacter(Asked, frozen=True):
    """Somebody new: a fictional adult."""

    name: CharacterName
    fragment: Fragment
    loras: Loras = []
    seed: OwnSeed | None = None
    reference_asset_id: Id | None = None


class CharacterChanges(Asked, frozen=True):
    """What is different from now on; what is left out stays. The version before stays as well."""

    name: CharacterName
    fragment: Fragment | UnsetType = UNSET
    loras: Loras | UnsetType = UNSET
    seed: OwnSeed | UnsetType | None = UNSET
    reference_asset_id: Id | UnsetType | None = UNSET
