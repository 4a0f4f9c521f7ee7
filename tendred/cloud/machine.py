"""What may happen to a clip, and what each arrow does to the money and to the job. Pure; the only place that knows.

quoted -> confirmed -> reserved -> sending -> submitted -> rendering -> ready -> downloading -> verified -> settled.
The one rule behind it: between `sending` and an answer nobody may guess. Whatever isn't certainly *not sent* or
certainly *not taken* leads to `unknown`, which only a person, or the provider's own list, leads out of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tendred.schema.clip import ENDED, Basis, Phase
from tendred.schema.error import ErrorInfo
from tendred.schema.money import Refund

# -- what happens ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Confirmed:
    """A person typed the code in, or set a standing cap for the door."""


@dataclass(frozen=True)
class Reserved:
    """There was room under every cap."""


@dataclass(frozen=True)
class Refused:
    """It can't be sent as it was judged: another policy, a still that is gone, a model that is retired."""

    error: ErrorInfo


@dataclass(frozen=True)
class Sending:
    """The next thing is the first byte of the submit."""


@dataclass(frozen=True)
class NotSent:
    """No byte left, or the provider certainly turned it away for now: it may be sent later."""

    why: str


@dataclass(frozen=True)
class Rejected:
    """The provider certainly did not take it, and never will."""

    error: ErrorInfo


@dataclass(frozen=True)
class Accepted:
    """The provider took it."""

    remote_id: str
    request_id: str | None


@dataclass(frozen=True)
class Lost:
    """Nobody knows whether it was taken."""

    error: ErrorInfo


@dataclass(frozen=True)
class Found:
    """It was taken, and by this name it is known there. `by`: a person, or the provider's own list."""

    remote_id: str
    by: Literal["user", "provider"]


@dataclass(frozen=True)
class NotCharged:
    """A person looked: it was not billed."""

    error: ErrorInfo


@dataclass(frozen=True)
class Charged:
    """A person looked: it was billed, and there is no clip. Null: the amount that was quoted."""

    error: ErrorInfo
    mcr: int | None


@dataclass(frozen=True)
class Rendering:
    """The provider works on it."""


@dataclass(frozen=True)
class Ready:
    """It is paid for, and can be fetched."""

    said_mcr: int | None


@dataclass(frozen=True)
class RemoteFailed:
    """The provider gave it up. `refund`: what its terms say of the money; `said_mcr`: what it said itself."""

    error: ErrorInfo
    refund: Refund
    said_mcr: int | None


@dataclass(frozen=True)
class Gone:
    """The provider doesn't know it any more."""

    error: ErrorInfo


@dataclass(frozen=True)
class Overdue:
    """The provider has had it for longer than it gets, and says neither that it is ready nor that it failed."""

    error: ErrorInfo


@dataclass(frozen=True)
class Downloading:
    """Its bytes are on their way."""


@dataclass(frozen=True)
class Verified:
    """All of it is here, durable, and is a clip."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Spoiled:
    """What arrived whole is no clip, again and again."""

    error: ErrorInfo


@dataclass(frozen=True)
class Missing:
    """It was here, and is not any more."""


@dataclass(frozen=True)
class Kept:
    """It is in the library."""


@dataclass(frozen=True)
class Withheld:
    """The boundary lets nobody see it. It is paid for all the same."""

    error: ErrorInfo


@dataclass(frozen=True)
class CancelAsked:
    """Somebody doesn't want it any more."""


@dataclass(frozen=True)
class RemoteCancelled:
    """The provider took it out before it cost anything."""


@dataclass(frozen=True)
class StillBilled:
    """The provider can't stop it: nobody waits for it any longer, and it is billed."""


Event = (
    Confirmed | Reserved | Refused | Sending | NotSent | Rejected | Accepted | Lost | Found | NotCharged | Charged
    | Rendering | Ready | RemoteFailed | Gone | Overdue | Downloading | Verified | Spoiled | Missing | Kept | Withheld | CancelAsked
    | RemoteCancelled | StillBilled
)  # fmt: skip

# -- what it does to the money, and to the job ----------------------------------------------------------------


@dataclass(frozen=True)
class Hold:
    """Reserve the total."""


@dataclass(frozen=True)
class Settle:
    """Book the cost; null is the amount that was held."""

    mcr: int | None
    basis: Basis


@dataclass(frozen=True)
class Release:
    """Give the reservation back."""

    basis: Basis
    note: str


@dataclass(frozen=True)
class Unsure:
    """It may have been billed: it goes on counting."""

    note: str


Money = Hold | Settle | Release | Unsure
Fate = Literal["claim", "put_back", "stop", "finish", "fail", "lose", "find", "cancel"]
"""What happens to the job with it; see queue.machine."""


@dataclass(frozen=True)
class Facts:
    """What decides. `unwanted`: somebody asked for its end. `said_mcr`: the cost, if the provider told it."""

    phase: Phase
    unwanted: bool = False
    said_mcr: int | None = None


@dataclass(frozen=True)
class Step:
    """The arrow."""

    phase: Phase
    money: Money | None = None
    fate: Fate | None = None
    error: ErrorInfo | None = None
    unwanted: bool | None = None


class IllegalStepError(Exception):
    """A fault of ours: this can't happen to a clip in that phase."""


def _cost(said_mcr: int | None) -> Settle:
    return Settle(said_mcr, "table" if said_mcr is None else "provider")


def _given_up(happened: RemoteFailed) -> Money:
    """A job that failed at the provider: its own word on the money first, then its terms, then nobody knows."""
    if happened.said_mcr is not None:
        return Settle(happened.said_mcr, "provider")
    if happened.refund == "free":
        return Release("table", "the provider's terms: not billed")
    if happened.refund == "billed":
        return Settle(None, "table")
    return Unsure("the provider's terms don't say whether a failed job is billed")


def step(facts: Facts, event: Event) -> Step | None:
    """The arrow, or None where the event changes nothing (a cancel that comes too late or twice).

    Raises IllegalStepError.
    """
    match facts.phase, event:
        case "quoted", Confirmed():
            return Step("confirmed")
        case "confirmed", Reserved():
            return Step("reserved", Hold())
        case "quoted" | "confirmed", Refused() | CancelAsked():
            return Step("refused" if isinstance(event, Refused) else "cancelled")
        case "reserved", Refused(error):
            return Step("refused", Release("table", "never sent"), "fail", error)
        case "reserved", CancelAsked():
            return Step("cancelled", Release("table", "never sent"), "cancel")
        case "reserved", Sending():
            return Step("sending", fate="claim")
        case "sending", NotSent():
            if facts.unwanted:
                return Step("cancelled", Release("table", "never taken"), "stop")
            return Step("reserved", fate="put_back")
        case "sending", Rejected(error):
            return Step("rejected", Release("table", "not taken by the provider"), "fail", error)
        case "sending", Accepted():
            return Step("submitted")
        case "sending", Lost(error):
            return Step("unknown", fate="lose", error=error)
        case "unknown", Found():
            return Step("submitted", fate="find", unwanted=False)
        case "unknown", NotCharged(error):
            return Step("failed", Release("user", "not billed, as a person says"), "fail", error)
        case "unknown", Charged(error, mcr):
            return Step("failed", Settle(mcr, "user"), "fail", error)
        case "sending" | "submitted" | "rendering", CancelAsked():
            return None if facts.unwanted else Step(facts.phase, fate="cancel", unwanted=True)
        case "ready" | "downloading" | "verified", CancelAsked():
            return None  # it is paid for: it is fetched
        case "submitted", Rendering():
            return Step("rendering")
        case "submitted" | "rendering", Ready():
            return Step("ready")
        case "submitted" | "rendering" | "ready" | "downloading", RemoteFailed() as gone:
            if facts.unwanted:
                return Step("cancelled", _given_up(gone), "stop")
            return Step("failed", _given_up(gone), "fail", gone.error)
        case "submitted" | "rendering", Gone(error):
            return Step("expired", Unsure("the provider forgot it before its outcome was seen"), "fail", error)
        case "ready" | "downloading", Gone(error):
            return Step("expired", _cost(facts.said_mcr), "fail", error)
        case "submitted" | "rendering", Overdue(error):
            return Step("unknown", fate="lose", error=error)
        case "submitted" | "rendering", RemoteCancelled():
            return Step("cancelled", Release("provider", "cancelled before it cost anything"), "stop")
        case "submitted" | "rendering", StillBilled():
            return Step("abandoned", _cost(facts.said_mcr), "stop")
        case "ready", Downloading():
            return Step("downloading")
        case "downloading", Verified():
            return Step("verified")
        case "downloading", Spoiled(error):
            return Step("failed", Unsure("it was billed, and what arrived is no clip"), "fail", error)
        case "verified", Missing():
            return Step("ready")
        case "verified", Kept():
            return Step("settled", _cost(facts.said_mcr), "finish")
        case "verified", Withheld(error):
            return Step("withheld", _cost(facts.said_mcr), "fail", error)
        case _, CancelAsked():
            return None
        case _:
            raise IllegalStepError(f"{type(event).__name__} in phase {facts.phase}")


LEGAL: Final[dict[Phase, frozenset[type[Event]]]] = {
    "quoted": frozenset({Confirmed, Refused, CancelAsked}),
    "confirmed": frozenset({Reserved, Refused, CancelAsked}),
    "reserved": frozenset({Refused, CancelAsked, Sending}),
    "sending": frozenset({NotSent, Rejected, Accepted, Lost, CancelAsked}),
    "unknown": frozenset({Found, NotCharged, Charged}),
    "submitted": frozenset({CancelAsked, Rendering, Ready, RemoteFailed, Gone, Overdue, RemoteCancelled, StillBilled}),
    "rendering": frozenset({CancelAsked, Ready, RemoteFailed, Gone, Overdue, RemoteCancelled, StillBilled}),
    "ready": frozenset({Downloading, RemoteFailed, Gone}),
    "downloading": frozenset({Verified, Spoiled, RemoteFailed, Gone}),
    "verified": frozenset({Missing, Kept, Withheld}),
    **dict.fromkeys(ENDED, frozenset[type[Event]]()),
}
"""Every arrow that changes something: what the tests go through, and the page in ARCHITECTURE."""
