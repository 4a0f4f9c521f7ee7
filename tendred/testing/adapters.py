"""Adapters of ours beside fake providers, and an order to send."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tendred.backend import Adapter
from tendred.clock import Clock, SystemClock
from tendred.cloud.adapters.registry import MAKERS
from tendred.cloud.adapters.table import Table, load
from tendred.cloud.adapters.wire import Wire
from tendred.config.secret import Secret
from tendred.schema.provider import ClipOrder
from tendred.testing.providers.server import FakeProvider

ORDER: Final = ClipOrder(
    job_id="job_1", key="job_1", model="ltx-2-3-fast", prompt="Rain on a tin roof, a slow pan along the gutter", width=1920,
    height=1080, seconds=6, fps="25", audio=True, seed=None, first=None, last=None,
)  # fmt: skip


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
