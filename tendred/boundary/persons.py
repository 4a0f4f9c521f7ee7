"""Phrases that point at a real person. Which names are known is another layer's matter."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tendred.boundary.data import PersonWords
from tendred.boundary.normalise import View

_NAME: Final = re.compile(r"[ \n'\"(]{0,2}(?P<name>[a-z]+(?:'[a-z]+)?)")
_SLOT: Final = " {name}"


class PersonHit(NamedTuple):
    """A phrase at `[start, end)` of the view."""

    start: int
    end: int
    rule: str


class Persons:
    """Finds phrases that ask for a real person."""

    def __init__(self, words: PersonWords) -> None:
        plain = [phrase for phrase in words.always if not phrase.endswith(_SLOT)]
        named = [phrase.removesuffix(_SLOT) for phrase in words.always if phrase.endswith(_SLOT)]
        self._always = _phrases(plain)
        self._office = _phrases(words.office)
        self._likeness = _phrases([*words.likeness, *named])
        self._no_names = frozenset(words.no_names)
        self._given = frozenset(words.given)

    def find(self, view: View, original: str) -> PersonHit | None:
        """The first phrase, or None. `original` is the text that the view was folded from."""
        hits = [
            PersonHit(found.start(), found.end(), rule)
            for pattern, rule in ((self._always, "person.likeness"), (self._office, "person.office"))
            if (found := pattern.search(view.text))
        ]
        for found in self._likeness.finditer(view.text):
            name = _NAME.match(view.text, found.end())
            if name and self._is_name(view, original, name):
                hits.append(PersonHit(found.start(), name.end(), "person.likeness"))
                break
        return min(hits, default=None)

    def _is_name(self, view: View, original: str, found: re.Match[str]) -> bool:
        word = found["name"]
        first = word.partition("'")[0]
        if first in self._given:
            return True
        if first in self._no_names or word in self._no_names:
            return False
        start, end = view.span(found.start("name"), found.end("name"))
        # A text all in capitals says nothing about names.
        return original[start:end][:1].isupper() and not original.isupper()


def _phrases(patterns: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{'|'.join(patterns)})(?:(?<=')|(?![a-z]))")
