"""TOML within bounds: `tomllib` takes memory and time with the square of what a small hostile file holds."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from tendred.hotfolder.plain_json import DEPTH, Broken

DOTS: Final = 8
"""How many dots a key may have. A request needs none."""

SIGNS: Final = 20_000
"""How many keys, tables, and items of lists a file may have, roughly. A request needs some dozens."""

_LINE: Final = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)

# Texts and comments first, so that signs in them don't count. What is unterminated runs to its end.
_TOKEN: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\\?\Z)' r"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*+"?' r"|'[^'\n]*+'?" r"|#[^\n]*+|[\n,={}\[\].]",
    re.DOTALL,
)  # fmt: skip


def load(text: str) -> dict[str, Any]:
    """The document. Raises Broken."""
    _check(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = _LINE.match(str(error))
        what = told["what"] if told else str(error)
        line = int(told["line"]) if told and told["line"] else text.count("\n") + 1
        raise Broken(line, what[:1].lower() + what[1:]) from None
    except RecursionError:
        raise Broken(0, "it is nested too deeply") from None
    except ValueError:
        raise Broken(0, "a number in it has too many digits") from None


def _check(text: str) -> None:
    """Look at what would be expensive before `tomllib` does."""
    dots = depth = signs = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == ".":
            dots += 1
            if dots > DOTS:
                raise Broken(_line(text, token), f"a key in it has more than {DOTS} dots")
        elif sign in "\n,={}[]":
            dots = 0
            if sign != "\n":
                signs += 1
            depth += (sign in "{[") - (sign in "}]")
            if depth > DEPTH:
                raise Broken(_line(text, token), f"it is nested deeper than {DEPTH} levels")
            if signs > SIGNS:
                raise Broken(_line(text, token), f"it holds too much: more than {SIGNS} keys and values")


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1
