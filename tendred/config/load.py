"""The configuration, put together: defaults < site file < user file < environment < `-o`. Nothing is ever written."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from tendred.config import toml
from tendred.config.paths import config_dir
from tendred.config.schema import Config, Section
from tendred.config.toml import Entry
from tendred.errors import ConfigBroken

SITE_FILE: Final = Path("/etc/tendred/config.toml")
PREFIX: Final = "TENDRED_"

FIELDS: Final[dict[str, dict[str, Any]]] = {
    section.name: {field.name: field.type for field in msgspec.structs.fields(cast("type[Section]", section.type))}
    for section in msgspec.structs.fields(Config)
}
"""The type of every setting, by section and name."""


@dataclass(frozen=True)
class Loaded:
    """The settings, and for each dotted key where it comes from: `default`, a file and line, a variable, or `-o`."""

    config: Config
    origins: dict[str, str]


def load(
    overrides: Sequence[str] = (), env: Mapping[str, str] | None = None, files: Sequence[Path] | None = None
) -> Loaded:
    """Read everything. Raises ConfigBroken that names the place of the first thing that doesn't fit.

    `overrides` are `section.key=value`, with values as in TOML or bare words. `files` are read in order, the
    later ones win; missing ones are fine. With TENDRED_HOME the site's file counts for nothing.
    """
    env = os.environ if env is None else env
    if files is None:
        user = config_dir(env) / "config.toml"
        files = (user,) if env.get("TENDRED_HOME") else (SITE_FILE, user)
    merged = _Merged()
    for file in files:
        for entry in toml.read(file) or ():
            merged.add(entry)
    for entry, text in (*_environment(env), *_overrides(overrides)):
        merged.add(entry, text)
    return merged.finish()


class _Merged:
    """The values so far. Each is checked as it comes, so that what is wrong is told where it stands."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {section: {} for section in FIELDS}
        self._origins: dict[tuple[str, ...], str] = {}

    def add(self, entry: Entry, text: str | None = None) -> None:
        """Take one in. `text` is its bare text, if it was not written in a file."""
        path, value, where = entry
        if len(path) == 1 and path[0] in FIELDS:
            if value != {}:
                raise ConfigBroken(where=where, problem=f"{path[0]} is a section, so write [{path[0]}]")
            return
        kind = FIELDS.get(path[0], {}).get(path[1]) if len(path) > 1 else None
        if kind is None:
            raise ConfigBroken(where=where, problem=f"there is no setting {'.'.join(path)}{_near(path)}")
        if not _is_table(kind):
            if len(path) > 2:  # noqa: PLR2004 - a section and a key
                raise ConfigBroken(where=where, problem=f"{path[0]}.{path[1]} is no table")
            self._set(path, _fitting(value, text, kind, path, where), where)
        elif isinstance(value, dict) and value:
            for inner, leaf in toml.leaves(cast("dict[str, Any]", value), path):
                self.add(Entry(inner, leaf, where))
        elif value != {} or not self._has(path):  # an empty table takes nothing away from one that is there
            self._set(path, _fitting(value, text, kind, path, where), where)

    def _has(self, path: tuple[str, ...]) -> bool:
        return any(known[: len(path)] == path for known in self._origins)

    def _set(self, path: tuple[str, ...], value: Any, where: str) -> None:
        _put(self._values, path, value)
        self._origins[path] = where

    def finish(self) -> Loaded:
        origins = {(section, key): "default" for section, keys in FIELDS.items() for key in keys} | self._origins
        # A table's own line gives way to those of its keys.
        inner = {path[:size] for path in origins for size in range(len(path))}
        told = {".".join(path): where for path, where in sorted(origins.items()) if path not in inner}
        return Loaded(msgspec.convert(self._values, Config), told)


def _fitting(value: Any, text: str | None, kind: Any, path: tuple[str, ...], where: str) -> Any:
    """The value, or its bare text where only that fits (`-o paths.hot=2026` is a folder, not a number)."""
    whole = value
    for name in reversed(path[2:]):
        whole = {name: whole}
    try:
        msgspec.convert(whole, kind)
    except msgspec.ValidationError as problem:
        if text is not None and text != value:
            return _fitting(text, None, kind, path, where)
        words = str(problem).partition(" - at `$")[0]
        raise ConfigBroken(where=where, problem=f"{'.'.join(path)}: {words}") from problem
    return value


def _put(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    name, *rest = path
    if not rest:
        table[name] = value
        return
    if not isinstance(table.get(name), dict):
        table[name] = {}
    _put(table[name], rest, value)


def _is_table(kind: Any) -> bool:
    return isinstance(msgspec.inspect.type_info(_bare(kind)), msgspec.inspect.DictType)


def _bare(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind


def _environment(env: Mapping[str, str]) -> Iterator[tuple[Entry, str]]:
    """TENDRED_<SECTION>_<KEY>. A variable whose first word is no section is somebody else's business."""
    for name in sorted(env):
        section, found, key = name.removeprefix(PREFIX).lower().partition("_")
        if name.startswith(PREFIX) and found and section in FIELDS:
            yield Entry((section, key), toml.value_of(env[name]), name), env[name]


def _overrides(overrides: Sequence[str]) -> Iterator[tuple[Entry, str]]:
    for override in overrides:
        key, found, text = override.partition("=")
        if not found:
            raise ConfigBroken(where=f"-o {override}", problem="write it as section.key=value")
        yield Entry(tuple(part.strip() for part in key.split(".")), toml.value_of(text.strip()), "-o"), text.strip()


def _near(path: tuple[str, ...]) -> str:
    known = [f"{section}.{key}" for section, keys in FIELDS.items() for key in keys]
    same = [name for name in known if len(path) > 1 and name.partition(".")[2] == path[1]]
    near = difflib.get_close_matches(".".join(path[:2]), same or [*known, *FIELDS], n=3) or same[:3]
    return f"; near: {', '.join(near)}" if near else ""
