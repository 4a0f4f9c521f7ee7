"""TOML with places: which line says what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from tendred.errors import ConfigBroken

FILE_BYTES: Final = 256 * 1024
_AT_LINE: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


class Entry(NamedTuple):
    """One key and where it stands: a file and line, a variable, or `-o`."""

    path: tuple[str, ...]
    value: Any
    where: str


def read(file: Path) -> list[Entry] | None:
    """Every key of a file; None if there is no such file. Raises ConfigBroken with the file and line."""
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigBroken(where=str(file), problem=problem.strerror) from problem
    if len(data) > FILE_BYTES:
        raise ConfigBroken(where=str(file), problem=f"it is over {FILE_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ConfigBroken(where=f"{file}:{line}", problem="it is not text in UTF-8") from problem
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = _AT_LINE.search(str(problem))
        line = found[1] if found and found[1] else str(max(1, len(text.splitlines())))
        raise ConfigBroken(where=f"{file}:{line}", problem=_AT_LINE.sub("", str(problem))) from problem
    except RecursionError as problem:
        raise ConfigBroken(where=str(file), problem="it is nested too deeply") from problem
    return [Entry(path, value, f"{file}:{line}") for path, value, line in _statements(text)]


def value_of(text: str) -> Any:
    """A value as it is written in TOML; what is no TOML value is a bare word, taken as it stands."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a table with its path; an empty table is a value."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            yield (*path, key), value


def _statements(text: str) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    """Each key with its line: lines are gathered until they parse, each under the table header it stands below.

    The text is known to parse as a whole. A table header yields an empty table.
    """
    header, gathered, start = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not gathered:
            start = number
            if line.lstrip().startswith("["):
                header = f"{line}\n"
                for path, value in leaves(tomllib.loads(header)):
                    yield path, value, number
                continue
            if not line.strip() or line.lstrip().startswith("#"):
                continue
        gathered += f"{line}\n"
        try:
            found = tomllib.loads(header + gathered)
        except tomllib.TOMLDecodeError:
            continue
        for path, value in leaves(found):
            yield path, value, start
        gathered = ""
