"""jobs.*: what was accepted, and where it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.errors import NotFound, ShuttingDown, SlowDown
from tendred.rpc.methods.common import Here, JobParams, Methods
from tendred.schema.base import Asked, Cursor, Id, Limit
from tendred.schema.job import Job, JobPage, Previewed, State
from tendred.schema.still import Kind


class ListJobs(Asked, frozen=True):
    """Which jobs."""

    state: Annotated[list[State], Meta(max_length=8, description="Jobs in one of these states.")] | None = None
    kind: Kind | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


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
    return await call.door.studio.jobs(state=params.state, kind=params.kind, limit=params.limit, cursor=params.cursor)


async def cancel(call: Here, params: JobParams) -> Job:
    return await call.door.studio.cancel(params.job_id)


async def wait(call: Here, params: WaitParams) -> Job:
    return await call.door.waits.hold(lambda: call.door.studio.wait(params.job_id, params.timeout_s))


async def preview(call: Here, params: PreviewParams) -> Previewed:
    return await call.door.studio.preview(params.job_id, params.form, params.side)


def register(methods: Methods) -> None:
    add = methods.add
    add("jobs.get", JobParams, get, result=Job, scope="read", summary="One job.", errors=(NotFound,))
    add("jobs.list", ListJobs, page, result=JobPage, scope="read", summary="Jobs, newest first.")
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
