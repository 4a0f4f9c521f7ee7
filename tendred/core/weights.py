r"""Weights in a prompt: which words count how much. Pure; the worker is handed spans and parses nothing.

    (word)          1.1 times as much; once more for each pair around it
    (word:1.3)      1.3 times as much
    [word]          1.1 times less
    \( \) \[ \] \:  the characters themselves, as are \{ \} \| \_ \@ and \\

That is the writing of AUTOMATIC1111's web UI (modules/prompt_parser.py, `parse_prompt_attention`), which other tools
took over, but for this: a bracket that is never closed, a number that is no weight and its `[from:to:when]` are told as
mistakes, where it takes them in some other way without a word. A closing bracket by itself, `:)`, is an ordinary character.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from tendred.core.trail import Edit, Edits
from tendred.errors import InvalidParams
from tendred.schema.sealed import MOST_WEIGHT, Span

DEPTH: Final = 32
SPANS: Final = 256
"""Differently weighted pieces of a prompt at most."""
STEP: Final = 1.1

_TOKEN: Final = re.compile(
    r"\\(?P<kept>[\\()\[\]{}|:_@])"
    r"|(?P<weight>:\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?|nan)\s*(?P<end>[)\]]))"
    r"|[()\[\]]",
    re.IGNORECASE,
)
_PLACES: Final = 4


class Weighed(NamedTuple):
    """A prompt without its brackets, its spans (they join to `text`), and the way back to what was written."""

    text: str
    spans: list[Span]
    edits: Edits

    @property
    def plain(self) -> bool:
        """Whether all words count alike."""
        return all(span.weight == 1.0 for span in self.spans)


class _Open(NamedTuple):
    """A bracket that waits for its partner: which, where, and how many pieces stood before it."""

    kind: str
    at: int
    pieces: int


class _Reader:
    """Reads a prompt once, from left to right."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._pieces: list[tuple[str, float]] = []
        self._edits: list[Edit] = []
        self._open: list[_Open] = []

    def read(self) -> Weighed:
        at = 0
        for found in _TOKEN.finditer(self._text):
            start, end = found.span()
            if start > at:
                self._pieces.append((self._text[at:start], 1.0))
                at = start
            if found["kept"]:
                self._edits.append(Edit(start, start + 1, 0))
                self._pieces.append((found["kept"], 1.0))
            elif not self._bracket(found):
                continue
            at = end
        if at < len(self._text):
            self._pieces.append((self._text[at:], 1.0))
        if self._open:
            one = self._open[-1]
            raise self._wrong(
                f"the {one.kind} at character {one.at + 1} is never closed; write \\{one.kind} for a bracket that is meant"
            )
        return Weighed("".join(text for text, _ in self._pieces), self._spans(), tuple(self._edits))

    def _bracket(self, found: re.Match[str]) -> bool:
        """Whether it was read as one; else it is an ordinary character, or several."""
        token, start = found[0], found.start()
        if token in {"(", "["}:
            if len(self._open) >= DEPTH:
                raise self._wrong(f"brackets are nested deeper than {DEPTH} levels")
            self._open.append(_Open(token, start, len(self._pieces)))
        else:
            closes = {")": "(", "]": "["}[found["end"] or token]
            if not self._open or self._open[-1].kind != closes:
                return False
            self._close(self._factor(found, closes))
        self._edits.append(Edit(start, found.end(), 0))
        return True

    def _factor(self, found: re.Match[str], kind: str) -> float:
        number = found["number"]
        if number is None:
            return STEP if kind == "(" else 1 / STEP
        if kind == "[":
            raise self._wrong(f"words can't change between steps ({found[0]}); a weight goes into round brackets")
        factor = float(number)
        if not (math.isfinite(factor) and 0 <= factor <= MOST_WEIGHT):
            problem = (
                f"{number} is no weight: it must be from 0 to {MOST_WEIGHT:g}; write \\: for a colon that is meant"
            )
            raise self._wrong(problem)
        return factor

    def _close(self, factor: float) -> None:
        first = self._open.pop().pieces
        for number in range(first, len(self._pieces)):
            text, weight = self._pieces[number]
            self._pieces[number] = text, weight * factor
            if weight * factor > MOST_WEIGHT:
                raise self._wrong(
                    f"{weight * factor:g} is no weight: brackets together make it more than {MOST_WEIGHT:g}"
                )

    def _spans(self) -> list[Span]:
        """Neighbours of one weight become one: a word is cut only where somebody weighed half of it."""
        spans: list[tuple[list[str], float]] = []
        for text, exact in self._pieces:
            weight = round(exact, _PLACES)
            if spans and spans[-1][1] == weight:
                spans[-1][0].append(text)
            else:
                spans.append(([text], weight))
        if len(spans) > SPANS:
            raise self._wrong(f"it has {len(spans)} differently weighted pieces; at most {SPANS} are taken")
        return [Span(text="".join(texts), weight=weight) for texts, weight in spans] or [Span(text="")]

    def _wrong(self, problem: str) -> InvalidParams:
        return InvalidParams("wording", path=self._path, problem=problem)


def weigh(text: str, path: str) -> Weighed:
    """A final prompt, read. Linear in the text. Raises InvalidParams for `path`."""
    return _Reader(text, path).read()
