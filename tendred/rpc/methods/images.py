"""images.*: the way in for a still."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from tendred.core.studio import Submission
from tendred.errors import (
    BoundaryRefused,
    IdempotencyConflict,
    ModelMissing,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    TooLarge,
    UnsupportedParameter,
)
from tendred.rpc.methods.common import Here, Methods, check_prompts
from tendred.schema.job import Submitted
from tendred.schema.sheet import Grid, GridRequest
from tendred.schema.still import StillRequest

Key = Annotated[
    str, Meta(min_length=1, max_length=64, description="Sent again with this key, a request makes no second job.")
]


class GenerateParams(StillRequest, frozen=True):
    """A still, and a key under which the same request makes the same job."""

    idempotency_key: Key | None = None


class GridParams(GridRequest, frozen=True, kw_only=True):
    """Stills along two axes, and a key as above."""

    idempotency_key: Key | None = None


async def generate(call: Here, params: GenerateParams) -> Submitted:
    check_prompts(params.prompt, params.negative_prompt)
    request = StillRequest(**{name: getattr(params, name) for name in StillRequest.__struct_fields__})
    submission = Submission(request=request, asked=_asked(call), key=call.door.scoped(params.idempotency_key))
    (submitted,) = await call.door.studio.submit([submission], call.door.origin)
    return submitted


async def grid(call: Here, params: GridParams) -> Grid:
    check_prompts(params.prompt, params.negative_prompt)
    request = GridRequest(**{name: getattr(params, name) for name in GridRequest.__struct_fields__})
    key = call.door.scoped(params.idempotency_key)
    return await call.door.studio.grid(request, _asked(call), key, call.door.origin)


def _asked(call: Here) -> dict[str, Any]:
    """What was written, less the key, which says nothing of the picture."""
    return {name: value for name, value in call.asked.items() if name != "idempotency_key"}


def register(methods: Methods) -> None:
    errors = (
        BoundaryRefused,
        IdempotencyConflict,
        ModelMissing,
        ModelRefused,
        NotFound,
        QueueFull,
        ShuttingDown,
        TooLarge,
        UnsupportedParameter,
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
