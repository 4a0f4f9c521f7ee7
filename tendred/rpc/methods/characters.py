"""characters.*: who can be asked for by name."""

from __future__ import annotations

from tendred.errors import NotFound
from tendred.rpc.methods.common import Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.character import Character, Characters


class CharacterParams(Asked, frozen=True):
    """Names a character."""

    name: Name


async def everyone(call: Here, _params: NoParams) -> Characters:
    return await call.door.studio.characters()


async def get(call: Here, params: CharacterParams) -> Character:
    return await call.door.studio.character(params.name)


def register(methods: Methods) -> None:
    methods.add(
        "characters.list", NoParams, everyone, result=Characters, scope="read", summary="Every character, by name."
    )
    methods.add(
        "characters.get",
        CharacterParams,
        get,
        result=Character,
        scope="read",
        summary="One character.",
        errors=(NotFound,),
    )
