"""What is on the disk already: each candidate looked at by its header, and those that are the same told apart."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from tendred.errors import ModelRefused
from tendred.models import lora
from tendred.models.folder import inspect as inspect_folder
from tendred.models.header import Header, read_header
from tendred.models.hub import cache_of, licence_of, repository_of, strays
from tendred.models.recognise import Seen, recognise
from tendred.models.singles import spec_of
from tendred.models.walk import WEIGHTS, Candidate
from tendred.schema.cache import Found
from tendred.schema.weights import Entry, open_regular, read_by_loaders

_WINDOW: Final = 64 * 1024
_PIECE: Final = 4 * 1024 * 1024
_COMMON: Final = re.compile(
    r"(?:diffusion_pytorch_model|model|pytorch_lora_weights|adapter_model|learned_embeds)(?:\..*)?"
)
"""File names that every repository uses; the folder's says more."""


class Known(NamedTuple):
    """Something of the catalogue: its name, and the path of its file or folder."""

    name: str
    path: Path
    bytes: int


def examine(candidate: Candidate) -> Found:
    """What one of them is. Never raises."""
    path = candidate.path
    name = candidate.spot.names.get(str(path)) or _name(path, is_folder=candidate.is_folder)
    found = Found(
        path=str(path), name=name[:128], kind=None, family="", detail=None, bytes=0, licence=None,
        source=repository_of(path), tool=candidate.spot.tool, state="new", reason=None, same_as=None,
    )  # fmt: skip
    if candidate.is_folder:
        found = replace(found, kind="model", licence=licence_of(path))
    try:
        return _folder(found, path) if candidate.is_folder else _file(found, path)
    except ModelRefused as problem:
        return replace(found, state="refused", reason=str(problem.detail["problem"]))
    except (OSError, ValueError) as problem:
        return replace(found, state="refused", reason=str(problem))


def _folder(found: Found, path: Path) -> Found:
    known = inspect_folder(path, found.name)
    return replace(found, family=known.family, bytes=known.bytes, licence=known.licence, source=known.source)


def _file(found: Found, path: Path) -> Found:
    found = replace(found, bytes=path.stat().st_size)
    if path.suffix.lower() != WEIGHTS:
        what = "it is a GGUF file" if path.suffix.lower() == ".gguf" else "it is a pickle, which could run code"
        return replace(found, state="refused", reason=f"{what}; only {WEIGHTS} files are read")
    if (cache := cache_of(path)) is not None and strays(path.parent, [Entry(path.name, path, path.stat())]) is not None:
        return replace(found, state="refused", reason=f"it is a link out of the cache {cache.parent}")
    header = read_header(path, found.name)
    seen = recognise(header)
    if seen is None:
        return replace(found, state="refused", reason="its tensors are those of nothing that is known here")
    licence = spec_of(header.metadata).get("license") or (licence_of(path.parent) if cache is not None else None)
    found = replace(found, kind=seen.kind, family=seen.family, detail=seen.detail, licence=licence)
    return _judged(found, path, header, seen)


def _judged(found: Found, path: Path, header: Header, seen: Seen) -> Found:
    if seen.refusal is not None:
        return replace(found, state="refused", reason=seen.refusal)
    if seen.kind == "lora":
        return replace(found, family=lora.told(path, found.name, header).family)
    return found


def _name(path: Path, *, is_folder: bool) -> str:
    """What to call it: as the repository is called where the file's own name says nothing."""
    repository = (repository_of(path) or "").rpartition("/")[2]
    if is_folder:
        return repository or path.name
    if _COMMON.fullmatch(path.stem):
        return repository or path.parent.name
    return path.stem


def duplicates(found: list[Found], known: list[Known]) -> Iterator[list[Found] | None]:
    """The same list, told which of it is there already, or twice: the same bytes, however many they are.

    What has another size, or other samples, is read no further. Blocking. None now and then; the list comes last.
    """
    marks = _Marks()
    sizes: dict[int, list[tuple[str, Path, bool]]] = {}
    for entry in known:
        sizes.setdefault(entry.bytes, []).append((entry.name, entry.path, True))
    told: list[Found] = []
    for one in found:
        path = Path(one.path)
        if one.state == "refused" or _heaviest(path) is None:
            told.append(one)
            continue
        others = sizes.setdefault(one.bytes, [])
        twin = None
        for other in others:
            if marks.same(other[1], path) and (yield from _equal(other[1], path)):
                twin = other
                break
        if twin is None:
            others.append((one.path, path, False))
            told.append(one)
        else:
            told.append(replace(one, state="known" if twin[2] else "duplicate", same_as=twin[0]))
        yield None
    yield told


def known_folder(name: str, path: Path, size: int) -> Known | None:
    """A folder of the catalogue, for comparing. Blocking."""
    return None if _heaviest(path) is None else Known(name, path, size)


def _heaviest(path: Path) -> Path | None:
    try:
        return next(iter(_files(path)), None)
    except (OSError, ValueError):
        return None


def _files(path: Path) -> list[Path]:
    """A file, or those of a folder, the largest first."""
    if path.is_file():
        return [path]
    return [entry.path for entry in sorted(read_by_loaders(path), key=lambda entry: (-entry.stat.st_size, entry.name))]


def _equal(one: Path, other: Path) -> Generator[None, None, bool]:
    """Whether two files or folders hold the same bytes. None after each piece.

    Samples don't tell: a finetune may differ in one layer, and whoever is told that it is known never gets it.
    """
    try:
        for mine, theirs in zip(_files(one), _files(other), strict=True):
            if os.path.samefile(mine, theirs):
                continue
            with open_regular(mine) as first, open_regular(theirs) as second:
                piece = b"."
                while piece:
                    piece = first.read(_PIECE)
                    if piece != second.read(_PIECE):
                        return False
                    yield None
    except (OSError, ValueError):
        return False
    return True


class _Marks:
    """Samples of files, taken once: from the start of the values, the middle and the end."""

    def __init__(self) -> None:
        self._samples: dict[Path, str] = {}

    def same(self, one: Path, other: Path) -> bool:
        """Whether the samples of their largest files are."""
        try:
            return self._sample(_files(one)[0]) == self._sample(_files(other)[0])
        except (OSError, ValueError):
            return False

    def _sample(self, path: Path) -> str:
        if path not in self._samples:
            self._samples[path] = _sampled(path)
        return self._samples[path]


def _sampled(path: Path) -> str:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        mark = hashlib.sha256(str(size).encode())
        start = 8 + min(size, int.from_bytes(file.read(8), "little"))
        for at in (0, start, (start + size) // 2, size - _WINDOW):
            file.seek(max(0, min(at, size)))
            mark.update(file.read(_WINDOW))
    return mark.hexdigest()
