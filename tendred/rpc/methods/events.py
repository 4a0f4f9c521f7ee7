"""events.*: what happened, in pages or as it happens."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import EventsGone, NeedsSocket, NotFound, SlowDown
from tendred.rpc.methods.common import Here, Methods, Nothing, Topics
from tendred.schema.base import Asked, Id, Limit
from tendred.schema.event import Event, EventPage, Subscribed
from tendred.schema.still import MAX_INT

Seq = Annotated[int, Meta(ge=0, le=MAX_INT, description="The number of an event.")]


class SinceParams(Asked, frozen=True):
    """From which event on."""

    seq: Seq
    topics: Topics | None = None
    limit: Limit = 50


class SubscribeParams(Asked, frozen=True):
    """What to hear of. With `since`, stored events from that number on come first."""

    since: Seq | None = None
    topics: Topics | None = None


class UnsubscribeParams(Asked, frozen=True):
    """Names a subscription."""

    subscription_id: Id


class EventNotice(Event, frozen=True):
    """What a socket is told: an event, and the subscription it is for."""

    subscription_id: str


async def since(call: Here, params: SinceParams) -> EventPage:
    return await call.door.studio.events_since(params.seq, params.topics or [], params.limit)


async def subscribe(call: Here, params: SubscribeParams) -> Subscribed:
    if call.door.listener is None:
        raise NeedsSocket(method="events.subscribe")
    return await call.door.listener.subscribe(params.since, params.topics or [])


async def unsubscribe(call: Here, params: UnsubscribeParams) -> Nothing:
    if call.door.listener is None:
        raise NeedsSocket(method="events.unsubscribe")
    call.door.listener.unsubscribe(params.subscription_id)
    return Nothing()


def register(methods: Methods) -> None:
    add = methods.add
    add(
        "events.since",
        SinceParams,
        since,
        result=EventPage,
        scope="read",
        summary="Stored events from a number on.",
        errors=(EventsGone,),
    )
    add(
        "events.subscribe",
        SubscribeParams,
        subscribe,
        result=Subscribed,
        scope="read",
        summary="Hear of everything as it happens, after a replay without a gap.",
        needs_socket=True,
        errors=(EventsGone, NeedsSocket, SlowDown),
    )
    add(
        "events.unsubscribe",
        UnsubscribeParams,
        unsubscribe,
        result=Nothing,
        scope="read",
        summary="Hear no more.",
        needs_socket=True,
        errors=(NeedsSocket, NotFound),
    )
