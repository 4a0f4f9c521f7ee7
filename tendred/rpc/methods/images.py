"""images.*: the way in for a still."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.core.studio import Submission, UpscaleSubmission
from tendred.errors import (
    BoundaryRefused,
    EngineDied,
    EngineMissing,
    IdempotencyConflict,
    ModelMissing,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    SlowDown,
    StillNotOurs,
    TooLarge,
    UnsupportedParameter,
)
from tendred.rpc.methods.common import Here, IdempotencyKey, Methods, asked_of, check_prompts, wish_of
from tendred.schema.again import Again
from tendred.schema.base import Asked, Id
from tendred.schema.job import Submitted
from tendred.schema.sheet import Grid, GridRequest
from tendred.schema.still import Count, Lane, Seed, StillRequest
from tendred.schema.upscale import UpscaleRequest

Key = Annotated[
    str, Meta(min_length=1, max_length=64, description="Sent again with this key, a request makes no second job.")
]


class GenerateParams(StillRequest, frozen=True):
    """A still, and a key under which the same request makes the same job."""

    idempotency_key: IdempotencyKey | None = None


class GridParams(GridRequest, frozen=True, kw_only=True):
    """Stills along two axes, and a key as above."""

    idempotency_key: IdempotencyKey | None = None


class AgainParams(Asked, frozen=True):
    """Whose recipe to follow. Where the same pixels can't be promised, nothing is made unless it is insisted on."""

    asset_id: Id
    dry_run: Annotated[bool, Meta(description="Only say whether it can be promised.")] = False
    insist: Annotated[bool, Meta(description="Make it all the same.")] = False
    lane: Lane = "normal"
    idempotency_key: IdempotencyKey | None = None


class VariationsParams(Asked, frozen=True):
    """Which picture, how many near it, and how near."""

    asset_id: Id
    count: Count = 4
    strength: Annotated[
        float, Meta(gt=0, le=1, description="How far from its noise to that of another seed; 1 is another picture.")
    ] = 0.2
    seed: Annotated[Seed, Meta(description="The first of the other seeds; null chooses one.")] | None = None
    lane: Lane = "normal"
    idempotency_key: IdempotencyKey | None = None


class UpscaleParams(UpscaleRequest, frozen=True):
    """A still to be made larger, and a key under which the same request makes the same job."""

    idempotency_key: IdempotencyKey | None = None


async def generate(call: Here, params: GenerateParams) -> Submitted:
    check_prompts(params.prompt, params.negative_prompt)
    asked = asked_of(call)
    request = StillRequest(**{name: getattr(params, name) for name in StillRequest.__struct_fields__})
    submission = Submission(request=request, asked=asked, key=call.door.scoped(params.idempotency_key))
    (submitted,) = await call.door.studio.submit([submission], call.door.origin)
    return submitted


async def upscale(call: Here, params: UpscaleParams) -> Submitted:
    request = UpscaleRequest(**{name: getattr(params, name) for name in UpscaleRequest.__struct_fields__})
    submission = UpscaleSubmission(request=request, asked=asked_of(call), key=call.door.scoped(params.idempotency_key))
    return await call.door.studio.upscale(submission, call.door.origin)


async def grid(call: Here, params: GridParams) -> Grid:
    check_prompts(params.prompt, params.negative_prompt)
    request = GridRequest(**{name: getattr(params, name) for name in GridRequest.__struct_fields__})
    key = call.door.scoped(params.idempotency_key)
    return await call.door.studio.grid(request, asked_of(call), key, call.door.origin)


async def again(call: Here, params: AgainParams) -> Again:
    wish = wish_of(call, "images.again", params.idempotency_key, params.lane)
    return await call.door.studio.again(params.asset_id, wish, dry_run=params.dry_run, insist=params.insist)


async def variations(call: Here, params: VariationsParams) -> Submitted:
    wish = wish_of(call, "images.variations", params.idempotency_key, params.lane)
    return await call.door.studio.variations(
        params.asset_id, wish, count=params.count, strength=params.strength, seed=params.seed
    )


_RECIPE = (
    BoundaryRefused,
    EngineMissing,
    IdempotencyConflict,
    ModelMissing,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    SlowDown,
    StillNotOurs,
)


def register(methods: Methods) -> None:
    errors = (
        BoundaryRefused,
        IdempotencyConflict,
        ModelMissing,
        ModelRefused,
        NotFound,
        QueueFull,
        ShuttingDown,
        SlowDown,
        StillNotOurs,
        TooLarge,
        UnsupportedParameter,
    )
    methods.add(
        "images.again",
        AgainParams,
        again,
        result=Again,
        scope="generate",
        summary="The same picture once more: whether the same pixels can be promised, and the job.",
        errors=(*_RECIPE, EngineDied),
    )
    methods.add(
        "images.variations",
        VariationsParams,
        variations,
        result=Submitted,
        scope="generate",
        summary="Pictures near one of the library; answers with the job at once.",
        errors=_RECIPE,
    )
    methods.add(
        "images.generate",
        GenerateParams,
        generate,
        result=Submitted,
        scope="generate",
        summary="Make one still or several; answers with the job at once.",
        errors=errors,
    )
    methods.add(
        "images.grid",
        GridParams,
        grid,
        result=Grid,
        scope="generate",
        summary="Make stills along two axes, and one labelled sheet of them; answers with the jobs at once.",
        errors=errors,
    )
    methods.add(
        "images.upscale",
        UpscaleParams,
        upscale,
        result=Submitted,
        scope="generate",
        summary="Make a still of the library two, three or four times as wide and high.",
        errors=(
            BoundaryRefused,
            IdempotencyConflict,
            ModelRefused,
            NotFound,
            QueueFull,
            ShuttingDown,
            SlowDown,
            StillNotOurs,
        ),
    )
