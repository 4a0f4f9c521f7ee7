"""boundary.*: what may be asked for, told beforehand."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.errors import ModelMissing, ModelRefused, NotFound, TooLarge
from tendred.rpc.methods.common import Here, Methods, check_prompts
from tendred.schema.base import Asked, Name
from tendred.schema.sealed import Verdict
from tendred.schema.still import LoraUse


class CheckParams(Asked, frozen=True):
    """The words of a request."""

    prompt: Annotated[str, Meta(description="What the picture shows, in words.")]
    negative_prompt: Annotated[str, Meta(description="What it should not show.")] = ""
    character: Name | None = None
    loras: Annotated[list[LoraUse], Meta(max_length=16)] = []
    kind: Literal["still", "clip"] = "still"
    lang: Annotated[Literal["en", "fr"], Meta(description="Language of the reason.")] = "en"


async def check(call: Here, params: CheckParams) -> Verdict:
    check_prompts(params.prompt, params.negative_prompt)
    return await call.door.studio.check(
        params.prompt,
        params.negative_prompt,
        character=params.character,
        loras=params.loras,
        kind=params.kind,
        lang=params.lang,
    )


def register(methods: Methods) -> None:
    methods.add(
        "boundary.check",
        CheckParams,
        check,
        result=Verdict,
        scope="read",
        summary="What the boundary would say; nothing is stored.",
        errors=(ModelMissing, ModelRefused, NotFound, TooLarge),
    )
