"""Words before they are final: wildcards, expansions, presets."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.sealed import Span, Verdict

OPTIONS: Final = 10_000
"""Lines that a wildcard holds at most."""
EXPANSIONS: Final = 100
"""Expansions on a page at most."""

WildcardName = Annotated[str, Meta(min_length=1, max_length=128, description="Small letters, digits, - _ /.")]
Option = Annotated[str, Meta(max_length=4096, description="A prompt, or a part of one; `2::` before it weighs it.")]
PresetName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*\S)?$")]


class Wildcard(Record, frozen=True):
    """A file of options, one a line. `options` counts them; `reason` says why it is refused."""

    name: str
    path: str
    options: int
    bytes: int
    state: Literal["ready", "refused"]
    reason: str | None


class Wildcards(Record, frozen=True):
    """Every wildcard, by name."""

    wildcards: list[Wildcard]


class WildcardPage(Record, frozen=True):
    """A wildcard, and a page of its options as they are written."""

    wildcard: Wildcard
    options: list[str]
    next: str | None


class Expansion(Record, frozen=True):
    """What a still with this seed would be drawn of.

    `prompt` is its final words as they are recorded, `spans` what the encoders get, less what the boundary adds.
    The verdict's span counts code points of the prompt as received.
    """

    seed: int
    prompt: str
    negative_prompt: str
    spans: list[Span]
    negative_spans: list[Span]
    character: CharacterUse | None
    verdict: Verdict


class Expansions(Record, frozen=True):
    """A page of expansions, one a seed, counting up. `combinations` is in how many ways the words can be chosen."""

    expansions: list[Expansion]
    combinations: int
    next: str | None


class Preset(Record, frozen=True):
    """A named set of fields of `images.generate`. `ignored` are those that this version doesn't take (any more)."""

    name: str
    fields: dict[str, Any]
    ignored: list[str]
    updated_at: str


class Presets(Record, frozen=True):
    """Every preset, by name."""

    presets: list[Preset]
