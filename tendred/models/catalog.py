"""Which models there are: the embedded starter, and folders and whole files that were added in place."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from tendred.clock import rfc3339
from tendred.errors import InvalidParams, ModelMissing, ModelRefused
from tendred.models.folder import Folder, inspect, mark
from tendred.models.hashes import Hashes
from tendred.models.hub import repository_of
from tendred.models.whole import inspect_whole, mark_whole
from tendred.schema.base import Record
from tendred.schema.model import ModelInfo
from tendred.schema.weights import file_sha256
from tendred.store.database import Database, Tx
from tendred.tasks import offload

STARTER: Final = "starter"
NAME: Final = 128
"""The longest name that a request can say."""
STARTER_PATH: Final = Path(__file__).parent / "starter"
AT: Final = "SELECT path FROM model WHERE name = ?"
ROWS: Final = "SELECT name, path, last_used_at FROM model ORDER BY name"
ADD: Final = (
    "INSERT INTO model(name, path, added_at) VALUES (?, ?, ?) ON CONFLICT(name) DO UPDATE SET path = excluded.path"
)
USED: Final = "UPDATE model SET last_used_at = ? WHERE name = ?"
STARTER_USED: Final = (
    "INSERT INTO model(name, path, added_at, last_used_at) VALUES (?1, ?2, ?3, ?3) "
    "ON CONFLICT(name) DO UPDATE SET last_used_at = excluded.last_used_at"
)
REMOVE: Final = "DELETE FROM model WHERE name = ?"
DEFAULT: Final = "SELECT value FROM setting WHERE name = 'default_model'"


class Model(Record, frozen=True):
    """A model ready to be loaded."""

    name: str
    path: str
    sha256: str
    folder: Folder


class Catalog:
    """The models by name. Folders are looked through again whenever a file of theirs changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hashes = Hashes(database)
        self._seen: dict[str, tuple[str, Folder]] = {}

    async def get(self, name: str | None) -> Model:
        """One model, checked and hashed; None is the default. Raises ModelMissing (near names), ModelRefused."""
        rows = await self._rows()
        name = name or await self.default()
        if name not in rows:
            near = difflib.get_close_matches(name, rows, 3, 0.4) or sorted(rows)[:3]
            raise ModelMissing(name=name, near=near)
        path = Path(rows[name][0])
        if not await offload(_there, path):
            raise ModelMissing(
                "gone", name=name, folder=str(path), near=[other for other in sorted(rows) if other != name][:3]
            )
        seen, folder = await offload(self._look, path, name)
        return Model(name=name, path=str(path), sha256=await self._sha256(path, name, seen), folder=folder)

    async def look(self, name: str) -> Model:
        """As `get`, with an empty hash: nothing is read but headers. Raises ModelMissing, ModelRefused."""
        path = Path((await self.info(name)).path)
        _, folder = await offload(self._look, path, name)
        return Model(name=name, path=str(path), sha256="", folder=folder)

    async def default(self) -> str:
        """The default model's name."""
        row = await self._database.read(lambda connection: connection.execute(DEFAULT).fetchone())
        return STARTER if row is None else msgspec.json.decode(row["value"], type=str)

    async def list(self) -> list[ModelInfo]:
        """The whole catalogue, by name."""
        default = await self.default()
        rows = await self._rows()
        return [await self._info(name, *rows[name], is_default=name == default) for name in sorted(rows)]

    async def add(self, path: str, name: str | None) -> ModelInfo:
        """Take a folder, or a whole file, into the catalogue, in place. Raises InvalidParams, ModelRefused."""
        folder = Path(path)
        if not folder.is_absolute() or not await offload(_exists, folder):
            raise InvalidParams("folder", path="path", problem="there is no such folder, or the path isn't absolute")
        whole = await offload(folder.is_file)
        # The name of a folder in the hub's cache is a revision.
        name = name or (folder.stem if whole else (repository_of(folder) or folder.name).rpartition("/")[2])
        if name == STARTER:
            raise InvalidParams(path="name", problem=f"{STARTER} is the embedded model's name")
        if len(name) > NAME or not name.isprintable():
            raise InvalidParams(path="name", problem=f"a name has at most {NAME} characters, all of them visible")
        other = (await self._rows()).get(name)
        if other is not None and Path(other[0]) != folder and await offload(_there, Path(other[0])):
            raise _taken(name, other[0])
        await self.check(folder, name)
        if other is None or Path(other[0]) != folder:
            info = await self._info(name, str(folder), None, is_default=False)

            def work(tx: Tx) -> None:
                # Once more: hashing takes its time, and another may have taken the name meanwhile.
                row = tx.one(AT, name)
                now = None if row is None else str(row["path"])
                if now not in {None, str(folder), None if other is None else other[0]}:
                    raise _taken(name, now)
                self.add_in(tx, name, folder)
                tx.emit("model.added", {"model": info})

            await self._database.write(work)
        return await self.info(name)

    async def check(self, folder: Path, name: str) -> None:
        """Look through a folder and hash it, so that it is ready when its row is. Raises ModelRefused."""
        seen, _ = await offload(self._look, folder, name)
        await self._sha256(folder, name, seen)

    @staticmethod
    def add_in(tx: Tx, name: str, folder: Path) -> None:
        """Give a folder that was checked a name."""
        tx.run(ADD, name, str(folder), tx.now)

    @staticmethod
    def is_free_in(tx: Tx, name: str, folder: Path | None = None) -> bool:
        """Whether a folder may have this name: nobody has it, or that very folder."""
        row = tx.one(AT, name)
        return name != STARTER and (row is None or (folder is not None and str(row["path"]) == str(folder)))

    async def remove(self, name: str, told: Record | None = None, first: Callable[[Tx], None] | None = None) -> None:
        """Forget a model that was added; its files stay. Raises ModelMissing, InvalidParams.

        `told` goes with the event; `first` belongs to the transaction, and may still forbid it.
        """
        if name == STARTER:
            raise InvalidParams(path="name", problem="the embedded model can't be removed")
        await self.info(name)

        def work(tx: Tx) -> None:
            if first is not None:
                first(tx)
            tx.run(REMOVE, name)
            tx.run("DELETE FROM setting WHERE name = 'default_model' AND value = ?", msgspec.json.encode(name))
            if told is not None:
                tx.emit("model.removed", {"removed": told})

        await self._database.write(work)

    async def info(self, name: str) -> ModelInfo:
        """One entry. Raises ModelMissing."""
        rows = await self._rows()
        if name not in rows:
            raise ModelMissing(name=name, near=difflib.get_close_matches(name, rows, 3, 0.4) or sorted(rows)[:3])
        return await self._info(name, *rows[name], is_default=name == await self.default())

    def used_in(self, tx: Tx, model: Model) -> None:
        """Note that a job of this model was closed. One that was removed meanwhile doesn't come back by it."""
        if model.name == STARTER:
            tx.run(STARTER_USED, model.name, model.path, tx.now)
        else:
            tx.run(USED, tx.now, model.name)

    async def _rows(self) -> dict[str, tuple[str, float | None]]:
        def work(connection: sqlite3.Connection) -> dict[str, tuple[str, float | None]]:
            return {row["name"]: (row["path"], row["last_used_at"]) for row in connection.execute(ROWS)}

        rows = await self._database.read(work)
        used = rows.get(STARTER, ("", None))[1]
        return {**rows, STARTER: (str(STARTER_PATH), used)}

    async def _info(self, name: str, path: str, used: float | None, *, is_default: bool) -> ModelInfo:
        def broken(*, state: Literal["missing", "refused"], reason: str) -> ModelInfo:
            return ModelInfo(
                name=name, kind="model", family="", path=path, bytes=0, licence=None, source=None, sha256=None,
                last_used_at=None if used is None else rfc3339(used), is_default=is_default,
                state=state, reason=reason,
            )  # fmt: skip

        if not await offload(_there, Path(path)):
            return broken(state="missing", reason="it is gone from where it was")
        try:
            seen, folder = await offload(self._look, Path(path), name)
        except ModelRefused as problem:
            return broken(state="refused", reason=f"{problem.detail['reason']}: {problem.detail['problem']}")
        known = await self._hashes.known(Path(path), seen)
        return ModelInfo(
            name=name, kind="model", family=folder.family, path=path, bytes=folder.bytes, licence=folder.licence,
            source=folder.source, sha256=known, last_used_at=None if used is None else rfc3339(used),
            is_default=is_default, state="ready", reason=None,
        )  # fmt: skip

    def _look(self, path: Path, name: str) -> tuple[str, Folder]:
        now = _mark(path, name)
        seen = self._seen.get(str(path))
        if seen is None or seen[0] != now:
            look = inspect_whole if path.is_file() else inspect
            seen = self._seen[str(path)] = (now, look(path, name))
        return seen

    async def _sha256(self, path: Path, name: str, seen: str) -> str:
        """The hash of the files that were looked through, and of no others."""
        known = await self._hashes.known(path, seen)
        if known is None:
            try:
                whole = await offload(path.is_file)
                known = await (offload(file_sha256, path) if whole else self._hashes.of_folder(path))
            except (OSError, ValueError) as problem:
                raise ModelRefused(name=name, reason="header", problem=str(problem)) from problem
            if await offload(_mark, path, name) != seen:
                raise ModelRefused(name=name, reason="header", problem="its files changed while they were read")
            await self._hashes.remember(path, seen, known)
        return known


def _taken(name: str, path: object) -> InvalidParams:
    return InvalidParams(path="name", problem=f"{name} is taken by {path}; give it another name")


def _mark(path: Path, name: str) -> str:
    """Changes whenever the model does. Blocking, quick. Raises ModelRefused."""
    return mark_whole(path, name) if path.is_file() else mark(path, name)


def _there(path: Path) -> bool:
    try:
        return path.is_file() or (path / "model_index.json").is_file()
    except OSError:  # A folder above it may not be looked into.
        return False


def _exists(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError:
        return False
