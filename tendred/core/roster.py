"""Characters that people made: every version is kept, so that each still can tell which one it shows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from tendred.boundary.judge import Boundary, Words
from tendred.clock import rfc3339
from tendred.core.characters import NAME, Sheet, shipped
from tendred.core.refusals import Refusals
from tendred.core.settings import Settings
from tendred.core.template import Broken, parse
from tendred.core.weights import weigh
from tendred.errors import BoundaryRefused, InvalidParams, NotFound, StillNotOurs, TooLarge
from tendred.library.index import Index
from tendred.models.shelf import Shelf
from tendred.schema.base import Record
from tendred.schema.character import CharacterChanges, CharacterLora, NewCharacter
from tendred.schema.job import Origin
from tendred.store.database import Tx

PREFIX: Final = "character:"
MOST: Final = 1_000
VERSIONS: Final = 1_000
_NAME: Final = re.compile(NAME)


class Past(Record, frozen=True):
    """All versions of a character, oldest first. One that was removed is not asked for any more."""

    versions: list[Sheet]
    removed: bool = False


class StoredRoster:
    """See characters.Roster. What stands in it was judged when it was written, and is judged again with every still."""

    def __init__(
        self,
        *,
        settings: Settings,
        shelf: Shelf,
        index: Index,
        boundary: Boundary,
        refusals: Refusals,
        language: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._index = index
        self._boundary = boundary
        self._refusals = refusals
        self._language = language

    async def everyone(self) -> dict[str, Sheet]:
        """The newest version of each who wasn't removed, by name."""
        found = {name: _past(value) for name, value in (await self._settings.under(PREFIX)).items()}
        return {name: past.versions[-1] for name, past in found.items() if not past.removed}

    async def newest(self, name: str) -> Sheet | None:
        """See characters.Roster: nobody where they were removed."""
        if (known := await self._settings.get(PREFIX + name)) is None:
            return None
        past = _past(known)
        return None if past.removed else past.versions[-1]

    async def version(self, name: str, version: int) -> Sheet:
        """One version, of a removed character too. Raises NotFound."""
        past = await self._past_of(name)
        found = next((sheet for sheet in past.versions if sheet.version == version), None)
        if found is None:
            near = [str(sheet.version) for sheet in past.versions[-3:]]
            raise NotFound(path="version", noun="version", name=f"{version} of {name}", near=near)
        return found

    async def create(self, new: NewCharacter, origin: Origin) -> Sheet:
        """Write down somebody new; a name that was removed goes on counting its versions.

        Raises InvalidParams (also for a name that is taken), BoundaryRefused, NotFound, StillNotOurs.
        """
        _check_name(new.name)
        loras = [CharacterLora(name=lora.name, weight=lora.weight) for lora in new.loras]
        sheet = Sheet(
            name=new.name, version=1, fragment=new.fragment.strip(), loras=loras, seed=new.seed,
            reference_asset_id=new.reference_asset_id,
        )  # fmt: skip
        await self._check(sheet, origin)

        def work(tx: Tx) -> Sheet:
            known = Settings.get_in(tx.connection, PREFIX + new.name)
            if known is None and len(Settings.under_in(tx.connection, PREFIX)) >= MOST:
                raise TooLarge("stored", limit=MOST)
            past = Past(versions=[], removed=True) if known is None else _past(known)
            if not past.removed:
                raise InvalidParams(path="name", problem=f"there is {new.name} already; change them instead")
            return _added(tx, past, sheet)

        return await self._settings.change(work)

    async def update(self, changes: CharacterChanges, origin: Origin) -> Sheet:
        """A new version; the newest one again where nothing is different. Raises as `create` does."""
        before = await self._current(changes.name)
        said = {name: value for name, value in asdict(changes).items() if value is not UNSET}
        if isinstance(changes.loras, list):
            said["loras"] = [CharacterLora(name=lora.name, weight=lora.weight) for lora in changes.loras]
        if isinstance(changes.fragment, str):
            said["fragment"] = changes.fragment.strip()
        if all(getattr(before, name) == value for name, value in said.items()):
            return before
        await self._check(replace(before, **said), origin)

        def work(tx: Tx) -> Sheet:
            # Read again: two clients may change them at once, and neither change gets lost.
            past = _past(Settings.get_in(tx.connection, PREFIX + changes.name))
            if past.removed:  # meanwhile: a new version would bring them back
                raise NotFound(path="name", noun="character", name=changes.name, near=[])
            return _added(tx, past, replace(past.versions[-1], **said))

        return await self._settings.change(work)

    async def remove(self, name: str) -> None:
        """Nobody can ask for them any more; stills and versions stay. Raises NotFound, InvalidParams."""
        await self._current(name)

        def work(tx: Tx) -> None:
            past = _past(Settings.get_in(tx.connection, PREFIX + name))
            Settings.set_in(tx, PREFIX + name, replace(past, removed=True))

        await self._settings.change(work)

    async def _past_of(self, name: str) -> Past:
        known = await self._settings.get(PREFIX + name)
        if known is None:
            everyone = [*await self.everyone(), *shipped()]
            near = difflib.get_close_matches(name, everyone, 3, 0.4) or sorted(everyone)[:3]
            raise NotFound(path="name", noun="character", name=name, near=near)
        return _past(known)

    async def _current(self, name: str) -> Sheet:
        if name in shipped():
            raise InvalidParams(path="name", problem=f"{name} came with the package and stays as she is")
        past = await self._past_of(name)
        if past.removed:
            raise NotFound(path="name", noun="character", name=name, near=sorted(await self.everyone())[:3])
        return past.versions[-1]

    async def _check(self, sheet: Sheet, origin: Origin) -> None:
        if not sheet.fragment:
            raise InvalidParams(path="fragment", problem="it is empty")
        try:
            plain = all(isinstance(node, str) for node in parse(sheet.fragment))
        except Broken as broken:
            raise InvalidParams(path="fragment", problem=broken.problem) from None
        if not plain or "@" in sheet.fragment:
            problem = "it must be the same in every still: no choices, no wildcards, no other character"
            raise InvalidParams(path="fragment", problem=problem)
        for number, lora in enumerate(sheet.loras):
            path = f"loras[{number}].name"
            if any(lora.name == other.name for other in sheet.loras[:number]):
                raise InvalidParams(path=path, problem=f"the LoRA {lora.name} is there twice")
            await self._shelf.lora(lora.name, path)
        await self._judge(sheet, origin)
        if sheet.reference_asset_id is not None:
            asset = await self._index.get(sheet.reference_asset_id)
            if asset.kind != "still":
                raise StillNotOurs(path="reference_asset_id", asset_id=asset.id)

    async def _judge(self, sheet: Sheet, origin: Origin) -> None:
        """As in a still of nothing but them. Raises BoundaryRefused, having noted it."""
        words = weigh(sheet.fragment, "fragment")
        said = Words(prompt=words.text, spans=words.spans, names=[sheet.name], character=sheet.name)
        verdict, _ = self._boundary.judge(said, lang=self._language())
        if verdict.verdict == "refuse":
            await self._refusals.note(verdict, sheet.fragment, origin)
            path = "name" if verdict.span is None else "fragment"
            raise BoundaryRefused(
                "named", path=path, rule=verdict.rule, reason=verdict.reason, span=verdict.span, policy=verdict.policy,
                passes=verdict.passes,
            )  # fmt: skip


def _added(tx: Tx, past: Past, sheet: Sheet) -> Sheet:
    number = past.versions[-1].version + 1 if past.versions else 1
    if len(past.versions) >= VERSIONS:
        raise TooLarge("stored", limit=VERSIONS)
    made = replace(sheet, version=number, created_at=rfc3339(tx.now))
    Settings.set_in(tx, PREFIX + made.name, Past(versions=[*past.versions, made]))
    return made


def _past(value: Any) -> Past:
    return msgspec.convert(value, Past)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name != name.casefold():
        problem = "a name begins with a letter and is made of small letters, digits, - and _"
        raise InvalidParams(path="name", problem=problem)
    if name in shipped():
        raise InvalidParams(path="name", problem=f"{name} came with the package; choose another name")
