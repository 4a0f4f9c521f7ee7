"""Fields of a still as they are typed: `steps=30`, `loras=ink:0.6+paper`, `seed=1..4`."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from typing import Any, Final

TEXT: Final = frozenset(
    {"prompt", "negative_prompt", "model", "scheduler", "character", "preset", "format", "lane"}
)  # fmt: skip
DEFAULT: Final = "default"
"""Stands for null: the model's own value."""
RANGE: Final = 1_000
_RANGE: Final = re.compile(r"(\d{1,15})\.\.(\d{1,15})")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_AXIS: Final = re.compile(r"(?P<field>\w+)(?::(?P<replace>[^=]+))?=(?P<values>.*)", re.DOTALL)


def field(text: str) -> tuple[str, Any]:
    """`FIELD=VALUE`."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return name, value_of(name, value)


def axis(text: str) -> dict[str, Any]:
    """`FIELD=VALUE,VALUE,...`, with `|` between values that hold commas; `FIELD:WORDS=...` replaces the words."""
    found = _AXIS.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not FIELD=VALUE,VALUE,...")
    name, listed = found["field"], found["values"]
    parts = listed.split("|" if "|" in listed else ",")
    values = [value for part in parts for value in _values(name, part.strip())]
    return {"field": name, "values": values, **({"replace": found["replace"]} if found["replace"] else {})}


def value_of(name: str, text: str) -> Any:
    """A value as its field takes it; one that doesn't fit is for the daemon to refuse by name."""
    if text == DEFAULT:
        return None
    if name == "tags":
        return [tag for tag in text.split(",") if tag]
    if name == "loras":
        return [] if text in {"", "none"} else [lora(part) for part in text.split("+")]
    if name in TEXT or _NUMBER.fullmatch(text) is None:
        return text
    if re.fullmatch(r"[+-]?\d{1,17}", text):
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else text


def lora(text: str) -> dict[str, Any]:
    """`NAME` or `NAME:WEIGHT`."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return {"name": text, "weight": 1.0}
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{weight!r} is no weight")
    return {"name": name, "weight": value}


def _values(name: str, text: str) -> list[Any]:
    if name not in TEXT and (found := _RANGE.fullmatch(text)):
        first, last = int(found[1]), int(found[2])
        if not first <= last < first + RANGE:
            raise ArgumentTypeError(f"{text!r} is no range of at most {RANGE} values")
        return [*range(first, last + 1)]
    return [value_of(name, text)]
