"""presets.*: named sets of fields."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from tendred.errors import NotFound, TooLarge
from tendred.rpc.methods.common import Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked
from tendred.schema.prompt import Preset, PresetName, Presets


class PresetParams(Asked, frozen=True):
    """Names a preset."""

    name: PresetName


class SetPreset(Asked, frozen=True):
    """A name and what it stands for."""

    name: PresetName
    fields: Annotated[dict[str, Any], Meta(description="Fields of images.generate, all but prompt and preset.")]


async def every(call: Here, _params: NoParams) -> Presets:
    return Presets(presets=await call.door.studio.presets.list())


async def show(call: Here, params: PresetParams) -> Preset:
    return await call.door.studio.presets.get(params.name)


async def set_preset(call: Here, params: SetPreset) -> Preset:
    return await call.door.studio.presets.set(params.name, params.fields)


async def remove(call: Here, params: PresetParams) -> Nothing:
    await call.door.studio.presets.remove(params.name)
    return Nothing()


def register(methods: Methods) -> None:
    add, gone = methods.add, (NotFound,)
    add("presets.list", NoParams, every, result=Presets, scope="read", summary="Every preset, by name.")
    add("presets.show", PresetParams, show, result=Preset, scope="read", summary="One preset.", errors=gone)
    add(
        "presets.set",
        SetPreset,
        set_preset,
        result=Preset,
        scope="manage",
        summary="Make or replace one.",
        errors=(TooLarge,),
    )
    add("presets.remove", PresetParams, remove, result=Nothing, scope="manage", summary="Forget one.", errors=gone)
