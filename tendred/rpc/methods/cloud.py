"""cloud.*: keys of providers, and the switch. Off at first; while it is off nothing reaches a provider."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.config.secret import Secret
from tendred.errors import ConsentRequired, InvalidParams, KeyringUnavailable, NotFound, WrongState
from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.credentials import KeyState, LoggedOut
from tendred.schema.money import CapChanges, CloudStatus


class Login(Asked, frozen=True):
    """A provider, and the key that it gave you."""

    provider: Name
    key: Annotated[str, Meta(min_length=1, max_length=4096, description="Kept in the keyring, and shown to nobody.")]


class Provider(Asked, frozen=True):
    """Names a provider."""

    provider: Name


class EnableParams(Asked, frozen=True):
    """Names a provider, and the caps that it may spend under; those that are set already may be left out."""

    provider: Name
    caps: CapChanges = CapChanges()


class DisableParams(Asked, frozen=True):
    """Names a provider; null means all."""

    provider: Name | None = None


async def login(call: Here, params: Login) -> KeyState:
    return await call.door.studio.credentials.login(params.provider, Secret(params.key))


async def logout(call: Here, params: Provider) -> LoggedOut:
    return await call.door.studio.credentials.logout(params.provider)


async def status(call: Here, params: NoParams) -> CloudStatus:
    del params
    return await call.door.studio.cloud.status()


async def enable(call: Here, params: EnableParams) -> CloudStatus:
    return await call.door.studio.cloud.enable(params.provider, params.caps)


async def disable(call: Here, params: DisableParams) -> CloudStatus:
    return await call.door.studio.cloud.disable(params.provider)


def register(methods: Methods) -> None:
    add = methods.add
    change = (NotFound, KeyringUnavailable, WrongState)
    add(
        "cloud.login",
        Login,
        login,
        result=KeyState,
        scope="manage",
        summary="Keep a provider's key. Nothing is sent there.",
        errors=(*change, InvalidParams),
    )
    add(
        "cloud.logout",
        Provider,
        logout,
        result=LoggedOut,
        scope="manage",
        summary="Remove a provider's key.",
        errors=change,
    )
    add(
        "cloud.status",
        NoParams,
        status,
        result=CloudStatus,
        scope="read",
        summary="What is on, where each key is, and what leaves this machine with a clip.",
    )
    add(
        "cloud.enable",
        EnableParams,
        enable,
        result=CloudStatus,
        scope="spend",
        summary="Let clips go to a provider, under caps for a clip, a day and a month.",
        errors=(ConsentRequired, NotFound),
    )
    add(
        "cloud.disable",
        DisableParams,
        disable,
        result=CloudStatus,
        scope="manage",
        summary="Off at once; what renders there waits until it is on again.",
        errors=(NotFound,),
    )
