"""The bounded set of readings of a text: as it stands, and with the usual disguises undone.

Each reading is there to add hits, never to take one away.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from tendred.boundary.normalise import Folder, View, rewrite

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Z])")
# How people weigh words: "(word:1.2)", "[a|b]", "{word}", "<word>".
_WEIGHTS: Final = re.compile(r":[0-9.]+(?=[)\]>}])|[()\[\]{}<>]+|\|+")
_INNER: Final = re.compile(r"(?<=[a-z])[^a-z0-9\s]{1,2}(?=[a-z])")
_SPELLED: Final = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[^a-z0-9]{1,3}[a-z0-9](?![a-z0-9])){2,}")
_STRETCHED: Final = re.compile(r"([a-z])\1{2,}")
_MIXED: Final = re.compile(r"[a-z0-9@$!|+\u20ac\u00a3\u00a5\u00a7\u00a2\u00a9\u00ae^]{2,24}")
_WORD: Final = re.compile(r"[a-z]+")
_AGE_LIKE: Final = re.compile(r"[0-9]+(?:yo?|yrs?)")
_NO_AGE: Final = 4
_LEET: Final = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "il", "|": "il", "+": "t", "\u20ac": "e",
    "\u00a3": "le", "\u00a5": "y", "\u00a7": "s", "\u00a2": "c", "\u00a9": "c", "\u00ae": "r", "^": "a",
}  # fmt: skip
# Letters drawn with several signs.
_DRAWN: Final = {
    "|\\/|": "m", "/\\/\\": "m", "\\/\\/": "w", "|-|": "h", "|_|": "u", "|\\|": "n", "/\\/": "n", "\\/": "v", "/\\": "a", "|)": "d", "|<": "k",
    "|3": "b", "|2": "r", "()": "o", "[]": "o", "><": "x", "|o": "p", "|=": "f",
}  # fmt: skip
_SIGNS: Final = re.compile("|".join(map(re.escape, _DRAWN)))
_MAX_GUESSES: Final = 64
_EITHER: Final = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")
# "[cat:years:0.1]": the one becomes the other while it is drawn.
_SWAPPED: Final = re.compile(r"\[([^\[\]:|]*):([^\[\]:|]*):[0-9.]+\]")
# Of so many stretched places in a word each may be one letter or two.
_MOST_STRETCHED: Final = 4


def readings(text: str, folder: Folder, vocabulary: AbstractSet[str]) -> Iterator[View]:
    """At most twelve views, the plain one first. `vocabulary` holds the words that leet spelling may hide."""
    plain = folder.fold(text)
    yield plain
    if folder.invisible(text):
        yield folder.fold(text, gaps=True)
    if _CAMEL.search(text):
        yield folder.fold(text, breaks=frozenset(found.start() for found in _CAMEL.finditer(text)))
    yield from _undisguised(plain, vocabulary)


def spelled(view: View) -> list[View]:
    """Each run of single letters ("c h i l d", "c.h.i.l.d"), put together; and with words, where its gaps tell of them."""
    runs: list[View] = []
    for found in _SPELLED.finditer(view.text):
        keep = [at for at in range(found.start(), found.end()) if view.text[at].isalnum()]
        runs.append(_letters(view, keep))
        gaps = [view.text[one + 1 : two] for one, two in itertools.pairwise(keep)]
        kinds = Counter(gaps)
        if len(kinds) > 1:
            usual = kinds.most_common(1)[0][0]
            ends = {at for at, gap in zip(keep, gaps, strict=False) if gap != usual}
            apart = [(at, view.text[at] + " ") if at in ends else (at, view.text[at]) for at in keep]
            places = [at for at, piece in apart for _ in piece]
            text = "".join(piece for _, piece in apart)
            runs.append(View(text, [view.starts[at] for at in places], [view.ends[at] for at in places]))
    return runs


def respelled(view: View, words: re.Pattern[str]) -> View | None:
    """Runs of single letters put together, with a gap at each side of `words`: nothing else tells where one ended."""
    pieces: list[tuple[str, int]] = []
    at = 0
    for found in _SPELLED.finditer(view.text):
        pieces += [(view.text[place], place) for place in range(at, found.start())]
        keep = iter([place for place in range(*found.span()) if view.text[place].isalnum()])
        for number, word in enumerate(filter(None, words.split("".join(filter(str.isalnum, found[0]))))):
            pieces += [(" ", pieces[-1][1])] if number else []
            pieces += [(char, next(keep)) for char in word]
        at = found.end()
    if not at:
        return None
    pieces += [(view.text[place], place) for place in range(at, len(view.text))]
    text, places = "".join(char for char, _ in pieces), [place for _, place in pieces]
    return View(text, [view.starts[place] for place in places], [view.ends[place] for place in places])


def unleeted(view: View, known: Callable[[str], bool]) -> Iterator[View]:
    """Words with digits and signs among their letters, read as letters: for names, which no list of words holds.

    `known` tells parts of names and words: of the readings of a word the first such one is taken, and with none of them
    each sign as the first, then the last of what it may be.
    """
    found = [
        one
        for one in _MIXED.finditer(view.text)
        if not (one[0].isalpha() or one[0].isdecimal() or _AGE_LIKE.fullmatch(one[0]))
    ]
    if not found:
        return
    guessed = [next(filter(known, _guesses(one[0])), None) for one in found]
    for choice in (0, -1):
        plain = ["".join(_LEET.get(char, char)[choice] for char in one[0]) for one in found]
        told = [guess or word for guess, word in zip(guessed, plain, strict=True)]
        yield rewrite(view, [(one.start(), one.end(), word) for one, word in zip(found, told, strict=True)])


def _guesses(word: str) -> Iterator[str]:
    options = itertools.product(*(_LEET.get(char, char) for char in word))
    return map("".join, itertools.islice(options, _MAX_GUESSES))


def _unstretched(text: str, vocabulary: AbstractSet[str]) -> Iterator[tuple[int, int, str]]:
    """Each word with stretched letters as the one of the vocabulary that it may be, else with each of them once."""
    for word in _WORD.finditer(text):
        places = list(_STRETCHED.finditer(word[0]))[:_MOST_STRETCHED]
        if not places:
            continue
        forms = (_replaced(word[0], places, counts) for counts in itertools.product((1, 2), repeat=len(places)))
        once = _replaced(word[0], places, (1,) * len(places))
        yield word.start(), word.end(), next((form for form in forms if form in vocabulary), once)


def _replaced(word: str, places: Sequence[re.Match[str]], counts: Sequence[int]) -> str:
    told, at = "", 0
    for place, count in zip(places, counts, strict=True):
        told += word[at : place.start()] + place[1] * count
        at = place.end()
    return told + word[at:]


def _letters(view: View, keep: list[int]) -> View:
    return View("".join(view.text[at] for at in keep), [view.starts[at] for at in keep], [view.ends[at] for at in keep])


def _undisguised(plain: View, vocabulary: AbstractSet[str]) -> Iterator[View]:
    weights = [(found.start(), found.end(), " " if "|" in found[0] else "") for found in _WEIGHTS.finditer(plain.text)]
    if weights:
        yield rewrite(plain, weights)
    # "[years|years]": the words take turns while it is drawn, so each of them is there alone.
    taken = list(_EITHER.finditer(plain.text))
    for group in (1, 2) if taken else ():
        yield rewrite(plain, [(found.start(), found.end(), found[group]) for found in taken])
    swapped = list(_SWAPPED.finditer(plain.text))
    for group in (1, 2) if swapped else ():
        yield rewrite(plain, [(found.start(), found.end(), found[group]) for found in swapped])
    inner = [(found.start(), found.end(), "") for found in _INNER.finditer(plain.text)]
    if inner:
        yield rewrite(plain, inner)
    stretched = list(_STRETCHED.finditer(plain.text))
    if len(stretched) > 1:
        yield rewrite(plain, list(_unstretched(plain.text, vocabulary)))
    if stretched:
        yield rewrite(plain, [(found.start(), found.end(), found[1]) for found in stretched])
        yield rewrite(plain, [(found.start(), found.end(), found[1] * 2) for found in stretched])
    if signs := [(found.start(), found.end(), _DRAWN[found[0]]) for found in _SIGNS.finditer(plain.text)]:
        plain = rewrite(plain, signs)
        yield plain
    leet = [change for found in _MIXED.finditer(plain.text) if (change := _unleet(found, vocabulary))]
    if leet:
        yield rewrite(plain, leet)


def _unleet(found: re.Match[str], vocabulary: AbstractSet[str]) -> tuple[int, int, str] | None:
    """The known word that a token such as "k1ds" stands for."""
    word = found[0]
    if word.isalpha() or word.isdecimal() or (_AGE_LIKE.fullmatch(word) and len(word) < _NO_AGE):
        return None
    for candidate in (word, word.rstrip("!|+")):
        choices = [_LEET.get(char, char) for char in candidate]
        for guess in itertools.islice(itertools.product(*choices), _MAX_GUESSES):
            spelling = "".join(guess)
            if spelling in vocabulary and spelling != candidate:
                return found.start(), found.start() + len(candidate), spelling
    return None
