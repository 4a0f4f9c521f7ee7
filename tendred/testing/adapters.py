"""Adapters of ours beside fake providers, and an order to send."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

import msgspec

from tendred.backend import Adapter
from tendred.clock import Clock, SystemClock
from tendred.cloud.adapters.registry import MAKERS
from tendred.cloud.adapters.table import Table, load
from tendred.cloud.adapters.wire import Wire
from tendred.config.secret import Secret
from tendred.schema.provider import ClipOrder, RemoteState
from tendred.testing.providers.server import FakeProvider

ORDER: Final = ClipOrder(
    job_id="job_1", key="job_1", model="ltx-2-3-fast", prompt="Rain on a tin roof, a slow pan along the gutter", width=1920,
    height=1080, seconds=6, fps="25", audio=True, seed=None, first=None, last=None,
)  # fmt: skip


CLIP: Final = struct.pack(">I4s4s", 16, b"ftyp", b"isom") + bytes(4) + bytes(range(256)) * 400
"""Not a clip, but as long as a small one: for tests that are about the wire."""


def table_for(fake: FakeProvider, **changes: Any) -> Table:
    """The packaged table with the fake's addresses."""
    places = {"endpoint": fake.api, "storage": fake.api, "cdn": fake.storage}
    return msgspec.structs.replace(load(fake.provider), **{**places, **changes})


def adapter_for(
    fake: FakeProvider, *, key: str | None = None, clock: Clock | None = None, submit_s: float = 30.0, **changes: Any
) -> Adapter:
    """Our adapter, pointed at the fake. `key`: the fake's own, if none is given; an empty one is none."""
    shown = fake.key if key is None else key

    async def keys() -> Secret | None:
        return Secret(shown) if shown else None

    table = table_for(fake, **changes)
    wire = Wire(table, keys, clock or SystemClock(), submit_s=submit_s)
    return MAKERS[fake.provider](table, wire)


async def ready(adapter: Adapter, remote_id: str, limit_s: float = 60.0) -> RemoteState:
    """Ask until the job has ended. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while (state := await adapter.poll(remote_id)).phase in {"waiting", "rendering"}:
            await asyncio.sleep(0.01)
    return state


async def fetched(adapter: Adapter, state: RemoteState, offset: int = 0, etag: str | None = None) -> bytes:
    """The result from there on, in one go."""
    async with adapter.download(state, offset, etag) as download:
        return b"".join([piece async for piece in download.pieces()])
