"""The words and stills of a shot, before anything is made of them: found, put together, and judged."""

from __future__ import annotations

from typing import Final

from tendred.clock import Rng
from tendred.core.characters import Cast, Played
from tendred.core.clipjudge import ClipJudge
from tendred.core.sources import Finder
from tendred.core.wording import Writer, check_prompts
from tendred.errors import InvalidParams
from tendred.library.index import Index
from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.job import Origin
from tendred.schema.sealed import OwnStill
from tendred.schema.shot import NewShot
from tendred.schema.still import StillRequest

SEED_BITS: Final = 32


class Script(Record, frozen=True):
    """What a shot is made from: its final words, up to two stills, whoever is in it, and the policy that allowed it."""

    prompt: str
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
        writer: Writer,
        judge: ClipJudge,
        rng: Rng,
    ) -> None:
        self._finder = finder
        self._index = index
        self._cast = cast
        self._writer = writer
        self._judge = judge
        self._rng = rng

    async def read(self, new: NewShot, origin: Origin) -> Script:
        """Raises SlowDown, BoundaryRefused, StillNotOurs, NotFound, InvalidParams, TooLarge."""
        self._judge.admit(origin)
        check_prompts(StillRequest(prompt=new.prompt))
        if not new.prompt.strip():
            raise InvalidParams("empty_prompt", path="prompt")
        if new.last is not None and new.first is None:
            raise InvalidParams(path="last", problem="it needs a first one, from which the clip leads to it")
        stills = [
            await self._finder.own(asset_id, path)
            for path, asset_id in (("first", new.first), ("last", new.last))
            if asset_id is not None
        ]
        character = await self._character(new, stills)
        # Choices are drawn here, once: every take of the shot, and a new one at 4K, begins from the same words.
        prompt, edits = await self._writer.expanded(new.prompt, "prompt", self._rng.below(1 << SEED_BITS))
        played = Played(StillRequest(prompt=prompt), earlier=edits)
        names = [*new.tags, new.name, character and character.name]
        await self._judge.said(prompt, names, stills, origin, character=character and character.name, played=played)
        return Script(prompt=prompt, stills=stills, character=character, policy=self._judge.policy)

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
