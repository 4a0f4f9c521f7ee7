"""The semantic layer: a linear head over hashed letters and words, trained by packaging/boundary/train_head.py.

It may only add refusals. Long texts are read in windows, so that nothing is drowned in words that say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

from tendred.boundary.data import Head
from tendred.boundary.native import words
from tendred.boundary.normalise import View
from tendred.boundary.phrases import Token

SLOTS: Final = 1 << 17
WINDOW: Final = 10
STEP: Final = 5
_SIZES: Final = (3, 4, 5)
_SOLID: Final = (1, 2, 3)
_FIRST_SOLID: Final = "\u0e00"
_MOST_WINDOWS: Final = 64
_LEAST: Final = 12
"""Letters that words need to sound like anything together: "one" and "the first" are for the rules."""
_LEAST_WORDS: Final = 4
"""A name of a file or a tag sounds like anything too."""
_WORTH: Final = 3
"""How many letters a sign is worth in scripts without spaces."""
_YEAR_DIGITS: Final = 4


class Semantic:
    """Says how much a text sounds like one about a minor."""

    def __init__(self, head: Head) -> None:
        """Raises ValueError where the head isn't one for these features."""
        if len(head.weights) != SLOTS:
            raise ValueError("the trained head has another size")
        self._weights = memoryview(head.weights).cast("b")
        self._head = head

    def find(self, view: View) -> tuple[int, int] | None:
        """Where the window stands that is above the threshold, None if none is."""
        found = words(view.text)
        for first in range(0, max(1, min(len(found), STEP * _MOST_WINDOWS) - WINDOW + STEP), STEP):
            part = found[first : first + WINDOW]
            if _enough(part) and self.score([token.text for token in part]) >= self._head.threshold:
                return part[0].start, part[-1].end
        return None

    def score(self, texts: Sequence[str]) -> float:
        """The score of a window's words."""
        slots = set(features(texts))
        total = sum(self._weights[slot] for slot in slots)
        return self._head.bias + self._head.scale * total / math.sqrt(len(slots) or 1)


def _enough(part: Sequence[Token]) -> bool:
    solid = [one.text[0] >= _FIRST_SOLID for one in part]
    letters = sum(len(one.text) * (_WORTH if alone else 1) for one, alone in zip(part, solid, strict=True))
    return letters >= _LEAST and (any(solid) or len(part) >= _LEAST_WORDS)


def features(texts: Sequence[str]) -> Iterator[int]:
    """The slots of a window's words: their letters in threes to fives, themselves, and each with the next."""
    last = ""
    for text in texts:
        token = _value(text)
        padded = f"<{token}>"
        yield _slot(padded)
        yield _slot(f"{last} {token}")
        solid = token[0] >= _FIRST_SOLID
        for size in _SOLID if solid else _SIZES:
            for start in range(len(padded) - size + 1):
                yield _slot(padded[start : start + size])
        last = token


def _value(text: str) -> str:
    """Every number is one, a year another: which of them it is, the rules know. "guidance 1.5" is nobody's age."""
    if not text.isdecimal():
        return text
    return "0000" if len(text) >= _YEAR_DIGITS else "0"


def _slot(piece: str) -> int:
    return crc32(piece.encode()) & (SLOTS - 1)
