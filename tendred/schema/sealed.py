"""Records that only their makers may make: whoever holds one may rely on what it says."""

from __future__ import annotations

from typing import Final, Literal

from tendred.schema.base import Record
from tendred.schema.stroke import StrokesUse

MOST_WEIGHT: Final = 4.0
"""Words count from 0 to so many times; the least is none at all, for below it they would ask for their opposite."""


class Span(Record, frozen=True):
    """A piece of prompt and how strongly it counts. What was judged is what is drawn: a worker parses nothing."""

    text: str
    weight: float = 1.0


class Conditioning(Record, frozen=True):
    """What the encoders get. `anchor` goes first in every chunk of every encoder, null where nobody may be in frame."""

    prompt: list[Span]
    negative: list[Span]
    anchor: str | None


class Verdict(Record, frozen=True):
    """What the boundary says of a request. Offsets count code points of the text as received.

    Of a refusal: `reason` says why, `passes` what would be allowed instead, both in words. `path` is the field that was
    refused, where that is known; `span` is one of the prompt.
    """

    verdict: Literal["allow", "refuse"]
    rule: str | None
    reason: str | None
    span: tuple[int, int] | None
    removed: list[str]
    policy: str
    passes: str | None = None
    path: str | None = None


class Reviewed(Record, frozen=True):
    """A judged request under seal: `mac` is HMAC-SHA-256 over `request`, `conditioning` and `policy`.

    `request` and `conditioning` are canonical JSON (sorted keys). Only `boundary.seal` makes or opens one.
    """

    request: bytes
    conditioning: bytes
    policy: str
    mac: bytes


class OwnClip(Record, frozen=True):
    """A clip of this library whose file is the one that its receipt names. Only `library.own` makes one."""

    asset_id: str
    path: str
    sha256: str


class OwnStill(Record, frozen=True):
    """A still of this library whose file is the one that its receipt names. Only `library.own` makes one.

    `words` is what it was asked for with; `anchor` what the boundary put first then, null where nobody could be in
    frame. Sides are in pixels. `painted`: all that people painted into it, and into what it came from.
    """

    asset_id: str
    path: str
    sha256: str
    width: int
    height: int
    words: str
    anchor: str | None
    painted: list[StrokesUse] = []
