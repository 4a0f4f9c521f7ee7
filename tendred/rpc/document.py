"""Bytes to a JSON document, with everything refused that two parsers could read in two ways."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from tendred.errors import ParseError
from tendred.schema.still import MAX_INT
from tendred.schema.system import DEPTH

"""Levels of nesting at most."""
_DIGITS: Final = 16
"""MAX_INT has so many digits; int() of a longer text costs time, and of 4 300 digits an exception."""

Document = dict[str, Any] | list[Any] | str | int | float | bool | None

# A string that never ends is swallowed whole, so that each byte is looked at once.
_TOKENS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(raw: bytes) -> Document:
    """The document in `raw`. Raises ParseError."""
    check_depth(raw)
    try:
        document: Document = _DECODER.decode(raw.decode("utf-8"))
        if _SURROGATE.search(raw):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(problem=f"it is not UTF-8 (byte {error.start})") from None
    except UnicodeEncodeError:
        raise ParseError(problem="it holds half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ParseError(problem=f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    return document


def check_depth(raw: bytes) -> None:
    """Count brackets before any parser recurses. Raises ParseError past DEPTH levels."""
    depth = 0
    for token in _TOKENS.finditer(raw):
        start = token[0][:1]
        if start in b"[{":
            depth += 1
            if depth > DEPTH:
                raise ParseError(problem=f"it is nested more than {DEPTH} levels deep")
        elif start != b'"':
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ParseError(problem=f"the key {twice[:100]!r} is there twice")
    return made


def _int(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS or abs(number := int(text)) > MAX_INT:
        raise ParseError(problem="a whole number is beyond 2^53-1")
    return number


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ParseError(problem="a number is too large")
    return number


def _constant(text: str) -> NoReturn:
    raise ParseError(problem=f"{text} is not JSON")


# Strict (the default): no control characters in strings.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
)
