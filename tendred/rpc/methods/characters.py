"""characters.*: who can be asked for by name."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import (
    BoundaryRefused,
    InvalidParams,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    SlowDown,
    StillNotOurs,
    TooLarge,
)
from tendred.rpc.methods.common import Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked, Name
from tendred.schema.character import Character, CharacterChanges, Characters, NewCharacter
from tendred.schema.job import Submitted
from tendred.schema.sheet import CELLS

Version = Annotated[int, Meta(ge=1, description="Null means the newest.")]


class CharacterParams(Asked, frozen=True):
    """Names a character."""

    name: Name


class GetCharacter(Asked, frozen=True):
    """Names a character, as they were in a version."""

    name: Name
    version: Version | None = None


class SheetParams(Asked, frozen=True):
    """Whose stills, and how many of the newest."""

    name: Name
    version: Annotated[int, Meta(ge=1, description="Stills of this version only; null means of all.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=CELLS, description="Stills at most.")] = 24


async def everyone(call: Here, _params: NoParams) -> Characters:
    return await call.door.studio.characters()


async def get(call: Here, params: GetCharacter) -> Character:
    return await call.door.studio.character(params.name, params.version)


async def create(call: Here, params: NewCharacter) -> Character:
    return await call.door.studio.create_character(params, call.door.origin)


async def update(call: Here, params: CharacterChanges) -> Character:
    return await call.door.studio.update_character(params, call.door.origin)


async def remove(call: Here, params: CharacterParams) -> Nothing:
    await call.door.studio.remove_character(params.name)
    return Nothing()


async def sheet(call: Here, params: SheetParams) -> Submitted:
    return await call.door.studio.contact_sheet(params.name, params.version, params.limit, call.door.origin)


def register(methods: Methods) -> None:
    add = methods.add
    written = (BoundaryRefused, InvalidParams, ModelRefused, NotFound, SlowDown, StillNotOurs, TooLarge)
    add("characters.list", NoParams, everyone, result=Characters, scope="read", summary="Every character, by name.")
    add(
        "characters.get",
        GetCharacter,
        get,
        result=Character,
        scope="read",
        summary="One character.",
        errors=(NotFound,),
    )
    add(
        "characters.create",
        NewCharacter,
        create,
        result=Character,
        scope="manage",
        summary="Make a fictional adult who can be asked for.",
        errors=written,
    )
    add(
        "characters.update",
        CharacterChanges,
        update,
        result=Character,
        scope="manage",
        summary="Make a new version; the ones before stay.",
        errors=written,
    )
    add(
        "characters.remove",
        CharacterParams,
        remove,
        result=Nothing,
        scope="manage",
        summary="Nobody asks for them any more; stills and versions stay.",
        errors=(InvalidParams, NotFound),
    )
    add(
        "characters.sheet",
        SheetParams,
        sheet,
        result=Submitted,
        scope="generate",
        summary="One picture of their newest stills; answers with the job at once.",
        errors=(BoundaryRefused, NotFound, QueueFull, ShuttingDown, SlowDown),
    )
