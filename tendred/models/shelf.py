"""Single files by name: LoRAs, upscalers, autoencoders, ControlNets; in the package and in the user's models folder.

`<root>/loras/<name>.safetensors`, with what is known of it in `<name>.json` beside. Autoencoders and ControlNets may
be folders too. The first root's name counts: nothing of a user's takes the place of what ships.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tendred.errors import ModelRefused, NotFound
from tendred.models.hashes import Hashes
from tendred.models.lora import About, Adapter, Single, inspect, open_header, read_about
from tendred.models.parts import CONFIG, inspect_part
from tendred.schema.base import Record
from tendred.schema.compact import compact
from tendred.schema.model import ModelInfo, ModelKind
from tendred.schema.weights import PICKLES, any_fingerprint, any_sha256, file_fingerprint
from tendred.store.database import Database
from tendred.tasks import offload

PACKAGED: Final = Path(__file__).parent
FOLDERS: Final[dict[ModelKind, str]] = {
    "lora": "loras", "upscaler": "upscalers", "vae": "vaes", "controlnet": "controlnets",
}  # fmt: skip
_NOUNS: Final[dict[ModelKind, str]] = {"upscaler": "upscaler", "vae": "autoencoder", "controlnet": "ControlNet"}
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


class Part(Record, frozen=True):
    """An upscaler, autoencoder or ControlNet ready to be used; `path` is a file or a folder."""

    name: str
    path: str
    sha256: str
    ships: bool


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

    async def part(self, kind: ModelKind, name: str, path: str | None = None) -> Part:
        """One upscaler, autoencoder or ControlNet, checked and hashed. Raises NotFound (near names), ModelRefused."""
        places = {place.name: place for place in await offload(self._places, kind)}
        if name not in places:
            near = difflib.get_close_matches(name, places, 3, 0.4) or sorted(places)[:3]
            raise NotFound(path=path, noun=_NOUNS[kind], name=name, near=near)
        place = places[name]
        try:
            seen, _ = await offload(self._look, place)
            sha256 = await self._hashes.of(place.path, seen, lambda: _hashed(place, seen))
        except ModelRefused as refused:
            refused.path = path
            raise
        return Part(name=name, path=str(place.path), sha256=sha256, ships=place.ships)

    def ships(self, path: str) -> bool:
        """Whether a file came with the package."""
        return Path(path).is_relative_to(self._roots[0])

    def _places(self, kind: ModelKind) -> list[_Place]:
        found: dict[str, _Place] = {}
        for root in self._roots:
            here: dict[str, _Place] = {}
            ships = root == self._roots[0]
            if kind in {"vae", "controlnet"}:
                here = {path.name: _Place(kind, path.name, path, ships) for path in _folders(root / FOLDERS[kind])}
            for path in _files(root / FOLDERS[kind]):
                # Where both are, the one that can be loaded.
                if path.stem not in here or path.suffix == WEIGHTS:
                    here[path.stem] = _Place(kind, path.stem, path, ships)
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
    """An upscaler's family is its architecture: told by its tensors, or else by what is said of it."""
    tensors = open_header(file, name).tensors
    about = read_about(file, name)
    family = "compact" if compact({key: tensor.shape for key, tensor in tensors.items()}) else about.family or "other"
    return Single(family=family, bytes=file.stat().st_size, about=about)


_NOTHING: Final = Single(family="", bytes=0, about=About())
_LOOKS: Final[dict[ModelKind, Callable[[Path, str], Single]]] = {
    "lora": inspect,
    "upscaler": _upscaler,
    "vae": partial(inspect_part, "vae"),
    "controlnet": partial(inspect_part, "controlnet"),
}


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


def _folders(folder: Path) -> list[Path]:
    try:
        found = sorted(entry for entry in folder.iterdir() if (entry / CONFIG).is_file())
    except OSError:
        return []
    return [entry for entry in found if not entry.name.startswith(".") and entry.name.isprintable()]


def _mark(place: _Place) -> str:
    """Changes whenever the file does, or what is said of it beside."""
    try:
        mark = any_fingerprint(place.path)
        beside = place.path.with_suffix(".json")
        return mark + file_fingerprint(beside) if beside.exists() else mark
    except (OSError, ValueError) as problem:
        raise ModelRefused("lora", name=place.name, reason="header", problem=str(problem)) from problem


def _hashed(place: _Place, seen: str) -> str:
    """The hash of the file that was looked through, and of no other."""
    try:
        computed = any_sha256(place.path)
    except (OSError, ValueError) as problem:
        raise ModelRefused("lora", name=place.name, reason="header", problem=str(problem)) from problem
    if _mark(place) != seen:
        problem = "it changed while it was read"
        raise ModelRefused("lora", name=place.name, reason="header", problem=problem)
    return computed
