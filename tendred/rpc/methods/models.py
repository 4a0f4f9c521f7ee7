"""models.*: what can draw, what it takes, what other programs hold, and what is in memory."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.errors import (
    FolderUnwritable,
    InvalidParams,
    ModelInUse,
    ModelMissing,
    ModelRefused,
    NotFound,
    ShuttingDown,
    SlowDown,
)
from tendred.rpc.methods.common import FolderPath, Here, Methods, NoParams
from tendred.schema.base import Asked, Name
from tendred.schema.cache import Models, ModelShow, Removed, Scan, Verification
from tendred.schema.model import Loaded, ModelInfo, ModelKind, Unloaded

Kind = Annotated[ModelKind | None, Meta(description="Where several kinds share a name.")]


class ListModels(Asked, frozen=True):
    """Which kind; null means all."""

    kind: ModelKind | None = None


class AddModel(Asked, frozen=True):
    """A folder or a file that stays where it is, and what to call it (null: its own name)."""

    path: FolderPath
    name: Name | None = None


class UseModel(Asked, frozen=True):
    """Names a model."""

    name: Name


class ShowParams(Asked, frozen=True):
    """Names a model, a LoRA or another file; null is the default model."""

    name: Name | None = None
    kind: Kind = None


class VerifyParams(Asked, frozen=True):
    """Names what to hash anew; null means everything."""

    name: Name | None = None
    kind: Kind = None


class RemoveModel(Asked, frozen=True):
    """Names what to forget. Files stay unless they lie in the daemon's own folder and `delete_files` says so."""

    name: Name
    kind: Kind = None
    force: Annotated[bool, Meta(description="Even if characters, LoRAs or waiting jobs need it.")] = False
    delete_files: bool = False


class ScanParams(Asked, frozen=True):
    """Where to look: folders of yours, and the places where other programs keep theirs by default."""

    folders: Annotated[list[FolderPath], Meta(max_length=32)] = []
    known_places: bool = True
    add: Annotated[bool, Meta(description="Add what is new; otherwise it is only told.")] = False


class UnloadParams(Asked, frozen=True):
    """Names a model; null means all."""

    model: Name | None = None


async def catalogue(call: Here, params: ListModels) -> Models:
    return await call.door.studio.models(params.kind)


async def show(call: Here, params: ShowParams) -> ModelShow:
    return await call.door.studio.cache.show(params.name, params.kind)


async def ps(call: Here, _params: NoParams) -> Loaded:
    return call.door.studio.loaded()


async def unload(call: Here, params: UnloadParams) -> Unloaded:
    return await call.door.studio.unload(params.model)


async def add_model(call: Here, params: AddModel) -> ModelInfo:
    return await call.door.studio.add_model(params.path, params.name)


async def scan(call: Here, params: ScanParams) -> Scan:
    cache = call.door.studio.cache
    return await call.door.waits.hold(
        lambda: cache.scan(params.folders, known_places=params.known_places, add=params.add)
    )


async def verify(call: Here, params: VerifyParams) -> Verification:
    return await call.door.waits.hold(lambda: call.door.studio.cache.verify(params.name, params.kind))


async def use(call: Here, params: UseModel) -> ModelInfo:
    return await call.door.studio.use_model(params.name)


async def remove(call: Here, params: RemoveModel) -> Removed:
    return await call.door.studio.cache.remove(
        params.name, params.kind, force=params.force, delete_files=params.delete_files
    )


def register(methods: Methods) -> None:
    add, gone, held = methods.add, (ModelMissing,), (ShuttingDown, SlowDown)
    add("models.list", ListModels, catalogue, result=Models, scope="read", summary="Every model that is known.")
    add(
        "models.show",
        ShowParams,
        show,
        result=ModelShow,
        scope="read",
        summary="One of them: what it takes, as a form; what it says of itself; who uses it.",
        errors=(InvalidParams, ModelMissing, NotFound),
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
        summary="Use a model folder, a LoRA or another file where it is.",
        errors=(InvalidParams, ModelRefused),
    )
    add(
        "models.scan",
        ScanParams,
        scan,
        result=Scan,
        scope="manage",
        summary="What other programs hold already; model.scanning tells how far it is.",
        errors=held,
    )
    add(
        "models.verify",
        VerifyParams,
        verify,
        result=Verification,
        scope="manage",
        summary="Hash the files anew and say which differ; model.verifying tells how far it is.",
        errors=(ModelMissing, NotFound, *held),
    )
    add("models.use", UseModel, use, result=ModelInfo, scope="manage", summary="Make it the default.", errors=gone)
    add(
        "models.remove",
        RemoveModel,
        remove,
        result=Removed,
        scope="manage",
        summary="Forget a model, a LoRA or another file; refused while somebody needs it.",
        errors=(FolderUnwritable, ModelInUse, ModelMissing, NotFound),
    )
