"""Long looks at the disk: what other programs hold, and whether our files are still what they were.

Both work in slices of a quarter of a second, so that they can be told of, and stopped, on the way.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from tendred.bus import Bus
from tendred.clock import Clock, rfc3339
from tendred.errors import InvalidParams, ModelMissing, ModelRefused, TendredError
from tendred.models.catalog import Catalog
from tendred.models.hashes import Hashes
from tendred.models.hashes import Known as Hash
from tendred.models.places import Spot, expanded, given
from tendred.models.scan import Known, duplicates, examine, known_folder
from tendred.models.shelf import Place as ShelfPlace
from tendred.models.shelf import Shelf
from tendred.models.verify import Reading, compared, gone, orphans, worst
from tendred.models.walk import Walk
from tendred.schema.cache import FileCheck, Found, ModelCheck, Orphan, Place, Scan, Verification
from tendred.schema.event import Event
from tendred.schema.model import ModelInfo, ModelKind
from tendred.schema.weights import Entry, file_fingerprint, read_by_loaders
from tendred.tasks import offload

SLICE_S: Final = 0.25
NAMES: Final = 9
FOUND: Final = 10_000
"""More than that fits into no answer."""
_T = TypeVar("_T")


class Surveys:
    """One at a time. `well_known` gives the places by default, `own` is the daemon's folder of models."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        shelf: Shelf,
        hashes: Hashes,
        bus: Bus,
        clock: Clock,
        boot_id: str,
        own: Path,
        well_known: Callable[[], list[Spot]],
    ) -> None:
        self._catalog = catalog
        self._shelf = shelf
        self._hashes = hashes
        self._bus = bus
        self._clock = clock
        self._boot_id = boot_id
        self._own = own
        self._well_known = well_known
        self._alone = asyncio.Lock()

    async def scan(self, folders: list[str], *, known_places: bool, add: bool) -> Scan:
        """What is there that could be used; with `add`, what is new is added. Raises InvalidParams for a bad folder."""
        async with self._alone:
            spots = [await offload(_named, number, path) for number, path in enumerate(folders)]
            spots += await offload(self._well_known) if known_places else []
            places = [Place(path=str(spot.path), tool=spot.tool, state=await offload(_state, spot)) for spot in spots]
            walk = Walk()
            found = await self._looked(walk, [spot for spot in spots if await offload(os.path.exists, spot.path)])
            found = await self._compared(found)
            added: list[ModelInfo] = []
            if add:
                found, added = await self._taken(found)
            return Scan(places=places, found=found, added=added, whole=walk.whole)

    async def verify(self, models: list[ModelInfo], places: list[ShelfPlace], *, all_of_it: bool) -> Verification:
        """Every file of these hashed anew. With `all_of_it` orphans are looked for, too."""
        async with self._alone:
            checks: list[ModelCheck] = []
            count = 0
            for model in models:
                count += await self._model(model, checks)
            for place in places:
                count += await self._single(place, checks)
            found = await self._orphans() if all_of_it else []
            return Verification(models=checks, orphans=found, bytes=count)

    # -- looking around ------------------------------------------------------------------------------------

    async def _looked(self, walk: Walk, spots: list[Spot]) -> list[Found]:
        inside = [more for spot in spots for more in await offload(expanded, spot)]
        found: list[Found] = []
        looking = (None if one is None else examine(one) for one in walk.run(inside))
        async for batch in self._slices(looking):
            found += [one for one in batch if one is not None]
            if len(found) >= FOUND:
                walk.whole = False
                return found[:FOUND]
            self._tell("model.scanning", entries=walk.entries, found=len(found), at=found[-1].path if found else None)
        return found

    async def _compared(self, found: list[Found]) -> list[Found]:
        known = [
            Known(place.name, place.path, await offload(_size, place.path)) for place in await self._shelf.places()
        ]
        for model in await self._catalog.list():
            folder = await offload(known_folder, model.name, Path(model.path), model.bytes)
            known += [folder] if folder is not None else []
        async for batch in self._slices(duplicates(found, known)):
            found = next((told for told in batch if told is not None), found)
        return found

    async def _taken(self, found: list[Found]) -> tuple[list[Found], list[ModelInfo]]:
        added: list[ModelInfo] = []
        told: list[Found] = []
        for one in found:
            if one.state == "new":
                try:
                    added.append(await self._add(one))
                except TendredError as problem:
                    one = replace(one, state="refused", reason=str(problem.detail.get("problem", problem.kind)))  # noqa: PLW2901 - as it turned out
            told.append(one)
        return told, added

    async def _add(self, one: Found) -> ModelInfo:
        """Under its name, or with a number behind where that is taken."""
        add = self._catalog.add if one.kind == "model" else self._shelf.add
        for number in range(1, NAMES):
            try:
                return await add(one.path, one.name if number == 1 else f"{one.name[:120]}-{number}")
            except InvalidParams as problem:
                if problem.path != "name":
                    raise
        return await add(one.path, one.name)

    # -- looking again -------------------------------------------------------------------------------------

    async def _model(self, model: ModelInfo, checks: list[ModelCheck]) -> int:
        try:
            await self._catalog.look(model.name)
            return await self._files(model.name, "model", Path(model.path), checks)
        except (ModelRefused, ModelMissing, OSError, ValueError) as problem:
            checks.append(_broken(model, problem))
            return 0

    async def _files(self, name: str, kind: ModelKind, root: Path, checks: list[ModelCheck]) -> int:
        """Every file of a folder. Raises OSError, ValueError."""
        known = await self._hashes.last(root)
        files: list[FileCheck] = []
        entries = await offload(_readable, root)
        count = 0
        for entry in entries:
            check, size = await self._file(name, entry.name, entry.path, known)
            files.append(check)
            count += size
        files += gone(root, known, [entry.path for entry in entries])
        checks.append(ModelCheck(name=name, kind=kind, state=worst(files), reason=None, files=files))
        return count

    async def _single(self, place: ShelfPlace, checks: list[ModelCheck]) -> int:
        info = await self._shelf.info(place)
        if info.state != "ready":
            checks.append(ModelCheck(name=place.name, kind=place.kind, state=info.state, reason=info.reason, files=[]))
            return 0
        if await offload(place.path.is_dir):
            return await self._files(place.name, place.kind, place.path, checks)
        mark = await self._shelf.mark(place)
        check, size = await self._file(
            place.name, place.path.name, place.path, await self._hashes.last(place.path), mark
        )
        checks.append(ModelCheck(name=place.name, kind=place.kind, state=worst([check]), reason=None, files=[check]))
        return size

    async def _file(
        self, model: str, name: str, path: Path, known: dict[str, Hash], mark: str | None = None
    ) -> tuple[FileCheck, int]:
        mark = mark or await offload(file_fingerprint, path)
        reading = await offload(Reading, path)
        done = 0
        try:
            while size := await offload(reading.step):
                done += size
                self._tell("model.verifying", model=model, file=name, done_bytes=done)
        finally:
            reading.close()
        before = known.get(str(path))
        check = compared(name, path, mark, reading.sha256, before)
        if check.state != "damaged" and (before is None or before.fingerprint != mark):
            await self._hashes.remember(path, mark, reading.sha256)
        return check, done

    async def _orphans(self) -> list[Orphan]:
        owned = {place.path for place in await self._shelf.places()}
        # Those of parts are among them; files are no folders that anybody walks into.
        folders = [*(Path(model.path) for model in await self._catalog.list()), *owned]
        return [Orphan(path=path, bytes=size) for path, size in await offload(orphans, self._own, owned, folders)]

    # -- on the way ----------------------------------------------------------------------------------------

    async def _slices(self, items: Iterator[_T]) -> AsyncIterator[list[_T]]:
        done = False
        while not done:
            batch, done = await offload(self._some, items)
            yield batch

    def _some(self, items: Iterator[_T]) -> tuple[list[_T], bool]:
        """As much as fits into a slice of time, and whether that was the end."""
        until = self._clock.mono() + SLICE_S
        batch: list[_T] = []
        for item in items:
            batch.append(item)
            if self._clock.mono() > until:
                return batch, False
        return batch, True

    def _tell(self, topic: str, **progress: Any) -> None:
        at = rfc3339(self._clock.now())
        event = Event(seq=None, boot_id=self._boot_id, at=at, topic=topic, job_id=None, data={"progress": progress})
        self._bus.publish(event)


def _readable(root: Path) -> list[Entry]:
    """The files of a model: those of a folder that count, or the one that it is."""
    return [Entry(root.name, root, root.stat())] if root.is_file() else read_by_loaders(root)


def _named(number: int, path: str) -> Spot:
    folder = Path(path)
    if not folder.is_absolute() or not os.path.exists(folder):
        problem = "there is no such folder, or the path isn't absolute"
        raise InvalidParams("folder", path=f"folders[{number}]", problem=problem)
    return given(folder)


def _state(spot: Spot) -> Any:
    try:
        if not spot.path.exists():
            return "missing"
        if spot.path.is_dir():
            next(spot.path.iterdir(), None)
    except OSError:
        return "unreadable"
    return "ok"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _broken(model: ModelInfo, problem: Exception) -> ModelCheck:
    missing = model.state == "missing"
    reason = model.reason or str(problem)
    return ModelCheck(name=model.name, kind="model", state="missing" if missing else "refused", reason=reason, files=[])
