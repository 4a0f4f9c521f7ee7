"""From a request as received to its final words: preset, choices and wildcards, character. Before any judging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from tendred.core.characters import Cast, Played
from tendred.core.presets import Presets
from tendred.core.template import Broken, Draw, Options, Template, TooLong, combinations, parse
from tendred.core.trail import Edits
from tendred.core.weights import Weighed, weigh
from tendred.core.wildcards import Wildcards
from tendred.errors import InvalidParams, TooLarge
from tendred.schema.still import PROMPT_BYTES, Still, StillRequest
from tendred.tasks import offload

FIELDS: Final = ("prompt", "negative_prompt")
"""What is expanded. Each draws for itself, so that a word more in one changes nothing in the other."""

_QUICK_CHARS: Final = 600
_R = TypeVar("_R")


class Writer:
    """Writes requests out. The same request with the same seed gives the same words, as long as its files do."""

    def __init__(self, presets: Presets, wildcards: Wildcards, cast: Cast) -> None:
        self._presets = presets
        self._wildcards = wildcards
        self._cast = cast

    async def filled(self, request: StillRequest, asked: Mapping[str, Any]) -> StillRequest:
        """The request with the fields of its preset that `asked`, what was written, doesn't say. Raises NotFound."""
        return await self._presets.apply(request, asked)

    async def seed_of(self, request: StillRequest) -> int | None:
        """The seed that the words are chosen with: the request's own, or the one of a character whom it names."""
        return request.seed if request.seed is not None else await self._cast.seed_of(request)

    async def write(self, request: StillRequest, seed: int) -> Played:
        """The request with its final words. Raises InvalidParams, NotFound, ModelMissing, TooLarge."""
        check_prompts(request)
        expanded: dict[str, str] = {}
        trail: Edits = ()
        for field in FIELDS:
            text, edits = await self._expanded(getattr(request, field), field, seed)
            expanded[field] = text
            trail = edits if field == "prompt" else trail
        played = await self._cast.play(replace(request, seed=seed, **expanded))
        check_prompts(played.request)
        return played._replace(earlier=trail)

    async def combinations(self, request: StillRequest) -> int:
        """In how many ways the words of a request can be chosen. Raises as `write` does."""
        check_prompts(request)
        ways = 1
        for field in FIELDS:
            text = getattr(request, field)
            template = _template(text, field)
            wildcards = await self._wildcards.reachable([template], field)
            ways *= await _worked(text, field, wildcards, partial(combinations, template, wildcards))
        return ways

    async def _expanded(self, text: str, field: str, seed: int) -> tuple[str, Edits]:
        template = _template(text, field)
        if all(isinstance(node, str) for node in template):
            return text, ()
        wildcards = await self._wildcards.reachable([template], field)
        draw = Draw(wildcards, seed=seed, field=field, limit=PROMPT_BYTES)
        return await _worked(text, field, wildcards, partial(draw.expand, template))


async def _worked(text: str, field: str, wildcards: Mapping[str, Options], work: Callable[[], _R]) -> _R:
    """What comes of a template. In a thread where that may take long. Raises InvalidParams, TooLarge."""
    try:
        return work() if len(text) <= _QUICK_CHARS and not wildcards else await offload(work)
    except TooLong:
        raise TooLarge("expansion", path=field, limit_bytes=PROMPT_BYTES) from None
    except Broken as broken:
        raise InvalidParams("wording", path=field, problem=broken.problem) from None


def check_prompts(request: StillRequest) -> None:
    """Raises TooLarge where a prompt holds more than PROMPT_BYTES of UTF-8."""
    for path, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > PROMPT_BYTES:
            raise TooLarge("prompt", path=path, size_bytes=size, limit_bytes=PROMPT_BYTES)


def weighed(said: Still | StillRequest) -> tuple[Weighed, Weighed]:
    """The final words of the prompt and of the negative prompt, weighed. Raises InvalidParams."""
    return weigh(said.prompt, "prompt"), weigh(said.negative_prompt, "negative_prompt")


def _template(text: str, field: str) -> Template:
    try:
        return parse(text)
    except Broken as broken:
        raise InvalidParams("wording", path=field, problem=broken.problem) from None
