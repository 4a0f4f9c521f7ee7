"""Words for minors that are misspelt, masked, moved on in the alphabet or cut in pieces, as the words that they stand for.

A word that anybody knows is never taken for another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from tendred.boundary.ciphers import shifts
from tendred.boundary.normalise import View, rewrite
from tendred.boundary.phrases import Token, tokens

_SURE: Final = 5
"""Letters from which on any one slip is undone; in a shorter word only swapped or doubled letters are."""
_MOVED: Final = 6
_JOINED: Final = 3
_HEARD: Final = 5
_LETTERS: Final = 3
_MOST_PIECES: Final = 14
_SMALL: Final = frozenset(
    "a an and are as at be by do for go had has he her him his i if in is it me my no not of on or our out she so the to up us was we".split()  # noqa: SIM905
)
_MASKED: Final = re.compile(r"(?<![a-z0-9])[a-z][a-z*#?]*[*#?][a-z*#?]*(?<![*#?])(?![a-z0-9])")
_SPOKEN: Final = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        ("ph", "f"), ("sch", "sk"), ("ck", "k"), ("ch", "C"), ("c(?=[eiy])", "s"), ("[cq]", "k"), ("z", "s"), ("j|dg", "g"), ("x", "ks"),
        ("wh", "w"), ("[aeiouyw]+", "a"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip
_GAP: Final = re.compile(r"[^a-z0-9]{1,3}|[^a-z0-9]{0,2}<[^<>]*>[^a-z0-9]{0,2}")
_DIGITS: Final = re.compile(r"(?<![0-9.:/-])([12]) ([0-9])(?= ?(?:-|years?|yrs?|yo|y/o|y\.o))")


class Typos:
    """Finds the words of a vocabulary in what was made of them."""

    def __init__(self, core: Iterable[str], vocabulary: AbstractSet[str], known: Callable[[str], bool]) -> None:
        """`core`: words that are looked for behind slips; `vocabulary`: those that pieces may make. `known` words stay."""
        self._core = frozenset(word for word in core if word.isalpha() and len(word) >= _LETTERS)
        self._vocabulary = vocabulary | self._core
        self._known = known
        self._slips: dict[str, list[str]] = {}
        for word in self._core:
            for form in {word, *_shorter(word)}:
                self._slips.setdefault(form, []).append(word)
        self._moved = {shifts(word): word for word in self._core if len(word) >= _MOVED}
        self._moved |= {tuple(-step % 26 for step in steps): word for steps, word in tuple(self._moved.items())}
        self._sounds = {_sound(word): word for word in [*self._core, "school"] if len(word) >= _MOVED}
        self._sounds = {sound: word for sound, word in self._sounds.items() if len(sound) >= _HEARD or word == "school"}
        self._starts = frozenset(word[:end] for word in self._vocabulary for end in range(1, len(word)))
        self._lines = "\n".join(sorted(self._vocabulary))

    def views(self, view: View) -> Iterator[View]:
        """The view with slips undone, and with pieces put together; none where there is nothing to undo."""
        found = tokens(view.text)
        if changes := [(one.start, one.end, word) for one in found if (word := self._meant(one.text))]:
            yield rewrite(view, changes)
        if changes := [
            (one.start(), one.end(), word) for one in _MASKED.finditer(view.text) if (word := self._behind(one[0]))
        ]:
            yield rewrite(view, changes)
        if changes := list(self._joined(view.text, found)):
            whole = rewrite(view, changes)
            yield rewrite(whole, [(one.start(), one.end(), one[1] + one[2]) for one in _DIGITS.finditer(whole.text)])

    def may_mean(self, word: str) -> bool:
        return len(word) >= _LETTERS and (word in self._slips or self._meant(word) is not None)

    def _meant(self, word: str) -> str | None:
        if len(word) < _LETTERS or word in self._vocabulary or not word.isalpha():
            return None
        meant = next(
            (one for form in (word, *_shorter(word)) for one in self._slips.get(form, ()) if _slip(word, one)), None
        )
        if meant is None and len(word) >= _SURE:
            meant = self._sounds.get(_sound(word)) or self._moved.get(shifts(word))
        return None if meant is None or self._known(word) else meant

    def _behind(self, masked: str) -> str | None:
        letters = sum(char.isalpha() for char in masked)
        if len(masked) < _LETTERS or letters * 2 < len(masked):
            return None
        found = re.search(rf"^{re.sub('[*#?]', '[a-z]', masked)}$", self._lines, re.MULTILINE)
        return found[0] if found else None

    def _joined(self, text: str, found: list[Token]) -> Iterator[tuple[int, int, str]]:
        index = 0
        while index < len(found):
            size = self._pieces(text, found, index)
            if size:
                last = found[index + size - 1]
                yield found[index].start, last.end, "".join(one.text for one in found[index : index + size])
            index += size or 1

    def _pieces(self, text: str, found: list[Token], index: int) -> int:
        """How many tokens from `index` on make one word of the vocabulary, 0 for none or one."""
        word, best = found[index].text, 0
        if text[max(0, found[index].start - 1) : found[index].start].isalnum():
            return 0  # the "k" of "4k" begins no word
        single = len(word) == 1
        for at in range(index + 1, min(len(found), index + _MOST_PIECES)):
            if word not in self._starts or not _GAP.fullmatch(text[found[at - 1].end : found[at].start]):
                break
            word += found[at].text
            single = single and len(found[at].text) == 1
            if word in self._vocabulary and word.isalpha() and (single or len(word) >= _JOINED):
                best = at - index + 1 if single or self._odd(found[index : at + 1]) else best
        return best

    def _odd(self, pieces: list[Token]) -> bool:
        """Whether pieces are no words that stand beside each other anyway: "min or less"."""
        return any(one.text not in _SMALL and (len(one.text) < _LETTERS or not self._known(one.text)) for one in pieces)


def _sound(word: str) -> str:
    """How a word sounds, roughly: its consonants as one of each kind, every vowel alike, none silent at the end."""
    told = word.removesuffix("e")
    for pattern, plain in _SPOKEN:
        told = pattern.sub(plain, told)
    return told


def _shorter(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1 :] for at in range(1, len(word)))


def _slip(word: str, meant: str) -> bool:
    """Whether one slip of the fingers makes the one of the other."""
    if word[0] != meant[0] or word == meant:
        return False
    short, long = sorted((word, meant), key=len)
    same = next((at for at, (one, two) in enumerate(zip(short, long, strict=False)) if one != two), len(short))
    if len(short) == len(long):
        swapped = short[same : same + 2] == long[same : same + 2][::-1] and short[same + 2 :] == long[same + 2 :]
        return swapped or (len(meant) >= _SURE and short[same + 1 :] == long[same + 1 :])
    if len(long) - len(short) != 1 or short[same:] != long[same + 1 :]:
        return False
    return len(meant) >= _SURE or (long == word and long[same] == long[same - 1])
