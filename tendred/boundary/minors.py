"""Plain words for minors, with whole phrases that are let through first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tendred.boundary.ages import ADULT
from tendred.boundary.data import MinorWords
from tendred.boundary.normalise import View
from tendred.boundary.phrases import Phrases, Token, fill, plurals, tokens

# A hit may cross a line, an exception may not: "baby" at a line's end isn't the "baby" of a colour on the next.
_HIT_GAPS: Final = (" ", "-", "\n", "", "'", " - ", "  ")
_EXCEPTION_GAPS: Final = (" ", "-", "'")
_MIN_SPLIT: Final = 5
# What ages are told with; misspelt as often as the words for minors.
_AGE_CORE: Final = (
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "birthday", "underage",
    "three", "four", "five", "seven", "eight", "nine", "year", "years", "age", "aged", "elementary", "grader", "graders", "kindergarten", "primary",
)  # fmt: skip
_MIN_SPELLED: Final = 4
_AGE_TOKENS: Final = 3
# A run of more letters than this is a sentence that somebody spelled apart, no logo.
_WHOLE_TEXT: Final = 14


class Minors:
    """Finds words for minors."""

    def __init__(self, words: MinorWords, fold: Callable[[str], str]) -> None:
        """`fold` is the folding that views get, for the words themselves."""
        single = plurals(words.words)
        relatives = plurals(words.relatives)
        self._terms = Phrases([*single, *relatives, *fill(words.phrases, words.lists)], fold=fold, gaps=_HIT_GAPS)
        self._nouns = frozenset(fold(word) for word in plurals(words.nouns))
        self._noun_ends = frozenset(fold(word) for word in words.noun_ends)
        self._relatives = frozenset(fold(word) for word in relatives)
        self._grown = Phrases(
            [f"{grown} {word}" for grown in words.grown for word in relatives], fold=fold, gaps=_EXCEPTION_GAPS
        )
        self._exceptions = Phrases(fill(words.exceptions, words.lists), fold=fold, gaps=_EXCEPTION_GAPS)
        self._harmless = frozenset(words.harmless_spelling)
        self._glued = re.compile("|".join(fold(word) for word in words.glued))
        self._glued_ok = frozenset(words.glued_ok)
        whole = self._terms.words()
        self._split = frozenset(word for word in whole if len(word) >= _MIN_SPLIT) - frozenset(words.unsplit)
        self._short = tuple(sorted(word for word in whole if len(word) < _MIN_SPELLED))
        self._long = re.compile("|".join(sorted(word for word in whole if len(word) >= _MIN_SPELLED)))

    def vocabulary(self) -> frozenset[str]:
        """Every word that takes part in a hit."""
        return self._terms.vocabulary()

    def core(self) -> frozenset[str]:
        """Every word that is a hit by itself."""
        return self._terms.words() | frozenset(_AGE_CORE)

    def find(self, view: View, original: str) -> tuple[int, int] | None:
        """Where the first word for a minor stands in the view. `original` is the text that it was folded from."""
        found = tokens(view.text)
        covered = 0
        for index, token in enumerate(found):
            covered = max(covered, self._covers(view.text, found, index))
            for end in self._ends(view.text, found, index):
                if end > covered and not self._excused(view, original, found, index, end):
                    return token.start, end
        return None

    def spared(self, view: View) -> list[tuple[int, int]]:
        """Where phrases that are let through stand, in the text as received."""
        found = tokens(view.text)
        ends = [(index, self._covers(view.text, found, index)) for index in range(len(found))]
        return [view.span(found[index].start, end) for index, end in ends if end]

    def spelled(self, run: View) -> tuple[int, int] | None:
        """A word for a minor within a run of letters that were spelled apart; words have no borders there."""
        found = self._long.search(run.text)
        if found:
            return found.span()
        for word in self._short:
            if run.text.startswith(word):
                return 0, len(word)
            if run.text.endswith(word):
                return len(run.text) - len(word), len(run.text)
            if len(run.text) > _WHOLE_TEXT and word in run.text:
                at = run.text.index(word)
                return at, at + len(word)
        return None

    def _covers(self, text: str, found: Sequence[Token], index: int) -> int:
        """The end of the longest exception that starts at this token, 0 for none."""
        size = max(self._exceptions.at(text, found, index), self._grown.at(text, found, index))
        return found[index + size - 1].end if size else 0

    def _ends(self, text: str, found: Sequence[Token], index: int) -> Iterator[int]:
        """The ends of the hits that start at this token."""
        token = found[index]
        size = self._terms.at(text, found, index)
        if size:
            yield found[index + size - 1].end
        if token.text in self._nouns and self._is_noun(text, found, index):
            yield token.end
        if token.text not in self._glued_ok and self._glued.search(token.text):
            yield token.end
        if index + 1 < len(found):
            after = found[index + 1]
            if text[token.end : after.start] in {" ", "\n"} and token.text + after.text in self._split:
                yield after.end

    def _is_noun(self, text: str, found: Sequence[Token], index: int) -> bool:
        if index + 1 == len(found) or text[found[index].end : found[index + 1].start].strip(" "):
            return True
        return found[index + 1].text in self._noun_ends

    def _excused(self, view: View, original: str, found: Sequence[Token], index: int, end: int) -> bool:
        token = found[index]
        if end != token.end:
            return False
        if token.text in self._relatives and self._aged(view.text, found, index):
            return True
        first, last = view.span(token.start, token.end)
        return original[first:last].casefold() in self._harmless

    def _aged(self, text: str, found: Sequence[Token], index: int) -> bool:
        """Whether an adult age stands right before the token ("30-year-old daughter")."""
        if index < _AGE_TOKENS:
            return False
        number, years, old = found[index - _AGE_TOKENS : index]
        joined = all(
            text[found[n].end : found[n + 1].start] in _EXCEPTION_GAPS for n in range(index - _AGE_TOKENS, index)
        )
        return (
            joined
            and number.text.isdecimal()
            and int(number.text) >= ADULT
            and years.text in {"year", "years"}
            and old.text == "old"
        )
