"""cloud.*: keys of providers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.config.secret import Secret
from tendred.errors import InvalidParams, KeyringUnavailable, NotFound, WrongState
from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.credentials import KeyState, KeyStates, LoggedOut


class Login(Asked, frozen=True):
    """A provider, and the key that it gave you."""

    provider: Name
    key: Annotated[str, Meta(min_length=1, max_length=4096, description="Kept in the keyring, and shown to nobody.")]


class Provider(Asked, frozen=True):
    """Names a provider."""

    provider: Name


async def login(call: Here, params: Login) -> KeyState:
    return await call.door.studio.credentials.login(params.provider, Secret(params.key))


async def logout(call: Here, params: Provider) -> LoggedOut:
    return await call.door.studio.credentials.logout(params.provider)


async def status(call: Here, params: NoParams) -> KeyStates:
    del params
    return await call.door.studio.credentials.status()


def register(methods: Methods) -> None:
    change = (NotFound, KeyringUnavailable, WrongState)
    methods.add(
        "cloud.login",
        Login,
        login,
        result=KeyState,
        scope="manage",
        summary="Keep a provider's key. Nothing is sent there.",
        errors=(*change, InvalidParams),
    )
    methods.add(
        "cloud.logout",
        Provider,
        logout,
        result=LoggedOut,
        scope="manage",
        summary="Remove a provider's key.",
        errors=change,
    )
    methods.add(
        "cloud.status", NoParams, status, result=KeyStates, scope="read", summary="Where each provider's key is."
    )
