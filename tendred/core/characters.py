"""Characters: who there is, and a request with one made into words and LoRAs, before anything is judged."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from tendred.core.loras import path_of
from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound
from tendred.models.shelf import Shelf
from tendred.schema.base import Record
from tendred.schema.character import Character, CharacterLora, CharacterUse
from tendred.schema.still import LoraUse, StillRequest

_MENTION: Final = re.compile(r"(?<![\w.+/@-])@(?P<name>[^\W\d_](?:[\w-]{0,126}\w)?)")
"""`@name` where a word may begin. Within one (an e-mail address) the sign is a sign like others."""


class Sheet(Record, frozen=True):
    """A character's data file."""

    name: str
    version: int
    fragment: str
    loras: list[CharacterLora]
    seed: int | None = None


class _Edit(NamedTuple):
    """`[start, end)` of the prompt as received was replaced by so many characters."""

    start: int
    end: int
    size: int


class Played(NamedTuple):
    """A request whose character, if it has one, became words and LoRAs: those behind the `own` first ones.

    `path` is the field that names the character. `edits` are in order.
    """

    request: StillRequest
    character: CharacterUse | None = None
    own: int = 0
    path: str = "character"
    edits: tuple[_Edit, ...] = ()

    def path_of(self, number: int) -> str:
        """The field that asks for the request's n-th LoRA."""
        return path_of(number) if number < self.own else self.path

    def received(self, span: tuple[int, int] | None) -> tuple[int, int] | None:
        """A span of the final prompt, in the prompt as received: where the fragment was hit, that is the mention."""
        if span is None or not self.edits:
            return span
        start, end = self._back(span[0], last=False), self._back(span[1] - 1, last=True)
        return (start, end) if start < end else None

    def _back(self, at: int, *, last: bool) -> int:
        """The start (or, of the last character of a span, the end) of what stands there."""
        moved = 0
        for edit in self.edits:
            begins = edit.start + moved
            if at < begins:
                break
            if at < begins + edit.size:
                return edit.end if last else edit.start
            moved += edit.size - (edit.end - edit.start)
        return at - moved + last


@lru_cache(maxsize=1)
def shipped() -> dict[str, Sheet]:
    """The characters of the package, by name."""
    folder = resources.files("tendred.core") / "data" / "characters"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    tables = [tomllib.loads((folder / file).read_text("utf-8")) for file in files]
    return {table["name"]: msgspec.convert(table, Sheet) for table in tables}


class Cast:
    """The characters. Those of the package need the LoRAs of the package, and the model these were made for."""

    def __init__(self, shelf: Shelf, everyone: Mapping[str, Sheet] | None = None) -> None:
        """`everyone`: those of the package, unless told otherwise."""
        self._shelf = shelf
        self._everyone = shipped() if everyone is None else everyone

    async def list(self) -> list[Character]:
        """Everyone, by name."""
        return [await self.get(name) for name in sorted(self._everyone)]

    async def get(self, name: str) -> Character:
        """One, whether or not they can be drawn now. Raises NotFound (near names)."""
        known = self._known(name, "name")
        try:
            await self._check(known)
        except ModelMissing as problem:
            state, reason = "missing", f"the LoRA {problem.detail['lora']} is not there"
        else:
            state, reason = "ready", None
        return Character(**asdict(known), reference_asset_id=None, state=state, reason=reason)

    async def play(self, request: StillRequest) -> Played:
        """The request with the fragment in the place of every `@name`, or before the prompt, and with the LoRAs.

        Raises NotFound (near names), InvalidParams for two of them, ModelMissing where a LoRA of theirs isn't there.
        """
        mentions = [*_MENTION.finditer(request.prompt)]
        named = [] if request.character is None else [self._known(request.character, "character")]
        named += [self._known(mention["name"], "prompt") for mention in mentions]
        if not named:
            return Played(request, own=len(request.loras))
        who = named[0]
        path = "prompt" if request.character is None else "character"
        if other := next((one for one in named if one is not who), None):
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

    def _known(self, name: str, path: str) -> Sheet:
        # Names are written without capitals; a sentence may begin with one.
        found = self._everyone.get(name) or self._everyone.get(name.casefold())
        if found is None:
            near = difflib.get_close_matches(name.casefold(), self._everyone, 3, 0.4) or sorted(self._everyone)[:3]
            raise NotFound(path=path, noun="character", name=name, near=near)
        return found

    async def _check(self, known: Sheet, path: str | None = None) -> None:
        """Raises ModelMissing unless every LoRA is there: without one it would be somebody else's face."""
        for lora in known.loras:
            try:
                there = (await self._shelf.lora(lora.name)).ships
            except (NotFound, ModelRefused):
                there = False
            if not there:
                raise ModelMissing("character", path=path, name=known.name, lora=lora.name, near=[])


def _written(prompt: str, mentions: list[re.Match[str]], fragment: str) -> tuple[str, tuple[_Edit, ...]]:
    if not mentions:
        first = f"{fragment}, " if prompt else fragment
        return first + prompt, (_Edit(0, 0, len(first)),)
    edits = tuple(_Edit(*mention.span(), len(fragment)) for mention in mentions)
    return _MENTION.sub(lambda _: fragment, prompt), edits
