"""tokens.*: a token for every client, with what it may do."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import NotFound, NotPermitted, TooLarge
from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked, Id, Name
from tendred.schema.money import Amount, TokenInfo, TokenMade, Tokens
from tendred.schema.token import Scope


class CreateParams(Asked, frozen=True):
    """Whose it is, what it may do, and how much it may spend in a month."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=4)]
    cap_mcr: Amount = 0


class TokenParams(Asked, frozen=True):
    """Names a token."""

    token_id: Id


async def create(call: Here, params: CreateParams) -> TokenMade:
    door = call.door
    return await door.studio.tokens.create(params.name, list(params.scopes), params.cap_mcr, door.scopes)


async def every(call: Here, _params: NoParams) -> Tokens:
    return await call.door.studio.tokens.list()


async def revoke(call: Here, params: TokenParams) -> TokenInfo:
    return await call.door.studio.tokens.revoke(params.token_id)


def register(methods: Methods) -> None:
    add = methods.add
    add(
        "tokens.create",
        CreateParams,
        create,
        result=TokenMade,
        scope="manage",
        summary="Make a token; nobody gives away a scope they don't have. Its secret is told this once.",
        errors=(NotPermitted, TooLarge),
        alone=True,
    )
    add("tokens.list", NoParams, every, result=Tokens, scope="manage", summary="Every token, without its secret.")
    add(
        "tokens.revoke",
        TokenParams,
        revoke,
        result=TokenInfo,
        scope="manage",
        summary="From now on it opens nothing.",
        errors=(NotFound,),
    )
