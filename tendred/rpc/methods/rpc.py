"""rpc.*: the methods themselves."""

from __future__ import annotations

from typing import Any

from tendred.rpc.methods.common import Here, Methods, NoParams


async def discover(call: Here, _params: NoParams) -> dict[str, Any]:
    return call.door.describe()


def register(methods: Methods) -> None:
    methods.add(
        "rpc.discover",
        NoParams,
        discover,
        result=dict[str, Any],
        scope="read",
        summary="This document: every method, error and event, as OpenRPC 1.3.",
    )
