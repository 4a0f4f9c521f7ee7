"""Single files by name: LoRAs, upscalers, autoencoders, ControlNets and embeddings.

Those in the package and in the user's models folder, `<root>/loras/<name>.safetensors`, with what is known of each in
`<name>.json` beside; and those that were added where they are. Autoencoders and ControlNets may be folders too. The first
root's name counts: nothing of a user's takes the place of what ships, and nothing added the place of what lies in the
folder.
"""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tendred.clock import rfc3339
from tendred.errors import InvalidParams, ModelRefused, NotFound
from tendred.models import lora
from tendred.models.catalog import NAME
from tendred.models.finite import odd_tensor
from tendred.models.hashes import Hashes
from tendred.models.lora import Adapter
from tendred.models.parts import CONFIG, inspect_folder
from tendred.models.singles import About, Single, inspect_single, kind_of, open_header
from tendred.schema.base import Record
from tendred.schema.model import ModelInfo, ModelKind
from tendred.schema.weights import PICKLES, any_fingerprint, any_sha256, file_fingerprint
from tendred.store.database import Database, Tx
from tendred.tasks import offload

PACKAGED: Final = Path(__file__).parent
FOLDERS: Final[dict[ModelKind, str]] = {
    "lora": "loras", "upscaler": "upscalers", "vae": "vaes", "controlnet": "controlnets", "embedding": "embeddings",
}  # fmt: skip
IN_FOLDERS: Final[frozenset[ModelKind]] = frozenset({"vae", "controlnet"})
"""Kinds that may be a folder in the diffusers layout, too."""
_NOUNS: Final[dict[ModelKind, str]] = {"upscaler": "upscaler", "vae": "autoencoder", "controlnet": "ControlNet"}
WEIGHTS: Final = ".safetensors"
ROWS: Final = "SELECT kind, name, path, last_used_at FROM model_file"
AT: Final = "SELECT path FROM model_file WHERE kind = ? AND name = ?"
ADD: Final = (
    "INSERT INTO model_file(kind, name, path, added_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT(kind, name) DO UPDATE SET path = excluded.path"
)
USED: Final = (
    "INSERT INTO model_file(kind, name, added_at, last_used_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT(kind, name) DO UPDATE SET last_used_at = excluded.last_used_at"
)
REMOVE: Final = "DELETE FROM model_file WHERE kind = ? AND name = ?"


class Lora(Record, frozen=True):
    """A LoRA ready to be used. `ships`: it came with the package."""

    name: str
    path: str
    sha256: str
    ships: bool
    adapter: Adapter


class Part(Record, frozen=True):
    """An upscaler, autoencoder or ControlNet ready to be used; `path` is a file or a folder."""

    kind: ModelKind
    name: str
    path: str
    sha256: str
    ships: bool


class Place(NamedTuple):
    """Where a file lies. `ships`: it came with the package; `added`: it is no file of our own folders."""

    kind: ModelKind
    name: str
    path: Path
    ships: bool = False
    added: bool = False
    used: float | None = None


class Shelf:
    """Files are looked through again whenever they, or what is said of them, changed."""

    def __init__(self, database: Database, roots: Sequence[Path]) -> None:
        """`roots`: the package's folder first."""
        self._database = database
        self._hashes = Hashes(database)
        self._roots = roots
        self._seen: dict[Path, tuple[str, Single]] = {}
        self._odd: dict[Path, tuple[str, str]] = {}
        """Files whose values are no numbers, and which. Only reading all of a file tells."""

    async def list(self, kind: ModelKind | None = None) -> list[ModelInfo]:
        """Everything on it, or of one kind, by name."""
        return [await self.info(place) for place in await self.places(kind)]

    async def places(self, kind: ModelKind | None = None) -> list[Place]:
        """Where everything lies, by name."""
        rows = await self._rows()
        kinds: list[ModelKind] = [one for one in FOLDERS if kind in {None, one}]
        places = [place for one in kinds for place in await offload(self._places, one, rows)]
        return sorted(places, key=lambda place: (place.name, place.kind))

    async def find(self, name: str, kind: ModelKind | None = None) -> list[Place]:
        """The places of that name: several where kinds share it."""
        return [place for place in await self.places(kind) if place.name == name]

    async def lora(self, name: str, path: str | None = None) -> Lora:
        """One LoRA, checked and hashed. Raises NotFound (near names), ModelRefused; `path` is the request's field."""
        places = {place.name: place for place in await self.places("lora")}
        if name not in places:
            near = difflib.get_close_matches(name, places, 3, 0.4) or sorted(places)[:3]
            raise NotFound(path=path, noun="LoRA", name=name, near=near)
        place = places[name]
        try:
            adapter = await self.look(place)
            assert isinstance(adapter, Adapter)
            sha256 = await self.sha256(place)
        except ModelRefused as refused:
            refused.path = path
            raise
        return Lora(name=name, path=str(place.path), sha256=sha256, ships=place.ships, adapter=adapter)

    async def part(self, kind: ModelKind, name: str, path: str | None = None) -> Part:
        """One upscaler, autoencoder or ControlNet, checked and hashed. Raises NotFound (near names), ModelRefused."""
        places = {place.name: place for place in await self.places(kind)}
        if name not in places:
            near = difflib.get_close_matches(name, places, 3, 0.4) or sorted(places)[:3]
            raise NotFound(path=path, noun=_NOUNS[kind], name=name, near=near)
        place = places[name]
        try:
            await self.look(place)
            sha256 = await self.sha256(place)
        except ModelRefused as refused:
            refused.path = path
            raise
        return Part(kind=kind, name=name, path=str(place.path), sha256=sha256, ships=place.ships)

    def ships(self, path: str) -> bool:
        """Whether a file came with the package."""
        return Path(path).is_relative_to(self._roots[0])

    async def look(self, place: Place) -> Single:
        """What is in a file. Raises ModelRefused."""
        return (await offload(self._look, place))[1]

    async def mark(self, place: Place) -> str:
        """Changes whenever the file does. Raises ModelRefused."""
        return (await offload(self._look, place))[0]

    async def sha256(self, place: Place) -> str:
        """Its hash; the first time, its values are looked at too. Raises ModelRefused."""
        seen, _ = await offload(self._look, place)
        return await self._hashes.of(place.path, seen, partial(self._hashed, place, seen))

    async def add(self, path: str, name: str | None, kind: ModelKind | None = None) -> ModelInfo:
        """Take a file in where it is; with `kind`, only one of that kind. Raises InvalidParams, ModelRefused."""
        file = Path(path)
        name = name or file.stem
        if len(name) > NAME or not name.isprintable():
            raise InvalidParams(path="name", problem=f"a name has at most {NAME} characters, all of them visible")
        place = Place(await offload(_kind, file, name), name, file, added=True)
        if kind not in {None, place.kind}:
            problem = f"it is of the kind {place.kind}, not {kind}"
            raise ModelRefused("single", name=name, reason="family", problem=problem)
        other = next(iter(await self.find(name, place.kind)), None)
        if other is not None and other.path != file:
            raise _taken(name, other.path)
        await self.look(place)
        await self.sha256(place)
        if other is not None:
            return await self.info(other)
        info = await self.info(place)

        def work(tx: Tx) -> None:
            # Once more: hashing takes its time, and another may have taken the name meanwhile.
            row = tx.one(AT, place.kind, name)
            if row is not None and row["path"] not in {None, str(file)}:
                raise _taken(name, row["path"])
            tx.run(ADD, place.kind, name, str(file), tx.now)
            tx.emit("model.added", {"model": info})

        await self._database.write(work)
        return info

    async def forget(self, place: Place, told: Record | None = None, first: Callable[[Tx], None] | None = None) -> None:
        """Take a file's row away; the file is none of its business. `told` and `first` as in Catalog.remove."""

        def work(tx: Tx) -> None:
            if first is not None:
                first(tx)
            tx.run(REMOVE, place.kind, place.name)
            if told is not None:
                tx.emit("model.removed", {"removed": told})

        await self._database.write(work)

    def used_in(self, tx: Tx, used: Sequence[Lora | Part]) -> None:
        """Note that a job with these was closed."""
        for one in used:
            tx.run(USED, "lora" if isinstance(one, Lora) else one.kind, one.name, tx.now, tx.now)

    async def info(self, place: Place) -> ModelInfo:
        """One entry."""
        sha256 = reason = None
        file = _NOTHING
        state: Literal["ready", "missing", "refused"] = "ready"
        try:
            seen, file = await offload(self._look, place)
            sha256 = await self._hashes.known(place.path, seen)
        except ModelRefused as problem:
            state, reason = "refused", f"{problem.detail['reason']}: {problem.detail['problem']}"
            if place.added and not await offload(_there, place.path):
                state, reason = "missing", "its file is gone"
        return ModelInfo(
            name=place.name, kind=place.kind, family=file.family, path=str(place.path), bytes=file.bytes,
            licence=file.licence, source=file.about.source, sha256=sha256,
            last_used_at=None if place.used is None else rfc3339(place.used), is_default=False,
            state=state, reason=reason,
        )  # fmt: skip

    async def _rows(self) -> dict[tuple[ModelKind, str], tuple[str | None, float | None]]:
        def work(connection: sqlite3.Connection) -> dict[tuple[ModelKind, str], tuple[str | None, float | None]]:
            rows = connection.execute(ROWS)
            return {(row["kind"], row["name"]): (row["path"], row["last_used_at"]) for row in rows}

        return await self._database.read(work)

    def _places(
        self, kind: ModelKind, rows: dict[tuple[ModelKind, str], tuple[str | None, float | None]]
    ) -> list[Place]:
        found: dict[str, Place] = {}
        for root in self._roots:
            ships = root == self._roots[0]
            below = _folders(root / FOLDERS[kind]) if kind in IN_FOLDERS else []
            here = {path.name: Place(kind, path.name, path, ships) for path in below}
            for path in _files(root / FOLDERS[kind]):
                # Where both are, the one that can be loaded.
                if path.stem not in here or path.suffix == WEIGHTS:
                    here[path.stem] = Place(kind, path.stem, path, ships)
            found = {**here, **found}
        for (of, name), (path, used) in rows.items():
            if of != kind:
                continue
            if name in found:
                found[name] = found[name]._replace(used=used)
            elif path is not None:
                found[name] = Place(kind, name, Path(path), added=True, used=used)
        return [*found.values()]

    def _look(self, place: Place) -> tuple[str, Single]:
        if place.path.suffix.lower() in PICKLES:
            problem = f"{place.path.name} is a pickle, and only {WEIGHTS} files are read"
            raise _refused(place, "pickle", problem)
        now = _mark(place)
        seen = self._seen.get(place.path)
        if seen is None or seen[0] != now:
            seen = self._seen[place.path] = (now, _inspected(place))
        odd = self._odd.get(place.path)
        if odd is not None and odd[0] == now:
            raise _refused(place, "values", odd[1])
        return seen

    def _hashed(self, place: Place, seen: str) -> str:
        """The hash of the file that was looked through, and of no other."""
        try:
            computed = any_sha256(place.path)
            odd = next(
                filter(
                    None, (odd_tensor(file, open_header(file, place.name).tensors) for file in _weights(place.path))
                ),
                None,
            )
        except (OSError, ValueError) as problem:
            raise _refused(place, "header", str(problem)) from problem
        if _mark(place) != seen:
            raise _refused(place, "header", "it changed while it was read")
        if odd is not None:
            problem = f"{odd[:80]} holds values that are no numbers"
            self._odd[place.path] = (seen, problem)
            raise _refused(place, "values", problem)
        return computed


_NOTHING: Final = Single(family="", bytes=0, about=About())


def _inspected(place: Place) -> Single:
    """Notes beside a file count in our own folders; elsewhere other programs write theirs."""
    if place.kind == "lora":
        return lora.inspect(place.path, place.name, noted=not place.added)
    try:
        if place.path.is_dir():
            return inspect_folder(place.kind, place.path, place.name)
        return inspect_single(place.kind, place.path, place.name, noted=not place.added)
    except ModelRefused as refused:
        raise _refused(place, str(refused.detail["reason"]), str(refused.detail["problem"])) from refused


def _kind(file: Path, name: str) -> ModelKind:
    """What a file is that should be added. Raises InvalidParams, ModelRefused."""
    if not file.is_absolute() or not _there(file):
        raise InvalidParams("folder", path="path", problem="there is no such file, or the path isn't absolute")
    if file.suffix.lower() in PICKLES:
        problem = f"{file.name} is a pickle, and only {WEIGHTS} files are read"
        raise ModelRefused("single", name=name, reason="pickle", problem=problem)
    return kind_of(file, name)


def _taken(name: str, path: object) -> InvalidParams:
    return InvalidParams(path="name", problem=f"{name} is taken by {path}; give it another name")


def _files(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".")
        and (entry.suffix == WEIGHTS or entry.suffix.lower() in PICKLES)
        and len(entry.stem) <= NAME
        and entry.stem.isprintable()
    ]


def _there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A folder above it may not be looked into.
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        found = sorted(entry for entry in folder.iterdir() if (entry / CONFIG).is_file())
    except OSError:
        return []
    return [entry for entry in found if not entry.name.startswith(".") and entry.name.isprintable()]


def _weights(path: Path) -> list[Path]:
    """The files of weights that something is made of: one, or those of a folder."""
    return sorted(path.rglob(f"*{WEIGHTS}")) if path.is_dir() else [path]


def _mark(place: Place) -> str:
    """Changes whenever the file does, or what is said of it beside."""
    try:
        mark = any_fingerprint(place.path)
        beside = place.path.with_suffix(".json")
        return mark + file_fingerprint(beside) if not place.added and beside.exists() else mark
    except (OSError, ValueError) as problem:
        raise _refused(place, "header", str(problem)) from problem


def _refused(place: Place, reason: str, problem: str) -> ModelRefused:
    if place.kind == "lora":
        return ModelRefused("lora", name=place.name, reason=reason, problem=problem)
    return ModelRefused("single", name=place.name, reason=reason, problem=problem)
