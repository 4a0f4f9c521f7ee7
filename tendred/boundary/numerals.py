"""Number words of English and French, turned into digits. Values up to 999; an age needs no more."""

from __future__ import annotations

import re
from typing import Final

from tendred.boundary.normalise import View, rewrite
from tendred.boundary.phrases import Phrases, Token, tokens

_EN_UNITS: Final = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_EN_TEENS: Final = [
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_EN_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_FR_UNITS: Final = ["un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]
_FR_TEENS: Final = ["dix", "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix sept", "dix huit", "dix neuf"]
_FR_TENS: Final = {
    "vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
    "septante": 70, "huitante": 80, "octante": 80, "quatre vingt": 80, "quatre vingts": 80, "nonante": 90,
}  # fmt: skip
_FR_LONG_TENS: Final = {"soixante": 60, "quatre vingt": 80}
_HUNDREDS: Final = frozenset({"hundred", "cent", "cents"})
_MAX_UNIT: Final = 9


def _spelled() -> dict[str, int]:
    words = {"une": 1}
    for units, teens, tens in ((_EN_UNITS, _EN_TEENS, _EN_TENS), (_FR_UNITS, _FR_TEENS, _FR_TENS)):
        words.update({word: value for value, word in enumerate(units, 1)})
        words.update({word: value for value, word in enumerate(teens, 10)})
        for ten, base in tens.items():
            words[ten] = base
            words.update({f"{ten} {unit}": base + value for value, unit in enumerate(units, 1)})
    for ten, base in _FR_TENS.items():
        words.update({f"{ten} et un": base + 1, f"{ten} et une": base + 1, f"{ten} une": base + 1})
    for ten, base in _FR_LONG_TENS.items():
        words.update({f"{ten} {teen}": base + value for value, teen in enumerate(_FR_TEENS, 10)})
    words["soixante et onze"] = 71
    return words


_VALUES: Final = {tuple(words.split()): value for words, value in _spelled().items()}
# "twentyone" is how "twenty-one" looks once somebody left the hyphen out.
_VALUES.update({("".join(words),): value for words, value in tuple(_VALUES.items())})
_NUMBERS: Final = Phrases((" ".join(words) for words in _VALUES), fold=str, gaps=(" ", "-", "\n"))
_IN_RUN: Final = re.compile(
    f"(?:{'|'.join(sorted((words[0] for words in _VALUES if len(words) == 1), key=len, reverse=True))})(?=years?|yrs?|yo)"
)
_GLUED: Final = re.compile(rf"(?<![a-z]){_IN_RUN.pattern}(?=[a-z -]*old|yo(?![a-z]))")
WORDS: Final = _NUMBERS.vocabulary()


def digits(view: View) -> View:
    """The view with number words written as digits ("seventeen-year-old" becomes "17-year-old")."""
    if "old" in view.text or "yo" in view.text:
        view = rewrite(view, [(one.start(), one.end(), str(_VALUES[one[0],])) for one in _GLUED.finditer(view.text)])
    found = tokens(view.text)
    if not any(token.text in WORDS or token.text in _HUNDREDS for token in found):
        return view
    changes: list[tuple[int, int, str]] = []
    index = 0
    while index < len(found):
        value, size = _number(view.text, found, index)
        if size:
            changes.append((found[index].start, found[index + size - 1].end, str(value)))
        index += max(size, 1)
    return rewrite(view, changes)


def run(view: View) -> View:
    """The same in letters without gaps between words: numbers before "year" only, for others are parts of words there."""
    changes = [(found.start(), found.end(), str(_VALUES[found[0],])) for found in _IN_RUN.finditer(view.text)]
    return rewrite(view, changes) if changes else view


def _number(text: str, found: list[Token], index: int) -> tuple[int, int]:
    """The value of the number words at `index` and how many tokens they take, (0, 0) for none."""
    value, size = _below_hundred(text, found, index)
    after = index + size
    if after >= len(found) or found[after].text not in _HUNDREDS or value > _MAX_UNIT:
        return value, size
    value, size = max(value, 1) * 100, size + 1
    skip = 1 if index + size < len(found) and found[index + size].text == "and" else 0
    if index + size + skip < len(found):
        rest, taken = _below_hundred(text, found, index + size + skip)
        if taken and _near(text, found, index + size - 1, index + size + skip):
            return value + rest, size + skip + taken
    return value, size


def _below_hundred(text: str, found: list[Token], index: int) -> tuple[int, int]:
    size = _NUMBERS.at(text, found, index)
    return (_VALUES[tuple(token.text for token in found[index : index + size])], size) if size else (0, 0)


def _near(text: str, found: list[Token], first: int, second: int) -> bool:
    return text[found[first].end : found[second].start].strip(" -") in {"", "and"}
