"""system.*: who answers, how it is, and stopping it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.rpc.methods.common import Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked
from tendred.schema.system import Hello, Status

Word = Annotated[str, Meta(min_length=1, max_length=64)]


class HelloParams(Asked, frozen=True):
    """Who calls. `token` only in the first frame of a WebSocket that couldn't set a header."""

    client: Word
    version: Word
    token: Annotated[str, Meta(max_length=256)] | None = None
    wants: Annotated[list[Word], Meta(max_length=32, description="Features the client would use.")] = []

    def __repr__(self) -> str:
        # The token never gets into a log, not even by way of a traceback's locals.
        return f"HelloParams(client={self.client!r}, version={self.version!r})"


class ShutdownParams(Asked, frozen=True):
    """How to stop."""

    drain: Annotated[bool, Meta(description="Give the running job time to finish.")] = True


async def hello(call: Here, params: HelloParams) -> Hello:
    if call.door.listener is not None:
        call.door.listener.introduce(f"{params.client}/{params.version}")
    return call.door.studio.hello()


async def status(call: Here, _params: NoParams) -> Status:
    return await call.door.studio.status()


async def shutdown(call: Here, params: ShutdownParams) -> Nothing:
    call.door.studio.stop(drain=params.drain)
    return Nothing()


def register(methods: Methods) -> None:
    add = methods.add
    add("system.hello", HelloParams, hello, result=Hello, scope="read", summary="Who answers, and what it can do.")
    add("system.status", NoParams, status, result=Status, scope="read", summary="How everything is.")
    add("system.shutdown", ShutdownParams, shutdown, result=Nothing, scope="manage", summary="Stop the daemon.")
