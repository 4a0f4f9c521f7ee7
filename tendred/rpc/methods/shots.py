"""shots.*: from words to takes, from one of them to a 4K final. Nothing here pays: that is clips.render."""

from __future__ import annotations

from tendred.errors import (
    BoundaryRefused,
    ClipUnreadable,
    CloudOff,
    ConsentRequired,
    EngineMissing,
    InvalidParams,
    ModelRefused,
    NotFound,
    NotOffered,
    PricesMissing,
    PricesStale,
    QueueFull,
    ShuttingDown,
    StillNotOurs,
    TooLarge,
    UnsupportedParameter,
    WrongState,
)
from tendred.rpc.methods.common import Here, Methods
from tendred.schema.base import Asked, Cursor, Id, Limit
from tendred.schema.shot import (
    Compared,
    Drafted,
    DraftRequest,
    Finished,
    FinishRequest,
    NewShot,
    Shot,
    ShotPage,
    Takes,
)


class ShotParams(Asked, frozen=True):
    """Names a shot."""

    shot_id: Id


class TakeParams(Asked, frozen=True):
    """Names a take."""

    take_id: Id


class CompareParams(Asked, frozen=True):
    """Names two takes."""

    left: Id
    right: Id


class ListParams(Asked, frozen=True):
    """A page."""

    limit: Limit = 50
    cursor: Cursor | None = None


async def create(call: Here, params: NewShot) -> Shot:
    return await call.door.studio.shots.create(params, call.door.origin)


async def draft(call: Here, params: DraftRequest) -> Drafted:
    return await call.door.studio.shots.draft(params, call.door.origin, call.door.token_id)


async def takes(call: Here, params: ShotParams) -> Takes:
    return await call.door.studio.shots.takes(params.shot_id)


async def lock(call: Here, params: TakeParams) -> Shot:
    return await call.door.studio.shots.lock(params.take_id)


async def finish(call: Here, params: FinishRequest) -> Finished:
    if call.door.studio.stopping:
        raise ShuttingDown
    return await call.door.studio.shots.finish(params, call.door.origin, call.door.token_id)


async def show(call: Here, params: ShotParams) -> Shot:
    return await call.door.studio.shots.show(params.shot_id)


async def every(call: Here, params: ListParams) -> ShotPage:
    return await call.door.studio.shots.list(params.limit, params.cursor)


async def compare(call: Here, params: CompareParams) -> Compared:
    return await call.door.studio.shots.compare(params.left, params.right)


_PRICED = (CloudOff, InvalidParams, NotFound, NotOffered, PricesMissing, PricesStale)
_CLIPS = (ClipUnreadable, EngineMissing, NotFound, WrongState)


def register(methods: Methods) -> None:
    add = methods.add
    add(
        "shots.create",
        NewShot,
        create,
        result=Shot,
        scope="generate",
        summary="Write down what you are after: words, maybe a first and a last still of the library.",
        errors=(BoundaryRefused, InvalidParams, NotFound, StillNotOurs, TooLarge),
    )
    add(
        "shots.draft",
        DraftRequest,
        draft,
        result=Drafted,
        scope="generate",
        summary="The price of another take, and the ways to a 4K final that it would leave open. Nothing is sent.",
        errors=(*_PRICED, BoundaryRefused, StillNotOurs),
    )
    add(
        "shots.takes",
        ShotParams,
        takes,
        result=Takes,
        scope="read",
        summary="Every take of a shot, with poster, waveform and contact sheet.",
        errors=(NotFound,),
    )
    add(
        "shots.compare",
        CompareParams,
        compare,
        result=Compared,
        scope="read",
        summary="Two takes beside each other, as one picture.",
        errors=_CLIPS,
    )
    add(
        "shots.lock",
        TakeParams,
        lock,
        result=Shot,
        scope="generate",
        summary="Freeze the take whose motion and sound are wanted; what no 4K final can be made of is refused by name.",
        errors=(*_CLIPS, NotOffered),
    )
    add(
        "shots.finish",
        FinishRequest,
        finish,
        result=Finished,
        scope="generate",
        summary="Make the 4K final of the locked take; refine and new_take are only priced.",
        errors=(
            *_PRICED,
            BoundaryRefused,
            ConsentRequired,
            ModelRefused,
            QueueFull,
            ShuttingDown,
            StillNotOurs,
            UnsupportedParameter,
            WrongState,
        ),
    )
    add("shots.show", ShotParams, show, result=Shot, scope="read", summary="One shot.", errors=(NotFound,))
    add("shots.list", ListParams, every, result=ShotPage, scope="read", summary="Shots, newest first.")
