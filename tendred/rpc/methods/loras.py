"""loras.*: small files that change how a model draws."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import FolderUnwritable, InvalidParams, ModelInUse, ModelRefused, NotFound
from tendred.rpc.methods.common import FolderPath, Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.cache import Models, ModelShow, Removed
from tendred.schema.model import ModelInfo


class LoraParams(Asked, frozen=True):
    """Names a LoRA."""

    name: Name


class AddLora(Asked, frozen=True):
    """A file that stays where it is, and what to call it (null: its own name)."""

    path: FolderPath
    name: Name | None = None


class RemoveLora(Asked, frozen=True):
    """Names what to forget. The file stays unless it lies in the daemon's own folder and `delete_files` says so."""

    name: Name
    force: Annotated[bool, Meta(description="Even if characters or waiting jobs need it.")] = False
    delete_files: bool = False


async def every(call: Here, _params: NoParams) -> Models:
    return await call.door.studio.models("lora")


async def show(call: Here, params: LoraParams) -> ModelShow:
    return await call.door.studio.cache.show(params.name, "lora")


async def add_lora(call: Here, params: AddLora) -> ModelInfo:
    return await call.door.studio.cache.add(params.path, params.name, "lora")


async def remove(call: Here, params: RemoveLora) -> Removed:
    return await call.door.studio.cache.remove(
        params.name, "lora", force=params.force, delete_files=params.delete_files
    )


def register(methods: Methods) -> None:
    add = methods.add
    add("loras.list", NoParams, every, result=Models, scope="read", summary="Every LoRA, and why one is refused.")
    add(
        "loras.show",
        LoraParams,
        show,
        result=ModelShow,
        scope="read",
        summary="One LoRA: the models that it fits, its trigger, what it says of itself.",
        errors=(NotFound,),
    )
    add(
        "loras.add",
        AddLora,
        add_lora,
        result=ModelInfo,
        scope="manage",
        summary="Use a LoRA file where it is.",
        errors=(InvalidParams, ModelRefused),
    )
    add(
        "loras.remove",
        RemoveLora,
        remove,
        result=Removed,
        scope="manage",
        summary="Forget a LoRA; refused while somebody needs it.",
        errors=(FolderUnwritable, ModelInUse, NotFound),
    )
