"""JSON read strictly: no duplicate keys, no NaN, bounded depth, every mistake with its line."""

from __future__ import annotations

import json
import re
from typing import Any, Final

DEPTH: Final = 16
"""How deep a prompt file may nest. A request needs four levels."""

TOKENS: Final = 100_000
"""How many brackets, colons and commas a file may have: a thousand rows with every field have half of them."""

# An unterminated text runs to the end, so that each character is looked at once.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+\\?"?|[{}\[\]:,]|-?Infinity|NaN', re.DOTALL)


class Broken(Exception):  # noqa: N818 - it is caught two lines up, and says where the text is broken
    """What is wrong with a text, and in which line (from 1); 0 where no line can be told."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


def load(text: str) -> Any:
    """The document. Raises Broken."""
    _bound(text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Broken(error.lineno, error.msg[:1].lower() + error.msg[1:]) from None
    except RecursionError:
        _check(text)
        raise Broken(0, "it is nested too deeply") from None
    except ValueError:
        raise Broken(0, "a number in it has too many digits") from None
    _check(text)
    return value


def _bound(text: str) -> None:
    """Refuse what would take much memory before it is read."""
    depth = tokens = 0
    for token in _TOKEN.finditer(text):
        if token[0][0] == '"':
            continue
        tokens += 1
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > DEPTH:
            raise Broken(_line(text, token), f"it is nested deeper than {DEPTH} levels")
        if tokens > TOKENS:
            raise Broken(_line(text, token), "it holds too many fields and values")


def _check(text: str) -> None:
    """Look for what `json` lets pass."""
    keys: list[set[str] | None] = []
    before: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            keys.append(set() if sign == "{" else None)
            if len(keys) > DEPTH:
                raise Broken(_line(text, token), f"it is nested deeper than {DEPTH} levels")
        elif sign in "}]":
            keys.pop()
        elif sign == ":" and before is not None and keys and (seen := keys[-1]) is not None:
            key = str(json.loads(before[0]))
            if key in seen:
                raise Broken(_line(text, before), f"the field {key[:100]} stands twice")
            seen.add(key)
        elif sign.endswith(("NaN", "Infinity")):
            raise Broken(_line(text, token), f"{sign} is no number")
        before = token


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1
