"""A shot: what the user is after, its takes, the one that is kept, and the ways to a 4K final of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.schema.base import Asked, Id, Name, Record
from tendred.schema.character import CharacterUse
from tendred.schema.clip import Fps, Seconds
from tendred.schema.footage import Footage
from tendred.schema.job import State
from tendred.schema.money import Quote
from tendred.schema.source import SourceUse
from tendred.schema.still import Lane, Seed, Tag

Way = Literal["refine", "upscale", "new_take"]
ShotState = Literal["open", "locked", "finished"]
TakeLabel = Literal["draft", "new_take"]


class NewShot(Asked, frozen=True):
    """`shots.create`. Takes begin from nothing but words, or from `first`, and lead to `last`: stills of the library."""

    prompt: Annotated[str, Meta(description="What happens, how it looks, and what is heard, in words.")]
    name: Annotated[str, Meta(max_length=80, description="For people; null takes the first words.")] | None = None
    first: Annotated[Id, Meta(description="The still that is the first picture.")] | None = None
    last: Annotated[Id, Meta(description="The still that is the last picture; needs a first one.")] | None = None
    character: Annotated[Name, Meta(description="Null: whoever is in the first still.")] | None = None
    tags: Annotated[list[Tag], Meta(max_length=32)] = []


class DraftRequest(Asked, frozen=True):
    """`shots.draft`: the price of another take. `clips.render` with its quote has it rendered. Null: the first there is."""

    shot_id: Id
    provider: Name | None = None
    model: Name | None = None
    size: Literal["720p", "1080p"] = "1080p"
    orientation: Literal["landscape", "portrait"] = "landscape"
    seconds: Seconds = 6
    fps: Fps = "24"
    audio: bool = True
    seed: Seed | None = None
    accept_stale: Annotated[bool, Meta(description="Take a price list that is older than 90 days.")] = False


class FinishRequest(Asked, frozen=True):
    """`shots.finish`: a 4K final of the locked take. A null way is refine where it is open, else upscale.

    `new_take` is another take at 4K, not a final of this one: it needs `consent`. Both others than upscale are priced
    only, as a draft is.
    """

    shot_id: Id
    way: Way | None = None
    upscaler: Annotated[Name, Meta(description="An upscaler of models.list, or lanczos; null is lanczos.")] | None = (
        None
    )
    consent: Annotated[bool, Meta(description="I know that this is another take, with other motion and sound.")] = False
    lane: Lane = "normal"
    accept_stale: bool = False


class WayOpen(Record, frozen=True):
    """One way to a 4K final, and why it is closed if it is. `same`: motion and sound are those of the take."""

    way: Way
    open: bool
    same: bool
    reason: str | None


class Guidance(Record, frozen=True):
    """How long the prompt is beside what the model was taught with. `speech`: what it has somebody say, word by word."""

    words: int
    least: int
    most: int
    advice: Literal["fits", "short", "long"]
    speech: list[str]


class TakePictures(Record, frozen=True):
    """Pictures of a take, as files in the cache."""

    poster: str
    waveform: str
    sheet: str


class TakeInfo(Record, frozen=True):
    """One clip rendered for a shot, or on its way. `n` counts from 1. `of`: the take that a new take was made instead of.

    `state` is its job's; `clip` what its file holds.
    """

    id: str
    shot_id: str
    n: int
    label: TakeLabel
    of: str | None
    provider: str
    model: str
    width: int
    height: int
    seconds: int
    fps: str
    audio: bool
    created_at: str
    job_id: str
    state: State
    asset_id: str | None
    pictures: TakePictures | None
    ways: list[WayOpen]


class Locked(Record, frozen=True):
    """What is frozen: from here on only this take is finished, with these words, stills, provider and model."""

    take_id: str
    n: int
    asset_id: str
    sha256: str
    job_id: str
    prompt: str
    first: SourceUse | None
    last: SourceUse | None
    character: CharacterUse | None
    provider: str
    model: str
    seed: int
    seconds: int
    audio: bool
    clip: Footage
    latents: bool
    locked_at: str
    ways: list[WayOpen]


class FinalInfo(Record, frozen=True):
    """The final, or the job that makes it."""

    way: Way
    job_id: str
    state: State
    asset_id: str | None


class Shot(Record, frozen=True):
    """A shot. It is finished once a final of the locked take is in the library."""

    id: str
    name: str
    prompt: str
    first: SourceUse | None
    last: SourceUse | None
    character: CharacterUse | None
    tags: list[str]
    policy: str
    created_at: str
    state: ShotState
    takes: int
    locked: Locked | None
    final: FinalInfo | None
    guidance: Guidance


class ShotPage(Record, frozen=True):
    """Shots, newest first."""

    shots: list[Shot]
    next: str | None


class Takes(Record, frozen=True):
    """Every take of a shot, in the order in which they were asked for."""

    shot_id: str
    takes: list[TakeInfo]


class Drafted(Record, frozen=True):
    """A quote, for which nothing was sent yet, and the ways to a final that such a take would leave open."""

    shot: Shot
    quote: Quote
    ways: list[WayOpen]


class Finished(Record, frozen=True):
    """The final's job, or a quote to be confirmed and paid. `said` names what comes of it, for people."""

    shot: Shot
    way: Way
    said: str
    job_id: str | None
    quote: Quote | None


class Compared(Record, frozen=True):
    """Two takes beside each other, as a picture in the cache."""

    path: str
    left: str
    right: str
    width: int
    height: int
