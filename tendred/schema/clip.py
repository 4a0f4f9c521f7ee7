"""A clip: as it is asked for, as it is final, and where it stands on its way through a provider."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record
from tendred.schema.character import CharacterUse
from tendred.schema.source import SourceUse
from tendred.schema.still import Lane, Seed, Tag

Phase = Literal[
    "quoted", "confirmed", "reserved", "sending", "submitted", "rendering", "ready", "downloading", "verified",
    "settled", "refused", "rejected", "failed", "expired", "withheld", "cancelled", "abandoned", "unknown",
]  # fmt: skip
ENDED: Final[frozenset[Phase]] = frozenset({
    "settled", "refused", "rejected", "failed", "expired", "withheld", "cancelled", "abandoned",
})  # fmt: skip
"""Nothing happens to these any more. `unknown` is not among them: a person still has to say what happened."""
Basis = Literal["provider", "table", "user"]
Outcome = Literal["found", "charged", "not_charged"]

Pixels = Annotated[int, Meta(ge=64, le=8192, description="Pixels.")]
Seconds = Annotated[int, Meta(ge=1, le=60, description="Whole seconds, one of those the model offers at that size.")]
Fps = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,5}(/[1-9][0-9]{0,3})?$", description='Pictures a second: "24", "24000/1001".')
]


class ClipRequest(Asked, frozen=True):
    """`clips.quote` as the client wrote it. `first` and `last` are stills of ours, by id, shown first and last."""

    prompt: Annotated[str, Meta(description="What happens, how it looks, and what is heard, in words.")]
    provider: Name
    model: Name
    width: Pixels
    height: Pixels
    seconds: Seconds
    fps: Fps = "24"
    audio: bool = True
    seed: Seed | None = None
    first: Id | None = None
    last: Id | None = None
    character: Name | None = None
    lane: Lane = "normal"
    tags: Annotated[list[Tag], Meta(max_length=32)] = []
    accept_stale: Annotated[bool, Meta(description="Take a price list that is older than 90 days.")] = False
    shot_id: Id | None = None
    refine_of: (
        Annotated[Id, Meta(description="A clip's job whose latents are refined, where the provider keeps them.")] | None
    ) = None


class Clip(Record, frozen=True):
    """The final request: what is judged, sealed, quoted and sent."""

    prompt: str
    provider: str
    model: str
    width: int
    height: int
    seconds: int
    fps: str
    audio: bool
    seed: int | None
    first: SourceUse | None
    last: SourceUse | None
    character: CharacterUse | None
    lane: Lane
    tags: list[str]
    shot_id: str | None = None
    refine_of: str | None = None


class Fetched(Record, frozen=True):
    """A result that is whole on this disk."""

    path: str
    bytes: int
    sha256: str


class Step(Record, frozen=True):
    """One arrow of a clip's way, as it was written down."""

    at: str
    was: Phase
    phase: Phase
    event: str
    detail: dict[str, Any]


class Evidence(Record, frozen=True):
    """All that is known of a clip, for a person who has to say what happened."""

    job_id: str
    provider: str
    model: str
    phase: Phase
    total_mcr: int
    remote_id: str | None
    request_id: str | None
    sent_at: str | None
    steps: list[Step]
