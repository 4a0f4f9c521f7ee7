"""The dry run: what seeds would make of a prompt's choices, and what the boundary says of each. Stores nothing."""

from __future__ import annotations

from msgspec.structs import replace

from tendred.clock import Rng
from tendred.core.submit import SEED_BITS, Submitter
from tendred.core.template import COMBINATIONS
from tendred.core.wording import Writer, weighed
from tendred.errors import InvalidParams
from tendred.schema.prompt import Expansion, Expansions
from tendred.schema.still import MAX_SEED, StillRequest


class Expander:
    """Expands on the way that a still takes."""

    def __init__(self, *, writer: Writer, submitter: Submitter, rng: Rng) -> None:
        self._writer = writer
        self._submitter = submitter
        self._rng = rng

    async def page(
        self, request: StillRequest, asked: dict[str, object], *, limit: int, cursor: str | None, lang: str
    ) -> Expansions:
        """One expansion a seed, from the request's seed on (null: any), or from the `cursor` of the page before.

        Words without choices have one. Raises what the words lead to: InvalidParams, NotFound, ModelMissing, TooLarge.
        """
        request = await self._writer.filled(request, asked)
        ways = min(await self._writer.combinations(request), COMBINATIONS)
        start = await self._start(request, cursor)
        count = min(limit if ways > 1 else 1, MAX_SEED + 1 - start)
        made = [await self._one(request, seed, lang) for seed in range(start, start + count)]
        following = str(start + count) if ways > 1 and start + count <= MAX_SEED else None
        return Expansions(expansions=made, combinations=ways, next=following)

    async def _start(self, request: StillRequest, cursor: str | None) -> int:
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdecimal() and int(cursor[:17]) <= MAX_SEED):
                raise InvalidParams(path="cursor", problem="not a cursor of this daemon")
            return int(cursor[:17])
        seed = await self._writer.seed_of(request)
        return self._rng.below(1 << SEED_BITS) if seed is None else seed

    async def _one(self, request: StillRequest, seed: int, lang: str) -> Expansion:
        played = await self._writer.write(replace(request, seed=seed), seed)
        prompt, negative = weighed(played.request)
        return Expansion(
            seed=seed,
            prompt=played.request.prompt,
            negative_prompt=played.request.negative_prompt,
            spans=prompt.spans,
            negative_spans=negative.spans if negative.text else [],
            character=played.character,
            verdict=await self._submitter.verdict(played, "still", lang),
        )
