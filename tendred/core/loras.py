"""The LoRAs of a request: found, and told apart from those that would do nothing to its model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tendred.errors import InvalidParams, ModelRefused
from tendred.models.catalog import Model
from tendred.models.lora import UNET, Layers, misfit
from tendred.models.shelf import Lora, Shelf
from tendred.schema.still import LoraUse
from tendred.tasks import offload


def path_of(number: int) -> str:
    """Where in a request a LoRA is named."""
    return f"loras[{number}].name"


async def resolved(shelf: Shelf, uses: list[LoraUse], at: Callable[[int], str] = path_of) -> list[Lora]:
    """The files behind the names, in their order; `at` tells which field asks for the n-th.

    Raises NotFound (near names), ModelRefused, or InvalidParams for a name that is there twice.
    """
    found: list[Lora] = []
    for number, use in enumerate(uses):
        path = at(number)
        if any(use.name == lora.name for lora in found):
            raise InvalidParams(path=path, problem=f"the LoRA {use.name} is there twice")
        found.append(await shelf.lora(use.name, path))
    return found


async def check_fit(loras: list[Lora], model: Model, at: Callable[[int], str] = path_of) -> None:
    """Raises ModelRefused for one that this model has no place for, or that goes with another model only."""
    known: Layers = {}
    for number, lora in enumerate(loras):
        path, base, family = at(number), lora.adapter.about.base, lora.adapter.family
        if base not in {None, model.name}:
            raise ModelRefused("base", path=path, name=lora.name, reason="family", base=base, model=model.name)
        problem = None
        if family not in {model.folder.family, UNET, "other"}:
            problem = f"it was made for {family}"
        problem = problem or await offload(misfit, lora.adapter, Path(model.path), model.name, known)
        if problem is not None:
            raise ModelRefused(
                "family", path=path, name=lora.name, reason="family", problem=problem, model=model.name,
                family=model.folder.family,
            )  # fmt: skip
