"""queue.*: what waits, and whether it goes on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked
from tendred.schema.job import QueueStatus


class PauseParams(Asked, frozen=True):
    """How to pause."""

    mode: Annotated[
        Literal["drain", "now"], Meta(description="Let the running job finish, or put it back in the queue.")
    ] = "drain"
    unload: Annotated[bool, Meta(description="Give the memory back too.")] = False


async def status(call: Here, _params: NoParams) -> QueueStatus:
    return await call.door.studio.queue_status()


async def pause(call: Here, params: PauseParams) -> QueueStatus:
    return await call.door.studio.pause(mode=params.mode, unload=params.unload)


async def resume(call: Here, _params: NoParams) -> QueueStatus:
    return await call.door.studio.resume()


def register(methods: Methods) -> None:
    add = methods.add
    add("queue.status", NoParams, status, result=QueueStatus, scope="read", summary="How full the queue is.")
    add("queue.pause", PauseParams, pause, result=QueueStatus, scope="manage", summary="Start no more jobs.")
    add("queue.resume", NoParams, resume, result=QueueStatus, scope="manage", summary="Go on.")
