"""clips.*: what a clip costs, the confirmation of it, and its making."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import (
    BoundaryRefused,
    CapExceeded,
    CloudOff,
    ConsentRequired,
    NotFound,
    NotOffered,
    OutcomeUnknown,
    PricesMissing,
    PricesStale,
    QueueFull,
    QuoteExpired,
    QuoteMismatch,
    QuoteUsed,
    ShuttingDown,
    StillNotOurs,
    TooLarge,
    UnsupportedParameter,
)
from tendred.rpc.methods.common import Here, JobParams, Methods, asked_of, check_prompts
from tendred.schema.base import Asked, Id
from tendred.schema.clip import ClipRequest, Evidence
from tendred.schema.job import Job
from tendred.schema.money import Confirmation, Quote


class QuoteParams(Asked, frozen=True):
    """Names a quote."""

    quote_id: Id


class RenderParams(Asked, frozen=True):
    """Names a quote, and the code that was shown for it."""

    quote_id: Id
    confirm: Annotated[str, Meta(min_length=1, max_length=32, description="The code that clips.confirm showed.")]


async def quote(call: Here, params: ClipRequest) -> Quote:
    check_prompts(params.prompt, "")
    door = call.door
    return await door.studio.clips.quote(params, asked_of(call), door.origin, door.token_id)


async def confirm(call: Here, params: QuoteParams) -> Confirmation:
    return await call.door.studio.clips.confirm(params.quote_id, call.door.token_id)


async def render(call: Here, params: RenderParams) -> Job:
    door = call.door
    if door.studio.stopping:
        raise ShuttingDown
    return await door.studio.clips.render(params.quote_id, params.confirm, door.token_id)


async def evidence(call: Here, params: JobParams) -> Evidence:
    return await call.door.studio.clips.evidence(params.job_id)


def register(methods: Methods) -> None:
    add, offer = methods.add, (NotFound, QuoteExpired, QuoteMismatch, QuoteUsed)
    add(
        "clips.quote",
        ClipRequest,
        quote,
        result=Quote,
        scope="generate",
        summary="What a clip costs, as an offer for ten minutes; nothing is sent and nothing reserved.",
        errors=(
            BoundaryRefused, CloudOff, NotFound, NotOffered, PricesMissing, PricesStale, StillNotOurs, TooLarge,
            UnsupportedParameter,
        ),
    )  # fmt: skip
    add(
        "clips.confirm",
        QuoteParams,
        confirm,
        result=Confirmation,
        scope="spend",
        summary="A code for a quote, to be shown and typed in again within a minute; only as a call by itself.",
        errors=(*offer, ConsentRequired),
        alone=True,
    )
    add(
        "clips.render",
        RenderParams,
        render,
        result=Job,
        scope="spend",
        summary="Take a confirmed quote: the money is reserved and the job made at once, or neither.",
        errors=(*offer, CapExceeded, CloudOff, ConsentRequired, OutcomeUnknown, QueueFull, ShuttingDown),
        alone=True,
    )
    add(
        "clips.evidence",
        JobParams,
        evidence,
        result=Evidence,
        scope="read",
        summary="All that is known of a clip at its provider, arrow by arrow.",
        errors=(NotFound,),
    )
