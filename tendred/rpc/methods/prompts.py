"""prompts.*: what words would become; nothing is made."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound, TooLarge
from tendred.rpc.methods.common import Here, Methods, check_prompts
from tendred.schema.base import Asked, Cursor, Name
from tendred.schema.prompt import EXPANSIONS, Expansions
from tendred.schema.still import Seed, StillRequest


class ExpandParams(Asked, frozen=True):
    """Words with choices, as `images.generate` takes them."""

    prompt: Annotated[str, Meta(description="With {a|b}, __wildcards__, (weights:1.2) and @names.")]
    negative_prompt: str = ""
    character: Name | None = None
    preset: Name | None = None
    seed: Annotated[Seed | None, Meta(description="The first one; null takes any.")] = None
    limit: Annotated[int, Meta(ge=1, le=EXPANSIONS, description="Expansions on a page, one a seed.")] = 10
    cursor: Cursor | None = None
    lang: Annotated[Literal["en", "fr"], Meta(description="Language of the verdicts' reasons.")] = "en"


async def expand(call: Here, params: ExpandParams) -> Expansions:
    check_prompts(params.prompt, params.negative_prompt)
    request = StillRequest(
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        character=params.character,
        preset=params.preset,
        seed=params.seed,
    )
    return await call.door.studio.expander.page(
        request, call.asked, limit=params.limit, cursor=params.cursor, lang=params.lang
    )


def register(methods: Methods) -> None:
    methods.add(
        "prompts.expand",
        ExpandParams,
        expand,
        result=Expansions,
        scope="read",
        summary="What choices and wildcards would become, seed by seed, each with the boundary's verdict.",
        errors=(InvalidParams, ModelMissing, ModelRefused, NotFound, TooLarge),
    )
