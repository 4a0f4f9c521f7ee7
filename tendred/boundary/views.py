"""The bounded set of readings of a text: as it stands, and with the usual disguises undone.

Each reading is there to add hits, never to take one away.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from tendred.boundary.normalise import Folder, View, rewrite

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_INNER: Final = re.compile(r"(?<=[a-z])[^a-z0-9\s]{1,2}(?=[a-z])")
_SPELLED: Final = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[^a-z0-9]{1,3}[a-z0-9](?![a-z0-9])){2,}")
_STRETCHED: Final = re.compile(r"([a-z])\1{2,}")
_MIXED: Final = re.compile(r"[a-z0-9@$!|+\u20ac]{2,24}")
_AGE_LIKE: Final = re.compile(r"[0-9]+(?:yo?|yrs?)")
_LEET: Final = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "il", "|": "il", "+": "t", "\u20ac": "e",
}  # fmt: skip
_MAX_GUESSES: Final = 64


def readings(text: str, folder: Folder, vocabulary: AbstractSet[str]) -> Iterator[View]:
    """At most eight views, the plain one first. `vocabulary` holds the words that leet spelling may hide."""
    plain = folder.fold(text)
    yield plain
    if folder.invisible(text):
        yield folder.fold(text, gaps=True)
    if _CAMEL.search(text):
        yield folder.fold(text, breaks=frozenset(found.start() for found in _CAMEL.finditer(text)))
    yield from _undisguised(plain, vocabulary)


def spelled(view: View) -> list[View]:
    """Each run of single letters ("c h i l d", "c.h.i.l.d"), put together."""
    runs: list[View] = []
    for found in _SPELLED.finditer(view.text):
        keep = [at for at in range(found.start(), found.end()) if view.text[at].isalnum()]
        runs.append(
            View(
                "".join(view.text[at] for at in keep), [view.starts[at] for at in keep], [view.ends[at] for at in keep]
            )
        )
    return runs


def _undisguised(plain: View, vocabulary: AbstractSet[str]) -> Iterator[View]:
    inner = [(found.start(), found.end(), "") for found in _INNER.finditer(plain.text)]
    if inner:
        yield rewrite(plain, inner)
    stretched = list(_STRETCHED.finditer(plain.text))
    if stretched:
        yield rewrite(plain, [(found.start(), found.end(), found[1]) for found in stretched])
        yield rewrite(plain, [(found.start(), found.end(), found[1] * 2) for found in stretched])
    leet = [change for found in _MIXED.finditer(plain.text) if (change := _unleet(found, vocabulary))]
    if leet:
        yield rewrite(plain, leet)


def _unleet(found: re.Match[str], vocabulary: AbstractSet[str]) -> tuple[int, int, str] | None:
    """The known word that a token such as "k1ds" stands for."""
    word = found[0]
    if word.isalpha() or word.isdecimal() or _AGE_LIKE.fullmatch(word):
        return None
    for candidate in (word, word.rstrip("!|+")):
        choices = [_LEET.get(char, char) for char in candidate]
        for guess in itertools.islice(itertools.product(*choices), _MAX_GUESSES):
            spelling = "".join(guess)
            if spelling in vocabulary and spelling != candidate:
                return found.start(), found.start() + len(candidate), spelling
    return None
