"""Single files by name: LoRAs and upscalers, those in the package and those in the user's models folder.

`<root>/loras/<name>.safetensors`, with what is known of it in `<name>.json` beside. The first root's name counts:
nothing of a user's takes the place of what ships.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tendred.errors import ModelRefused, NotFound
from tendred.models.hashes import Hashes
from tendred.models.lora import About, Adapter, Single, inspect, open_header, read_about
from tendred.schema.base import Record
from tendred.schema.model import ModelInfo, ModelKind
from tendred.schema.weights import PICKLES, file_fingerprint, file_sha256
from tendred.store.database import Database
from tendred.tasks import offload

PACKAGED: Final = Path(__file__).parent
FOLDERS: Final[dict[ModelKind, str]] = {"lora": "loras", "upscaler": "upscalers"}
WEIGHTS: Final = ".safetensors"
NAME: Final = 128
"""The longest name that a request can say."""


class Lora(Record, frozen=True):
    """A LoRA ready to be used. `ships`: it came with the package."""

    name: str
    path: str
    sha256: str
    ships: bool
    adapter: Adapter


class _Place(NamedTuple):
    kind: ModelKind
    name: str
    path: Path
    ships: bool


class Shelf:
    """Files are looked through again whenever they, or what is said of them, changed."""

    def __init__(self, database: Database, roots: Sequence[Path]) -> None:
        """`roots`: the package's folder first."""
        self._hashes = Hashes(database)
        self._roots = roots
        self._seen: dict[Path, tuple[str, Single]] = {}

    async def list(self, kind: ModelKind | None = None) -> list[ModelInfo]:
        """Everything on it, or of one kind, by name."""
        places = [place for one in FOLDERS if kind in {None, one} for place in await offload(self._places, one)]
        return [await self._info(place) for place in sorted(places, key=lambda place: place.name)]

    async def lora(self, name: str, path: str | None = None) -> Lora:
        """One LoRA, checked and hashed. Raises NotFound (near names), ModelRefused; `path` is the request's field."""
        places = {place.name: place for place in await offload(self._places, "lora")}
        if name not in places:
            near = difflib.get_close_matches(name, places, 3, 0.4) or sorted(places)[:3]
            raise NotFound(path=path, noun="LoRA", name=name, near=near)
        place = places[name]
        try:
            seen, adapter = await offload(self._look, place)
            assert isinstance(adapter, Adapter)
            sha256 = await self._hashes.of(place.path, seen, lambda: _hashed(place, seen))
        except ModelRefused as refused:
            refused.path = path
            raise
        return Lora(name=name, path=str(place.path), sha256=sha256, ships=place.ships, adapter=adapter)

    def _places(self, kind: ModelKind) -> list[_Place]:
        found: dict[str, _Place] = {}
        for root in self._roots:
            here: dict[str, _Place] = {}
            for path in _files(root / FOLDERS[kind]):
                # Where both are, the one that can be loaded.
                if path.stem not in here or path.suffix == WEIGHTS:
                    here[path.stem] = _Place(kind, path.stem, path, root == self._roots[0])
            found = {**here, **found}
        return [*found.values()]

    async def _info(self, place: _Place) -> ModelInfo:
        sha256 = reason = None
        file = _NOTHING
        try:
            seen, file = await offload(self._look, place)
            sha256 = await self._hashes.known(place.path, seen)
        except ModelRefused as problem:
            reason = f"{problem.detail['reason']}: {problem.detail['problem']}"
        return ModelInfo(
            name=place.name, kind=place.kind, family=file.family, path=str(place.path), bytes=file.bytes,
            licence=file.about.licence, source=file.about.source, sha256=sha256, last_used_at=None, is_default=False,
            state="ready" if reason is None else "refused", reason=reason,
        )  # fmt: skip

    def _look(self, place: _Place) -> tuple[str, Single]:
        if place.path.suffix.lower() in PICKLES:
            problem = f"{place.path.name} is a pickle, and only {WEIGHTS} files are read"
            raise ModelRefused("lora", name=place.name, reason="pickle", problem=problem)
        now = _mark(place)
        seen = self._seen.get(place.path)
        if seen is None or seen[0] != now:
            seen = self._seen[place.path] = (now, _LOOKS[place.kind](place.path, place.name))
        return seen


def _upscaler(file: Path, name: str) -> Single:
    """An upscaler is listed by what is said of it; a header that is none is refused all the same."""
    open_header(file, name)
    about = read_about(file, name)
    return Single(family=about.family or "other", bytes=file.stat().st_size, about=about)


_NOTHING: Final = Single(family="", bytes=0, about=About())
_LOOKS: Final[dict[ModelKind, Callable[[Path, str], Single]]] = {"lora": inspect, "upscaler": _upscaler}


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


def _mark(place: _Place) -> str:
    """Changes whenever the file does, or what is said of it beside."""
    try:
        mark = file_fingerprint(place.path)
        beside = place.path.with_suffix(".json")
        return mark + file_fingerprint(beside) if beside.exists() else mark
    except (OSError, ValueError) as problem:
        raise ModelRefused("lora", name=place.name, reason="header", problem=str(problem)) from problem


def _hashed(place: _Place, seen: str) -> str:
    """The hash of the file that was looked through, and of no other."""
    try:
        computed = file_sha256(place.path)
    except (OSError, ValueError) as problem:
        raise ModelRefused("lora", name=place.name, reason="header", problem=str(problem)) from problem
    if _mark(place) != seen:
        problem = "it changed while it was read"
        raise ModelRefused("lora", name=place.name, reason="header", problem=problem)
    return computed
