"""images.*: the way in for a still."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tendred.core.studio import Submission, UpscaleSubmission
from tendred.errors import (
    BoundaryRefused,
    IdempotencyConflict,
    ModelMissing,
    ModelRefused,
    NotFound,
    QueueFull,
    ShuttingDown,
    StillNotOurs,
    TooLarge,
    UnsupportedParameter,
)
from tendred.rpc.methods.common import Here, Methods, check_prompts
from tendred.schema.job import Submitted
from tendred.schema.still import StillRequest
from tendred.schema.upscale import UpscaleRequest

Key = Annotated[
    str, Meta(min_length=1, max_length=64, description="Sent again with this key, a request makes no second job.")
]


class GenerateParams(StillRequest, frozen=True):
    """A still, and a key under which the same request makes the same job."""

    idempotency_key: Key | None = None


class UpscaleParams(UpscaleRequest, frozen=True):
    """A still to be made larger, and a key under which the same request makes the same job."""

    idempotency_key: Key | None = None


async def generate(call: Here, params: GenerateParams) -> Submitted:
    check_prompts(params.prompt, params.negative_prompt)
    asked = {name: value for name, value in call.asked.items() if name != "idempotency_key"}
    request = StillRequest(**{name: getattr(params, name) for name in StillRequest.__struct_fields__})
    submission = Submission(request=request, asked=asked, key=call.door.scoped(params.idempotency_key))
    (submitted,) = await call.door.studio.submit([submission], call.door.origin)
    return submitted


async def upscale(call: Here, params: UpscaleParams) -> Submitted:
    asked = {name: value for name, value in call.asked.items() if name != "idempotency_key"}
    request = UpscaleRequest(**{name: getattr(params, name) for name in UpscaleRequest.__struct_fields__})
    submission = UpscaleSubmission(request=request, asked=asked, key=call.door.scoped(params.idempotency_key))
    return await call.door.studio.upscale(submission, call.door.origin)


def register(methods: Methods) -> None:
    methods.add(
        "images.generate",
        GenerateParams,
        generate,
        result=Submitted,
        scope="generate",
        summary="Make one still or several; answers with the job at once.",
        errors=(
            BoundaryRefused,
            IdempotencyConflict,
            ModelMissing,
            ModelRefused,
            NotFound,
            QueueFull,
            ShuttingDown,
            StillNotOurs,
            TooLarge,
            UnsupportedParameter,
        ),
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
            StillNotOurs,
        ),
    )
