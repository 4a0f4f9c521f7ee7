"""The model cache, as the doors see it: what is there, what it takes, taken in and forgotten."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tendred.backend import Residency
from tendred.core.budgets import Accounts
from tendred.core.characters import Cast
from tendred.core.dependents import dependents, in_words, runs_in
from tendred.core.loras import check_fit
from tendred.core.surveys import Surveys
from tendred.errors import FolderUnwritable, InvalidParams, ModelInUse, ModelMissing, ModelRefused, NotFound
from tendred.models import takes
from tendred.models.catalog import STARTER, Catalog
from tendred.models.lora import Adapter
from tendred.models.shelf import Lora, Place, Shelf
from tendred.models.whole import is_whole
from tendred.schema.cache import Budgets, Dependents, Models, ModelShow, Removed, Scan, Verification
from tendred.schema.model import ModelInfo, ModelKind
from tendred.store.database import Database, Tx
from tendred.tasks import offload

REMOVING: Final = ".removing-"
"""So begins the name of a folder beside a model, which holds it while it is deleted."""


class Cache:
    """Models of every kind. `own` is the daemon's folder of models: only there does it ever delete, when it is told to."""

    def __init__(
        self,
        *,
        database: Database,
        catalog: Catalog,
        shelf: Shelf,
        cast: Cast,
        residency: Residency,
        surveys: Surveys,
        accounts: Accounts,
        own: Path,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._shelf = shelf
        self._cast = cast
        self._residency = residency
        self._surveys = surveys
        self._accounts = accounts
        self._own = own

    async def every(self, kind: ModelKind | None) -> Models:
        """The catalogue: models first, then the single files; and what room all of it takes."""
        every = [*await self._catalog.list(), *await self._shelf.list()]
        budget = self._accounts.of_models(every)
        return Models(models=[one for one in every if kind in {None, one.kind}], budget=budget)

    async def budgets(self) -> Budgets:
        """Room given and taken, for the status."""
        return await self._accounts.both()

    async def add(self, path: str, name: str | None, kind: ModelKind | None = None) -> ModelInfo:
        """Take a folder or a file in where it is. With `kind`, only what is of that kind."""
        if kind == "model" or (kind is None and await offload(_is_model, Path(path))):
            return await self._catalog.add(path, name)
        return await self._shelf.add(path, name, kind)

    async def show(self, name: str | None, kind: ModelKind | None) -> ModelShow:
        """Everything that is known of one entry; null is the default model."""
        if name is None:
            name, kind = await self._catalog.default(), "model"
        info, place = await self._one(name, kind)
        who = await self._users(info)
        if place is None:
            return await self._model(info, who)
        try:
            file = await self._shelf.look(place)
        except ModelRefused:
            return _bare(info, who)
        return ModelShow(
            model=info, detail=file.detail, base=file.about.base, trigger=file.about.trigger,
            takes=[takes.weight()] if info.kind == "lora" else [], lacks=[],
            fits=await self._fits(place, file) if isinstance(file, Adapter) else [], spec=file.spec, used_by=who,
        )  # fmt: skip

    async def scan(self, folders: list[str], *, known_places: bool, add: bool) -> Scan:
        """What other programs hold already; see Surveys."""
        return await self._surveys.scan(folders, known_places=known_places, add=add)

    async def verify(self, name: str | None, kind: ModelKind | None) -> Verification:
        """Hash one entry anew, or all; see Surveys."""
        if name is not None:
            info, place = await self._one(name, kind)
            models, places = ([info], []) if place is None else ([], [place])
        else:
            models = await self._catalog.list() if kind in {None, "model"} else []
            places = await self._shelf.places(kind)
        return await self._surveys.verify(models, places, all_of_it=name is None and kind is None)

    async def remove(self, name: str, kind: ModelKind | None, *, force: bool, delete_files: bool) -> Removed:
        """Forget an entry. Raises ModelInUse while it draws, and unless `force` where somebody would miss it."""
        info, place = await self._one(name, kind)
        self._check_removable(info, place, delete_files=delete_files)
        if delete_files:
            await self._check_alone(info)
        who = await self._users(info)
        if (words := in_words(who)) and not force:
            raise ModelInUse(
                path="name", name=name, by=words, characters=who.characters, loras=who.loras, jobs=who.jobs
            )
        self._check_idle(info)
        removed = Removed(
            name=name, kind=info.kind, path=info.path, files_deleted=delete_files, was_default=info.is_default,
            used_by=who,
        )  # fmt: skip

        if place is None:
            await self._forget(
                info, lambda first: self._catalog.remove(name, removed, first), delete_files=delete_files
            )
            await self._let_go(name)
        else:
            await self._forget(info, lambda first: self._shelf.forget(place, removed, first), delete_files=delete_files)
        return removed

    # -- within --------------------------------------------------------------------------------------------

    async def _one(self, name: str, kind: ModelKind | None) -> tuple[ModelInfo, Place | None]:
        """The entry of that name. Raises ModelMissing or NotFound (near names), InvalidParams where there are several."""
        found: list[tuple[ModelInfo, Place | None]] = []
        every = [] if kind not in {None, "model"} else await self._catalog.list()
        found += [(model, None) for model in every if model.name == name]
        places = await self._shelf.places(kind)
        found += [(await self._shelf.info(place), place) for place in places if place.name == name]
        if len(found) > 1:
            kinds = ", ".join(info.kind for info, _ in found)
            raise InvalidParams(path="kind", problem=f"there are several of the name {name}; say which kind: {kinds}")
        if not found:
            models, others = [model.name for model in every], [place.name for place in places]
            # Who says no kind most likely means a model; a LoRA only where it is nearly that name.
            names = models if kind is None else models + others
            alike = difflib.get_close_matches(name, others, 3, 0.8) if kind is None else []
            near = (alike + difflib.get_close_matches(name, names, 3, 0.4) or sorted(names))[:3]
            if kind == "lora":
                raise NotFound(path="name", noun="LoRA", name=name, near=near)
            raise ModelMissing(path="name", name=name, near=near)
        return found[0]

    async def _users(self, info: ModelInfo) -> Dependents:
        return await dependents(self._database, self._cast, self._shelf, info.kind, info.name)

    async def _model(self, info: ModelInfo, who: Dependents) -> ModelShow:
        try:
            folder = (await self._catalog.look(info.name)).folder
        except (ModelRefused, ModelMissing):
            return _bare(info, who)
        return ModelShow(
            model=info, detail=None, base=None, trigger=None, takes=takes.parameters(folder), lacks=takes.lacks(folder),
            fits=[], spec={}, used_by=who,
        )  # fmt: skip

    async def _fits(self, place: Place, adapter: Adapter) -> list[str]:
        lora = Lora(name=place.name, path=str(place.path), sha256="", ships=place.ships, adapter=adapter)
        fits: list[str] = []
        for model in await self._catalog.list():
            try:
                await check_fit([lora], await self._catalog.look(model.name))
            except (ModelRefused, ModelMissing):
                continue
            fits.append(model.name)
        return fits

    def _check_removable(self, info: ModelInfo, place: Place | None, *, delete_files: bool) -> None:
        if info.name == STARTER or (place is not None and place.ships):
            raise InvalidParams(path="name", problem="what came with the package can't be removed")
        if delete_files and not _is_below(Path(info.path), self._own):
            raise InvalidParams(path="delete_files", problem=f"{info.path} is another program's; delete it there")
        if place is not None and not place.added and not delete_files:
            problem = f"{info.path} lies in the daemon's own folder; only deleting the file takes it off the list"
            raise InvalidParams(path="delete_files", problem=problem)

    async def _check_alone(self, info: ModelInfo) -> None:
        """Raises InvalidParams where another entry has these files too, or a part of them."""
        others = [(one.kind, one.name, one.path) for one in await self._catalog.list()]
        others += [(place.kind, place.name, str(place.path)) for place in await self._shelf.places()]
        others = [other for other in others if other[:2] != (info.kind, info.name)]
        shared = await offload(_shared, Path(info.path), others)
        if shared is not None:
            problem = f"{shared} has the same files; remove that first, or leave the files"
            raise InvalidParams(path="delete_files", problem=problem)

    async def _forget(
        self, info: ModelInfo, forget: Callable[[Callable[[Tx], None]], Awaitable[None]], *, delete_files: bool
    ) -> None:
        """Take its row and, where asked for, its files away: together, or neither. Raises ModelInUse, FolderUnwritable."""
        aside: list[Path] = []

        def first(tx: Tx) -> None:
            # In the transaction: a job that is claimed after it finds nothing any more.
            if runs_in(tx.connection, info.kind, info.name):
                raise ModelInUse("busy", path="name", name=info.name)
            if delete_files:
                aside.extend(_set_aside(Path(info.path)))

        try:
            await forget(first)
        except Exception:
            for folder in aside:
                await offload(_put_back, folder)
            raise
        for folder in aside:
            await offload(_delete, folder)

    def _check_idle(self, info: ModelInfo) -> None:
        """Raises ModelInUse while it draws: the engine may be at it for a moment after the job's end."""
        if info.kind == "model" and any(one.model == info.name and one.busy for one in self._residency.loaded()):
            raise ModelInUse("busy", path="name", name=info.name)

    async def _let_go(self, name: str) -> None:
        """Out of the engine's memory, if it is there."""
        if any(one.model == name for one in self._residency.loaded()):
            await self._residency.unload(name)


def _bare(info: ModelInfo, who: Dependents) -> ModelShow:
    """An entry that can't be used: only the reason is known."""
    return ModelShow(
        model=info, detail=None, base=None, trigger=None, takes=[], lacks=[], fits=[], spec={}, used_by=who
    )


def _set_aside(path: Path) -> list[Path]:
    """Move it whole, with a file's notes, into a folder of its own beside: nobody meets half of a model.

    Returns that folder, if there was anything. Raises FolderUnwritable. Links are moved, never followed.
    """
    if not os.path.lexists(path):
        return []
    try:
        aside = Path(tempfile.mkdtemp(prefix=REMOVING, dir=path.parent))
        try:
            notes = path.with_suffix(".json")
            if (path.is_symlink() or path.is_file()) and os.path.lexists(notes):
                notes.rename(aside / notes.name)
            path.rename(aside / path.name)
        except OSError:
            _put_back(aside)
            raise
    except OSError as problem:
        raise FolderUnwritable(folder=str(path.parent), problem=problem.strerror or str(problem)) from problem
    return [aside]


def _put_back(aside: Path) -> None:
    for path in aside.iterdir():
        path.rename(aside.parent / path.name)
    aside.rmdir()


def _delete(aside: Path) -> None:
    """Raises FolderUnwritable; what is left is swept away at the next start."""
    try:
        shutil.rmtree(aside)
    except OSError as problem:
        raise FolderUnwritable(folder=str(aside.parent), problem=problem.strerror or str(problem)) from problem


def _shared(path: Path, others: list[tuple[ModelKind, str, str]]) -> str | None:
    """The name of one whose files would go with these: its path, or what it leads to, is in, around or the same."""
    own = _place(path)
    for _, name, other in others:
        for there in (_place(Path(other)), Path(os.path.realpath(other))):
            if there.is_relative_to(own) or own.is_relative_to(there):
                return name
    return None


def _place(path: Path) -> Path:
    """Where a path itself is, link or not."""
    return Path(os.path.realpath(path.parent), path.name)


def _is_below(path: Path, folder: Path) -> bool:
    """Whether what a path names lies in a folder, whatever links and dots there are on the way. A link lies where it stands."""
    if ".." in path.parts:
        return False
    return Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder))


def _is_model(path: Path) -> bool:
    """A folder, or a file that says it is one."""
    try:
        return not path.is_file() or is_whole(path)
    except OSError:
        return True
