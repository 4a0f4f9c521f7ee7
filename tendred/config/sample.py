"""A configuration file with every setting, its meaning and its default, all of them commented out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from tendred.config.schema import Config

_HEAD: Final = """\
# Settings of tendred. Everything here is a default; take the # off a line to change it.
# The daemon reads this file at its start and never writes it. A variable TENDRED_SECTION_KEY or
# -o section.key=value counts for more. `tendre config show --origin` tells what is in force, and why.
"""


@dataclass(frozen=True)
class Setting:
    """One setting in words. `default` is written as in TOML; `limits` is empty where its type says enough."""

    section: str
    key: str
    default: str
    meaning: str
    limits: str


def sections() -> Iterator[tuple[str, str, list[Setting]]]:
    """Every section in order: its name, what it is about, its settings."""
    for section in _fields(Config):
        kind = section.type
        assert isinstance(kind, inspect.StructType)
        settings = [_setting(section.encode_name, field) for field in _fields(kind.cls)]
        yield section.encode_name, (kind.cls.__doc__ or "").strip(), settings


def sample() -> str:
    """The text. Lines that begin with `#` and no space are the settings; without that `#` it parses to the defaults."""
    parts = [_HEAD]
    for name, about, settings in sections():
        parts.append(f"\n# {about}\n[{name}]\n")
        for setting in settings:
            notes = " ".join(note for note in (setting.meaning, setting.limits) if note)
            parts.append(f"\n# {notes}\n#{setting.key} = {setting.default}\n")
    return "".join(parts)


def _fields(struct: Any) -> tuple[inspect.Field, ...]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return kind.fields


def _setting(section: str, field: inspect.Field) -> Setting:
    kind, words = field.type, ""
    if isinstance(kind, inspect.Metadata):
        schema = cast("dict[str, Any]", kind.extra_json_schema or {})
        words, kind = str(schema.get("description", "")), kind.type
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return Setting(section, field.encode_name, _toml(default), words, _limits(kind))


def _limits(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return f"One of: {', '.join(_toml(value) for value in kind.values)}."
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return ""
    low = f"at least {kind.ge:g}" if kind.ge is not None else f"over {kind.gt:g}" if kind.gt is not None else ""
    high = f"at most {kind.le}" if kind.le is not None else ""
    limits = ", ".join(limit for limit in (low, high) if limit)
    return f"{limits[0].upper()}{limits[1:]}." if limits else ""


def _toml(value: Any) -> str:
    """A default as TOML; JSON's strings, numbers, true, false and lists are TOML's too."""
    if isinstance(value, dict) and not value:
        return "{}"
    assert isinstance(value, str | int | float | list), "give this type a form in TOML before using it as a default"
    return json.dumps(value, ensure_ascii=False)
