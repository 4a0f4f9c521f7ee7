"""models.*: what can draw, and what is in memory."""

from __future__ import annotations

from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound
from tendred.rpc.methods.common import FolderPath, Here, Methods, NoParams, Nothing
from tendred.schema.base import Asked, Name
from tendred.schema.model import Loaded, ModelInfo, ModelKind, Models, ModelShown, Unloaded


class ListModels(Asked, frozen=True):
    """Which kind; null means all."""

    kind: ModelKind | None = None


class AddModel(Asked, frozen=True):
    """A folder that stays where it is, and what to call it (null: its own name)."""

    path: FolderPath
    name: Name | None = None


class ModelParams(Asked, frozen=True):
    """Names a model."""

    name: Name


class ShowParams(Asked, frozen=True):
    """Names a model; null is the default one."""

    name: Name | None = None


class UnloadParams(Asked, frozen=True):
    """Names a model; null means all."""

    model: Name | None = None


async def catalogue(call: Here, params: ListModels) -> Models:
    return await call.door.studio.models(params.kind)


async def show(call: Here, params: ShowParams) -> ModelShown:
    return await call.door.studio.model(params.name)


async def ps(call: Here, _params: NoParams) -> Loaded:
    return call.door.studio.loaded()


async def unload(call: Here, params: UnloadParams) -> Unloaded:
    return await call.door.studio.unload(params.model)


async def add_model(call: Here, params: AddModel) -> ModelInfo:
    return await call.door.studio.add_model(params.path, params.name)


async def use(call: Here, params: ModelParams) -> ModelInfo:
    return await call.door.studio.use_model(params.name)


async def remove(call: Here, params: ModelParams) -> Nothing:
    await call.door.studio.remove_model(params.name)
    return Nothing()


def register(methods: Methods) -> None:
    add, gone = methods.add, (ModelMissing,)
    add("models.list", ListModels, catalogue, result=Models, scope="read", summary="Every model that is known.")
    add(
        "models.show",
        ShowParams,
        show,
        result=ModelShown,
        scope="read",
        summary="One model, and what a request for it may say, with ranges and defaults.",
        errors=(ModelMissing, ModelRefused),
    )
    add("models.ps", NoParams, ps, result=Loaded, scope="read", summary="What is in memory, and until when.")
    add(
        "models.unload",
        UnloadParams,
        unload,
        result=Unloaded,
        scope="manage",
        summary="Let models go.",
        errors=(NotFound,),
    )
    add(
        "models.add",
        AddModel,
        add_model,
        result=ModelInfo,
        scope="manage",
        summary="Use a model folder where it is.",
        errors=(InvalidParams, ModelRefused),
    )
    add("models.use", ModelParams, use, result=ModelInfo, scope="manage", summary="Make it the default.", errors=gone)
    add(
        "models.remove",
        ModelParams,
        remove,
        result=Nothing,
        scope="manage",
        summary="Forget a model; its files stay.",
        errors=gone,
    )
