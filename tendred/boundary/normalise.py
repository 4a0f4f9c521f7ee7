"""Folding: one lower-case ASCII-like reading of a text, with the way back to the text as received."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final, NamedTuple

_LINES: Final = frozenset("\n\r\x0b\x0c\x85\u2028\u2029")
_ALLOWED_CONTROLS: Final = frozenset("\t\n\r")
# Letters and symbols that draw nothing, though Unicode doesn't call them format characters.
_FILLERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffd")
_NOISE_SHARE: Final = 0.2
_INVISIBLE_SHARE: Final = 0.6
_INVISIBLE_FLOOR: Final = 16


class View(NamedTuple):
    """A reading of a text. Character `i` stands for `[starts[i], ends[i])` of the text as received."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` of this view (not empty) lies in the text as received, in code points."""
        return self.starts[start], self.ends[end - 1]


class Folder:
    """Folds texts: NFKC, case, accents, look-alike letters, digits of all scripts, emoji names, white space."""

    def __init__(self, lookalikes: Mapping[str, str], emoji: Mapping[str, str]) -> None:
        """`lookalikes`: a Latin letter (or letters) to the characters drawn like it. `emoji`: one to its words."""
        self._table = {glyph: latin for latin, glyphs in lookalikes.items() for glyph in glyphs}
        self._table.update({glyph: f" {words} " for glyph, words in emoji.items()})
        # Bounded: a hostile text may hold every character there is.
        self._piece = lru_cache(maxsize=4096)(self._fold_one)

    def fold(self, text: str, *, breaks: AbstractSet[int] = frozenset(), gaps: bool = False) -> View:
        """Fold. A space is put before each offset in `breaks`; invisible characters vanish or, with `gaps`, part words."""
        out: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for index, char in enumerate(text):
            piece = self._piece(char)
            if piece is None:
                piece = " " if gaps else ""
            if index in breaks:
                piece = f" {piece}"
            if not piece:
                if ends:
                    ends[-1] = index + 1  # a mark belongs to the letter before it
                continue
            for one in piece:
                if one in " \n" and out and out[-1] in " \n":
                    out[-1] = max(out[-1], one, key="\n".count)
                    ends[-1] = index + 1
                else:
                    out.append(one)
                    starts.append(index)
                    ends.append(index + 1)
        return View("".join(out), starts, ends)

    def invisible(self, text: str) -> bool:
        """Whether anything in it draws nothing, so that there are two readings."""
        return not text.isascii() and any(self._piece(char) is None for char in text)

    def _fold_one(self, char: str) -> str | None:
        """What a character reads as: "" for a mark, None for one that draws nothing."""
        if char in _LINES:
            return "\n"
        if char.isspace() or char == "_":
            return " "
        if char in self._table:
            return self._table[char]
        if _draws_nothing(char):
            return None
        parts = unicodedata.normalize("NFKC", char)
        if "\u2044" in parts:
            return " "  # a fraction's digits belong to no number beside it: "9¾" isn't 93
        return "".join(self._plain(one) for one in parts)

    def _plain(self, char: str) -> str:
        if char in self._table:
            return self._table[char]
        digit = unicodedata.decimal(char, None)
        if digit is not None:
            return str(digit)
        bare = "".join(one for one in unicodedata.normalize("NFKD", char) if not unicodedata.combining(one))
        folded = "".join(self._table.get(one, one) for one in bare).casefold()
        return "" if unicodedata.category(char) in {"Mn", "Me"} else folded


def rewrite(view: View, changes: Sequence[tuple[int, int, str]]) -> View:
    """The view with each `(start, end, new)` put in, in order and apart; new text stands for the whole piece."""
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end, new in [*changes, (len(view.text), len(view.text), "")]:
        text.append(view.text[at:start])
        starts.extend(view.starts[at:start])
        ends.extend(view.ends[at:start])
        if new:
            first, last = view.span(start, end)
            text.append(new)
            starts.extend([first] * len(new))
            ends.extend([last] * len(new))
        at = end
    return View("".join(text), starts, ends)


def unreadable(text: str) -> tuple[int, int] | None:
    """The first place that makes a text undecodable noise, or None if it can be read.

    That is any lone surrogate or control character, or a fifth of characters without a meaning of their own,
    or letters drowned in invisible ones.
    """
    if text.isascii() and text.isprintable():
        return None
    noise: list[int] = []
    hidden = visible = 0
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        if category == "Cs" or (category == "Cc" and char not in _ALLOWED_CONTROLS):
            return index, index + 1
        if category in {"Co", "Cn"} or char == "\ufffd":
            noise.append(index)
        if category in {"Cf", "Mn", "Me"}:
            hidden += 1
        elif not char.isspace():
            visible += 1
    if noise and len(noise) > _NOISE_SHARE * (visible + hidden):
        return noise[0], noise[0] + 1
    if hidden > _INVISIBLE_FLOOR and hidden > _INVISIBLE_SHARE * (visible + hidden):
        return 0, len(text)
    return None


def _draws_nothing(char: str) -> bool:
    return char in _FILLERS or unicodedata.category(char) in {"Cf", "Co", "Cn"}
