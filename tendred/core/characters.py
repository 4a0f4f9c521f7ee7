"""Characters: who there is, and a request with one made into words and LoRAs, before anything is judged."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import asdict, replace

from tendred.core.loras import path_of
from tendred.core.trail import Edit, Edits, back
from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound
from tendred.models.shelf import Shelf
from tendred.schema.base import Record
from tendred.schema.character import Character, CharacterLora, CharacterUse
from tendred.schema.still import LoraUse, StillRequest

NAME: Final = r"[^\W\d_](?:[\w-]{0,62}\w)?"
"""A character's name: it begins with a letter."""
_MENTION: Final = re.compile(rf"(?<![\w.+/@\\-])@(?P<name>{NAME})")
"""`@name` where a word may begin. Within one (an e-mail address), or behind a backslash, the sign is one like others."""


class Sheet(Record, frozen=True):
    """A version of a character. One that `ships` was made with LoRAs of the package, and needs those."""

    name: str
    version: int
    fragment: str
    loras: list[CharacterLora]
    seed: int | None = None
    reference_asset_id: str | None = None
    created_at: str | None = None
    ships: bool = False


class Roster(Protocol):
    """Characters that people made; see `core.roster`."""

    async def everyone(self) -> Mapping[str, Sheet]:
        """The newest version of each, by name."""
        ...

    async def newest(self, name: str) -> Sheet | None:
        """The newest version of one; None where there is nobody of that name."""
        ...

    async def version(self, name: str, version: int) -> Sheet:
        """One version. Raises NotFound."""
        ...


class Played(NamedTuple):
    """A request whose character, if it has one, became words and LoRAs: those behind the `own` first ones.

    `path` is the field that names the character. `earlier` and then `edits` made the prompt of what was received.
    """

    request: StillRequest
    character: CharacterUse | None = None
    own: int = 0
    path: str = "character"
    edits: Edits = ()
    earlier: Edits = ()

    def path_of(self, number: int) -> str:
        """The field that asks for the request's n-th LoRA."""
        return path_of(number) if number < self.own else self.path

    def received(self, span: tuple[int, int] | None) -> tuple[int, int] | None:
        """A span of the final prompt, in the prompt as received: where the fragment was hit, that is the mention."""
        return back(self.earlier, back(self.edits, span))


@lru_cache(maxsize=1)
def shipped() -> dict[str, Sheet]:
    """The characters of the package, by name."""
    folder = resources.files("tendred.core") / "data" / "characters"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    tables = [tomllib.loads((folder / file).read_text("utf-8")) for file in files]
    return {table["name"]: msgspec.convert({**table, "ships": True}, Sheet) for table in tables}


class Cast:
    """The characters: those of the package, and those that people made."""

    def __init__(self, shelf: Shelf, roster: Roster | None = None, everyone: Mapping[str, Sheet] | None = None) -> None:
        """`everyone`: those of the package, unless told otherwise."""
        self._shelf = shelf
        self._roster = roster
        self._shipped = shipped() if everyone is None else everyone

    async def list(self) -> list[Character]:
        """Everyone, by name."""
        return [await self.told(sheet) for _, sheet in sorted((await self._everyone()).items())]

    async def get(self, name: str, version: int | None = None) -> Character:
        """One, whether or not they can be drawn now; an older version too, even of one that was removed.

        Raises NotFound (near names).
        """
        if version is None or self._roster is None or name in self._shipped:
            found = await self._found(name, "name")
            if version not in {None, found.version}:
                raise NotFound(path="version", noun="version", name=f"{version} of {name}", near=[str(found.version)])
            return await self.told(found)
        return await self.told(await self._roster.version(name, version))

    async def told(self, sheet: Sheet) -> Character:
        """A version as it is shown."""
        try:
            await self._check(sheet)
        except ModelMissing as problem:
            state, reason = "missing", f"the LoRA {problem.detail['lora']} is not there"
        else:
            state, reason = "ready", None
        return Character(**asdict(sheet), state=state, reason=reason)

    async def seed_of(self, request: StillRequest) -> int | None:
        """The seed of the character that a request names, if they have one. Raises nothing: `play` says what is wrong."""
        names = [request.character] if request.character else [found["name"] for found in _mentions(request.prompt)]
        if not names:
            return None
        found = await self._one(names[0])
        return None if found is None else found.seed

    async def play(self, request: StillRequest) -> Played:
        """The request with the fragment in the place of every `@name`, or before the prompt, and with the LoRAs.

        Raises NotFound (near names), InvalidParams for two of them, ModelMissing where a LoRA of theirs isn't there.
        """
        mentions = _mentions(request.prompt)
        if request.character is None and not mentions:
            return Played(request, own=len(request.loras))
        named = [] if request.character is None else [await self._found(request.character, "character")]
        spelled = {mention["name"].casefold(): mention["name"] for mention in mentions}
        named += [await self._found(name, "prompt") for name in spelled.values()]
        who = named[0]
        path = "prompt" if request.character is None else "character"
        if other := next((one for one in named if one.name != who.name), None):
            problem = f"it asks for {who.name} and for {other.name}; a still has one character"
            raise InvalidParams(path="prompt", problem=problem)
        await self._check(who, path)
        prompt, edits = _written(request.prompt, mentions, who.fragment)
        have = {use.name for use in request.loras}
        # Behind the request's own ones, which keep their places and, where they name the same file, their weights.
        theirs = [LoraUse(name=lora.name, weight=lora.weight) for lora in who.loras if lora.name not in have]
        seed = who.seed if request.seed is None else request.seed
        played = replace(request, prompt=prompt, loras=[*request.loras, *theirs], character=who.name, seed=seed)
        use = CharacterUse(name=who.name, version=who.version)
        return Played(played, use, len(request.loras), path, edits)

    async def _everyone(self) -> Mapping[str, Sheet]:
        return self._shipped if self._roster is None else {**await self._roster.everyone(), **self._shipped}

    async def _one(self, name: str) -> Sheet | None:
        """By name, without reading all the others. Names are written without capitals; a sentence may begin with one."""
        for called in dict.fromkeys((name, name.casefold())):
            if (sheet := self._shipped.get(called)) is not None:
                return sheet
            if self._roster is not None and (sheet := await self._roster.newest(called)) is not None:
                return sheet
        return None

    async def _found(self, name: str, path: str) -> Sheet:
        """As `_one`. Raises NotFound (near names)."""
        if (found := await self._one(name)) is None:
            everyone = await self._everyone()
            near = difflib.get_close_matches(name.casefold(), everyone, 3, 0.4) or sorted(everyone)[:3]
            raise NotFound(path=path, noun="character", name=name, near=near)
        return found

    async def _check(self, known: Sheet, path: str | None = None) -> None:
        """Raises ModelMissing unless every LoRA is there: without one it would be somebody else's face."""
        for lora in known.loras:
            try:
                found = await self._shelf.lora(lora.name)
            except (NotFound, ModelRefused):
                found = None
            if found is None or (known.ships and not found.ships):
                raise ModelMissing(
                    "character" if known.ships else "own_character", path=path, name=known.name, lora=lora.name, near=[]
                )


def _mentions(prompt: str) -> list[re.Match[str]]:
    return [*_MENTION.finditer(prompt)]


def _written(prompt: str, mentions: list[re.Match[str]], fragment: str) -> tuple[str, Edits]:
    if not mentions:
        first = f"{fragment}, " if prompt else fragment
        return first + prompt, (Edit(0, 0, len(first)),)
    edits = tuple(Edit(*mention.span(), len(fragment)) for mention in mentions)
    return _MENTION.sub(lambda _: fragment, prompt), edits
