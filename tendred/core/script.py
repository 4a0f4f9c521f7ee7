"""The words and stills of a shot, before anything is made of them: found, put together, and judged."""

from __future__ import annotations

from collections.abc import Callable

from tendred.boundary.judge import Boundary, Words
from tendred.core.characters import Cast
from tendred.core.judging import judged
from tendred.core.refusals import Refusals
from tendred.core.sources import Finder
from tendred.core.ways import spoken
from tendred.errors import BoundaryRefused, InvalidParams, TooLarge
from tendred.library.index import Index
from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.job import Origin
from tendred.schema.sealed import OwnStill
from tendred.schema.shot import NewShot
from tendred.schema.still import PROMPT_BYTES


class Script(Record, frozen=True):
    """What a shot is made from: up to two stills, whoever is in it, and the policy that allowed it."""

    stills: list[OwnStill]
    character: CharacterUse | None
    policy: str


class Reader:
    """Reads what somebody is after."""

    def __init__(
        self,
        *,
        finder: Finder,
        index: Index,
        cast: Cast,
        boundary: Boundary,
        refusals: Refusals,
        language: Callable[[], str],
    ) -> None:
        self._finder = finder
        self._index = index
        self._cast = cast
        self._boundary = boundary
        self._refusals = refusals
        self._language = language

    async def read(self, new: NewShot, origin: Origin) -> Script:
        """Raises BoundaryRefused, StillNotOurs, NotFound, InvalidParams, TooLarge."""
        if not new.prompt.strip():
            raise InvalidParams("empty_prompt", path="prompt")
        if (size := len(new.prompt.encode())) > PROMPT_BYTES:
            raise TooLarge("prompt", path="prompt", size_bytes=size, limit_bytes=PROMPT_BYTES)
        if new.last is not None and new.first is None:
            raise InvalidParams(path="last", problem="it needs a first one, from which the clip leads to it")
        stills = [
            await self._finder.own(asset_id, path)
            for path, asset_id in (("first", new.first), ("last", new.last))
            if asset_id is not None
        ]
        character = await self._character(new, stills)
        policy = await self._judged(new, stills, character, origin)
        return Script(stills=stills, character=character, policy=policy)

    async def _character(self, new: NewShot, stills: list[OwnStill]) -> CharacterUse | None:
        """Whoever is in the first still; nobody else can be asked for then."""
        carried = (await self._index.get(stills[0].asset_id)).character if stills else None
        if new.character is None:
            return carried
        known = await self._cast.get(new.character)
        if carried is not None and carried.name != known.name:
            problem = f"the first still shows {carried.name}; a clip can't make {known.name} of it"
            raise InvalidParams(path="character", problem=problem)
        return carried or CharacterUse(name=known.name, version=known.version)

    async def _judged(
        self, new: NewShot, stills: list[OwnStill], character: CharacterUse | None, origin: Origin
    ) -> str:
        """What is seen and heard; what is said is judged once more by itself, as whoever hears it does."""
        names = [*spoken(new.prompt), *(still.words for still in stills), *new.tags, new.name or ""]
        names += [] if character is None else [character.name]
        words = Words(
            prompt=new.prompt, names=[name for name in names if name], kind="clip", character=character is not None
        )
        verdict, _ = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse":
            await self._refusals.note(verdict, new.prompt, origin)
            raise BoundaryRefused(
                path="prompt", rule=verdict.rule, reason=verdict.reason, span=verdict.span, policy=verdict.policy
            )
        return verdict.policy
