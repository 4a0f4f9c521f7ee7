"""jobs.*: what was accepted, where it stands, and where it goes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.errors import (
    BoundaryRefused,
    InvalidParams,
    ModelMissing,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    SlowDown,
    StillNotOurs,
    WrongState,
)
from tendred.rpc.methods.common import Here, JobParams, Methods
from tendred.schema.base import Asked, Cursor, Id, Limit, Name
from tendred.schema.job import Job, JobPage, Previewed, State, Submitted
from tendred.schema.still import Kind

Time = Annotated[str, Meta(max_length=64, description="RFC 3339, of its making; `after` itself is in, `before` out.")]


class ListJobs(Asked, frozen=True):
    """Which jobs."""

    state: Annotated[list[State], Meta(max_length=8, description="Jobs in one of these states.")] | None = None
    kind: Kind | None = None
    model: Name | None = None
    after: Time | None = None
    before: Time | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class MoveParams(Asked, frozen=True):
    """Names a waiting job, and where it goes."""

    job_id: Id
    to: Annotated[
        str,
        Meta(
            pattern="^(first|last|interactive|normal|idle|job_[0-9A-HJKMNP-TV-Z]{26})$",
            description="The first or last of its lane, a lane, or the waiting job that it goes before.",
        ),
    ]


class WaitParams(Asked, frozen=True):
    """Names a job, and how long to wait for it."""

    job_id: Id
    timeout_s: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait at most.")] = 30


class PreviewParams(Asked, frozen=True):
    """Names a job, and how to show it."""

    job_id: Id
    form: Annotated[
        Literal["jpeg", "ppm"], Meta(description="A file for programs with a picture library, or plain pixels.")
    ] = "jpeg"
    side: Annotated[int, Meta(ge=8, le=256, description="Pixels; neither side is longer.")] = 256


async def get(call: Here, params: JobParams) -> Job:
    return await call.door.studio.job(params.job_id)


async def page(call: Here, params: ListJobs) -> JobPage:
    return await call.door.studio.jobs(
        state=params.state, kind=params.kind, model=params.model, after=params.after, before=params.before,
        limit=params.limit, cursor=params.cursor,
    )  # fmt: skip


async def cancel(call: Here, params: JobParams) -> Job:
    return await call.door.studio.cancel(params.job_id)


async def move(call: Here, params: MoveParams) -> Job:
    return await call.door.studio.move(params.job_id, params.to)


async def retry(call: Here, params: JobParams) -> Submitted:
    return await call.door.studio.retry(params.job_id, call.door.origin)


async def wait(call: Here, params: WaitParams) -> Job:
    return await call.door.waits.hold(lambda: call.door.studio.wait(params.job_id, params.timeout_s))


async def preview(call: Here, params: PreviewParams) -> Previewed:
    return await call.door.studio.preview(params.job_id, params.form, params.side)


def register(methods: Methods) -> None:
    add = methods.add
    add("jobs.get", JobParams, get, result=Job, scope="read", summary="One job.", errors=(NotFound,))
    add(
        "jobs.list",
        ListJobs,
        page,
        result=JobPage,
        scope="read",
        summary="Jobs, newest first.",
        errors=(InvalidParams,),
    )
    add(
        "jobs.cancel",
        JobParams,
        cancel,
        result=Job,
        scope="generate",
        summary="Stop a job in any state; one that has ended comes back unchanged.",
        errors=(NotFound,),
    )
    add(
        "jobs.move",
        MoveParams,
        move,
        result=Job,
        scope="manage",
        summary="Put a waiting job elsewhere in the line.",
        errors=(NotFound, WrongState),
    )
    add(
        "jobs.retry",
        JobParams,
        retry,
        result=Submitted,
        scope="generate",
        summary="Make a job anew that failed, was cancelled or is parked; a parked one is cancelled with that.",
        errors=(
            BoundaryRefused,
            ModelMissing,
            ModelRefused,
            NotFound,
            QueueFull,
            ShuttingDown,
            SlowDown,
            StillNotOurs,
            WrongState,
        ),
    )
    add(
        "jobs.wait",
        WaitParams,
        wait,
        result=Job,
        scope="read",
        summary="The job once it has ended, or as it is when the time is up.",
        errors=(NotFound, ShuttingDown, SlowDown),
    )
    add(
        "jobs.preview",
        PreviewParams,
        preview,
        result=Previewed,
        scope="read",
        summary="The newest rough picture of a running job; whoever asks now and then makes the engine show them.",
        errors=(NotFound, ShuttingDown),
    )
