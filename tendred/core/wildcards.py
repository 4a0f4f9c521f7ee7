"""Wildcards: files of options, one a line, in a folder that a person may fill by hand."""

from __future__ import annotations

import difflib
import os
import re
import threading
from pathlib import Path
from typing import Final, NamedTuple

from tendred.backend import Fs
from tendred.core.template import DEPTH, NAME, Broken, Options, Template, names, option
from tendred.errors import InvalidParams, NotFound, TooLarge
from tendred.library.files import typed
from tendred.schema.prompt import OPTIONS, Wildcard, WildcardPage
from tendred.schema.weights import open_regular
from tendred.tasks import offload

ENDING: Final = ".txt"
FILE_BYTES: Final = 1024 * 1024
REACHED: Final = 64
"""Wildcards that one prompt may lead to."""
FILES: Final = 2_000
"""Files that are looked at for a list."""
_NAME: Final = re.compile(NAME)


class _Loaded(NamedTuple):
    """A wildcard as read. `lines` are its options as written, `leads_to` the wildcards that they name."""

    mark: tuple[int, int, int]
    lines: list[str]
    options: Options
    leads_to: list[str]


class Wildcards:
    """The folder. Files are read anew when they changed; a `#` begins a line that is no option."""

    def __init__(self, folder: Path, fs: Fs) -> None:
        self._folder = folder
        self._fs = fs
        self._read: dict[str, _Loaded] = {}
        # Held in the thread: one whose caller went away writes on.
        self._changing = threading.Lock()

    async def list(self) -> list[Wildcard]:
        """Every file, by name, those that can't be used with the reason."""
        return await offload(lambda: [self._told(name) for name in self._names()])

    async def show(self, name: str, limit: int, cursor: str | None) -> WildcardPage:
        """One, with its options from `cursor` on. Raises NotFound (near names), InvalidParams."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
            raise InvalidParams(path="cursor", problem="not a cursor of this daemon")

        def work() -> WildcardPage:
            loaded = self._load(name, "name")
            start = int(cursor or 0)
            end = start + limit
            following = str(end) if end < len(loaded.lines) else None
            return WildcardPage(wildcard=self._told(name), options=loaded.lines[start:end], next=following)

        return await offload(work)

    async def add(self, name: str, options: list[str], *, replace: bool) -> Wildcard:
        """Write one. Raises InvalidParams for what would never expand, and for a name that is taken unless `replace`."""
        lines = [_checked(number, line) for number, line in enumerate(options)]
        if _NAME.fullmatch(name) is None:
            problem = "a wildcard's name is made of small letters and digits, with a single -, _ or / between them"
            raise InvalidParams(path="name", problem=problem)

        def work() -> Wildcard:
            with self._changing:
                if self._file(name).exists() and not replace:
                    problem = f"there is a wildcard {name} already; say so to replace it"
                    raise InvalidParams(path="name", problem=problem)
                leads_to = _leads_to([template for _, template in lines])
                self._turning_back(name, leads_to)
                self._write(name, "".join(f"{text}\n" for text, _ in lines).encode())
                return self._told(name)

        return await offload(work)

    async def remove(self, name: str) -> None:
        """Remove the file. Raises NotFound (near names)."""

        def work() -> None:
            with self._changing, typed(self._folder):
                file = self._found(name, "name")
                self._fs.unlink(file)
                self._fs.sync_dir(file.parent)
                self._read.pop(name, None)

        await offload(work)

    async def reachable(self, templates: list[Template], path: str) -> dict[str, Options]:
        """Every wildcard that these lead to, whichever options are taken.

        Raises NotFound (near names), InvalidParams for one that can't be read or names itself, with the chain.
        """
        wanted = sorted(set[str]().union(*map(names, templates)))
        return await offload(self._gather, wanted, path) if wanted else {}

    # -- blocking

    def _gather(self, wanted: list[str], path: str) -> dict[str, Options]:
        found: dict[str, Options] = {}

        def visit(name: str, chain: tuple[str, ...]) -> None:
            if name in chain:
                raise _circle((*chain[chain.index(name) :], name), path)
            if name in found:
                return
            if len(chain) >= DEPTH or len(found) >= REACHED:
                problem = f"it leads to more than {REACHED} wildcards, or through more than {DEPTH} of them"
                raise InvalidParams("wording", path=path, problem=problem)
            loaded = self._load(name, path)
            for inner in loaded.leads_to:
                visit(inner, (*chain, name))
            found[name] = loaded.options

        for name in wanted:
            visit(name, ())
        return found

    def _turning_back(self, name: str, leads_to: list[str]) -> None:
        """Raises InvalidParams if one of these leads back to `name`. What isn't there yet leads nowhere."""

        def visit(inner: str, chain: tuple[str, ...]) -> None:
            if inner == name or inner in chain:
                raise _circle((*chain, inner), "options")
            if len(chain) > DEPTH:
                raise InvalidParams("wording", path="options", problem=f"they lead through more than {DEPTH} wildcards")
            try:
                further = self._load(inner, "options").leads_to
            except (NotFound, InvalidParams):
                return
            if inner not in safe:
                for one in further:
                    visit(one, (*chain, inner))
                safe.add(inner)

        safe: set[str] = set()
        for inner in leads_to:
            visit(inner, (name,))

    def _load(self, name: str, path: str) -> _Loaded:
        file = self._found(name, path)
        try:
            seen = file.stat()
            mark = seen.st_size, seen.st_mtime_ns, seen.st_ino
            known = self._read.get(name)
            if known is None or known.mark != mark:
                known = self._read[name] = _Loaded(mark, *_options(_text(file)))
        except (OSError, ValueError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else str(problem)
            raise InvalidParams("wildcard", path=path, name=name, problem=reason) from problem
        return known

    def _found(self, name: str, path: str) -> Path:
        file = self._file(name)
        if _NAME.fullmatch(name) is None or not file.is_file():
            known = self._names()
            near = difflib.get_close_matches(name, known, 3, 0.5) or known[:3]
            raise NotFound("wildcard", path=path, noun="wildcard", name=name, near=near)
        return file

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{ENDING}"

    def _names(self) -> list[str]:
        found: list[str] = []
        for folder, inner, files in os.walk(self._folder):
            # What can't be printed is no wildcard's name, and maybe none that JSON can hold.
            inner[:] = sorted(one for one in inner if not one.startswith(".") and one.isprintable())
            below = Path(folder).relative_to(self._folder)
            found += [
                (below / file).as_posix().removesuffix(ENDING)
                for file in sorted(files)
                if file.endswith(ENDING) and not file.startswith(".") and file.isprintable()
            ]
            if len(found) >= FILES:
                break
        return sorted(found[:FILES])

    def _told(self, name: str) -> Wildcard:
        file = self._file(name)
        lines, reason = 0, None
        if _NAME.fullmatch(name) is None:
            reason = "its name must be made of small letters and digits, with a single -, _ or / between them"
        else:
            try:
                lines = len(self._load(name, "name").lines)
                self._gather([name], "name")
            except (InvalidParams, NotFound) as problem:
                reason = str(problem.detail.get("problem") or problem)
        try:
            size = file.stat().st_size
        except OSError:
            size = 0
        state = "ready" if reason is None else "refused"
        return Wildcard(name=name, path=str(file), options=lines, bytes=size, state=state, reason=reason)

    def _write(self, name: str, data: bytes) -> None:
        if len(data) > FILE_BYTES:
            raise TooLarge(path="options", size_bytes=len(data), limit_bytes=FILE_BYTES)
        file = self._file(name)
        part = file.with_name(f".{file.name}.part")
        with typed(self._folder):
            self._fs.mkdir(file.parent)
            self._fs.write(part, data)
            self._fs.sync(part)
            self._fs.rename(part, file)
            self._fs.sync_dir(file.parent)


def _circle(chain: tuple[str, ...], path: str) -> InvalidParams:
    told = " -> ".join(chain)
    return InvalidParams("wildcard_cycle", path=path, chain=list(chain), problem=f"it names itself: {told}", told=told)


def _text(file: Path) -> str:
    with open_regular(file) as data:
        read = data.read(FILE_BYTES + 1)
    if len(read) > FILE_BYTES:
        raise ValueError(f"it is larger than {FILE_BYTES} bytes")
    try:
        text = read.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"it is not text in UTF-8 (byte {problem.start})") from None
    if "\0" in text:
        raise ValueError("it holds a zero byte")
    return text


def _options(text: str) -> tuple[list[str], Options, list[str]]:
    """Raises ValueError with the line that is wrong."""
    lines: list[str] = []
    weights: list[int] = []
    texts: list[Template] = []
    # Not splitlines: that breaks at characters which are ordinary ones in a prompt.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        try:
            weight, template = option(bare)
        except Broken as broken:
            raise ValueError(f"line {number}: {broken.problem}") from None
        lines.append(bare)
        weights.append(weight)
        texts.append(template)
        if len(lines) > OPTIONS:
            raise ValueError(f"it has more than {OPTIONS} options")
    if not any(weights):
        raise ValueError("no option of it can be taken")
    return lines, Options(tuple(weights), tuple(texts)), _leads_to(texts)


def _leads_to(texts: list[Template]) -> list[str]:
    return sorted(set[str]().union(*map(names, texts)))


def _checked(number: int, line: str) -> tuple[str, Template]:
    """An option as it is written into the file. Raises InvalidParams."""
    path, bare = f"options[{number}]", line.strip()
    if not bare:
        raise InvalidParams(path=path, problem="it is empty; write {} for an option that says nothing")
    if bare.startswith("#") or "\0" in bare or re.search(r"[\r\n]", bare):
        raise InvalidParams(path=path, problem="an option is one line, and doesn't begin with #")
    try:
        return bare, option(bare)[1]
    except Broken as broken:
        raise InvalidParams(path=path, problem=broken.problem) from None
