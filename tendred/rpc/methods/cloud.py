"""cloud.*: the switch. Off at first; while it is off nothing reaches a provider."""

from __future__ import annotations

from tendred.errors import ConsentRequired, NotFound
from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.money import CapChanges, CloudReport


class EnableParams(Asked, frozen=True):
    """Names a provider, and the caps that it may spend under; those that are set already may be left out."""

    provider: Name
    caps: CapChanges = CapChanges()


class DisableParams(Asked, frozen=True):
    """Names a provider; null means all."""

    provider: Name | None = None


async def enable(call: Here, params: EnableParams) -> CloudReport:
    return await call.door.studio.cloud.enable(params.provider, params.caps)


async def disable(call: Here, params: DisableParams) -> CloudReport:
    return await call.door.studio.cloud.disable(params.provider)


async def report(call: Here, _params: NoParams) -> CloudReport:
    return await call.door.studio.cloud.report()


def register(methods: Methods) -> None:
    add = methods.add
    add(
        "cloud.enable",
        EnableParams,
        enable,
        result=CloudReport,
        scope="spend",
        summary="Let clips go to a provider, under caps for a clip, a day and a month.",
        errors=(ConsentRequired, NotFound),
    )
    add(
        "cloud.disable",
        DisableParams,
        disable,
        result=CloudReport,
        scope="manage",
        summary="Off at once; what renders there waits until it is on again.",
        errors=(NotFound,),
    )
    add("cloud.report", NoParams, report, result=CloudReport, scope="read", summary="What is on, and what leaves.")
