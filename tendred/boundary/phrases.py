"""Words and phrases, looked up token by token: linear in the text, whatever the text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(r"[a-z]+|[0-9]+")
_SLOT: Final = re.compile(r"\{(\w+)\}")


class Token(NamedTuple):
    """A run of letters or of digits in a folded view, `[start, end)`."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words and numbers of a folded text."""
    return [Token(found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]


def plurals(words: Iterable[str]) -> list[str]:
    """Each word, and with an `s`."""
    return [form for word in words for form in (word, f"{word}s")]


def fill(templates: Iterable[str], lists: Mapping[str, Sequence[str]]) -> list[str]:
    """Templates such as `baby {animal}` with every word of the named lists put in. Raises KeyError on a wrong name."""
    filled: list[str] = []
    for template in templates:
        slots = _SLOT.findall(template)
        for choice in itertools.product(*(lists[slot] for slot in slots)):
            words = iter(choice)
            filled.append(_SLOT.sub(lambda _, words=words: next(words), template))
    return filled


class Phrases:
    """A set of phrases. Their words may be parted by the given gaps, nothing else."""

    def __init__(self, phrases: Iterable[str], *, fold: Callable[[str], str], gaps: Iterable[str]) -> None:
        self._gaps = frozenset(gaps)
        self._single: set[str] = set()
        self._by_two: dict[tuple[str, str], list[tuple[str, ...]]] = {}
        for words in {tuple(token.text for token in tokens(fold(phrase))) for phrase in phrases}:
            if len(words) == 1:
                self._single.add(words[0])
            else:
                self._by_two.setdefault((words[0], words[1]), []).append(words)
        for candidates in self._by_two.values():
            candidates.sort(key=len, reverse=True)

    def at(self, text: str, found: Sequence[Token], index: int) -> int:
        """How many tokens the longest phrase that starts at token `index` takes, 0 for none."""
        first = found[index].text
        after = found[index + 1].text if index + 1 < len(found) else ""
        for words in self._by_two.get((first, after), ()):
            size = len(words)
            if index + size > len(found):
                continue
            if all(found[index + n].text == words[n] for n in range(2, size)) and all(
                text[found[index + n].end : found[index + n + 1].start] in self._gaps for n in range(size - 1)
            ):
                return size
        return int(first in self._single)

    def words(self) -> frozenset[str]:
        """Every phrase that is a single word."""
        return frozenset(self._single)

    def vocabulary(self) -> frozenset[str]:
        """Every word of every phrase."""
        several = (word for candidates in self._by_two.values() for words in candidates for word in words)
        return frozenset(several) | self._single
