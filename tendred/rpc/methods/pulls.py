"""models.pull and pulls.*: models on their way here."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import InvalidParams, NotFound, ShuttingDown, SlowDown
from tendred.rpc.methods.common import Here, Methods
from tendred.schema.base import Asked, Cursor, Id, Limit, Name
from tendred.schema.pull import Pull, PullPage, PullState, Repo, Revision, Variant


class PullModel(Asked, frozen=True):
    """Which model; revision null is `main`, variant null takes the whole weights, name null is the repository's."""

    repo: Repo
    revision: Revision | None = None
    variant: Variant | None = None
    name: Name | None = None


class ListPulls(Asked, frozen=True):
    """Which pulls."""

    state: Annotated[list[PullState], Meta(max_length=8, description="Pulls in one of these states.")] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class PullParams(Asked, frozen=True):
    """Names a pull."""

    pull_id: Id


class WaitForPull(Asked, frozen=True):
    """Names a pull, and how long to wait for it."""

    pull_id: Id
    timeout_s: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait at most.")] = 30


async def start(call: Here, params: PullModel) -> Pull:
    return await call.door.studio.pulls.start(params.repo, params.revision, params.variant, params.name)


async def page(call: Here, params: ListPulls) -> PullPage:
    return await call.door.studio.pulls.page(params.state, params.limit, params.cursor)


async def get(call: Here, params: PullParams) -> Pull:
    return await call.door.studio.pulls.get(params.pull_id)


async def wait(call: Here, params: WaitForPull) -> Pull:
    return await call.door.waits.hold(lambda: call.door.studio.pulls.wait(params.pull_id, params.timeout_s))


async def pause(call: Here, params: PullParams) -> Pull:
    return await call.door.studio.pulls.pause(params.pull_id)


async def resume(call: Here, params: PullParams) -> Pull:
    return await call.door.studio.pulls.resume(params.pull_id)


async def cancel(call: Here, params: PullParams) -> Pull:
    return await call.door.studio.pulls.cancel(params.pull_id)


def register(methods: Methods) -> None:
    add, gone = methods.add, (NotFound,)
    add(
        "models.pull",
        PullModel,
        start,
        result=Pull,
        scope="manage",
        summary="Fetch a model from the hub. The same asked for again is the same pull, gone on with.",
        errors=(InvalidParams,),
    )
    add("pulls.list", ListPulls, page, result=PullPage, scope="read", summary="Pulls, newest first.")
    add("pulls.get", PullParams, get, result=Pull, scope="read", summary="One pull.", errors=gone)
    add(
        "pulls.wait",
        WaitForPull,
        wait,
        result=Pull,
        scope="read",
        summary="The pull once it neither waits nor runs, or as it is when the time is up.",
        errors=(NotFound, ShuttingDown, SlowDown),
    )
    for name, run, summary in (
        ("pulls.pause", pause, "Let it rest; what was fetched stays."),
        ("pulls.resume", resume, "Go on with a pull that rests or failed."),
        ("pulls.cancel", cancel, "Give a pull up and remove what was fetched."),
    ):
        add(name, PullParams, run, result=Pull, scope="manage", summary=summary, errors=gone)
