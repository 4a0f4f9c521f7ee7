"""Cyrillic, Greek, Arabic, Hebrew and Devanagari words in Latin letters, so that a name is found in its transliteration."""

# ruff: noqa: RUF001  (these letters are what this is about)
from __future__ import annotations

from typing import Final

_CYRILLIC: Final = dict(
    zip(
        "абвгдезийклмнопрстуфыэіґ",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "y",
            "e",
            "i",
            "g",
        ],
        strict=True,
    )
) | {
    "ж": "zh",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ю": "yu",
    "я": "ya",
    "ї": "yi",
    "є": "ye",
    "ь": "",
    "ъ": "",
}
_GREEK: Final = dict(
    zip(
        "αβγδεζηικλμνξοπρστυφωσ",
        ["a", "v", "g", "d", "e", "z", "i", "i", "k", "l", "m", "n", "x", "o", "p", "r", "s", "t", "y", "f", "o", "s"],
        strict=True,
    )
) | {"θ": "th", "χ": "ch", "ψ": "ps", "ς": "s"}
_ARABIC: Final = dict(
    zip(
        "ابتجحدرزسصضطظعفقكلمنهويگپ",
        [
            "a",
            "b",
            "t",
            "j",
            "h",
            "d",
            "r",
            "z",
            "s",
            "s",
            "d",
            "t",
            "z",
            "a",
            "f",
            "q",
            "k",
            "l",
            "m",
            "n",
            "h",
            "w",
            "y",
            "g",
            "p",
        ],
        strict=True,
    )
) | {"ث": "th", "خ": "kh", "ذ": "dh", "ش": "sh", "غ": "gh", "ئ": "", "ؤ": "w", "ء": ""}
_HEBREW: Final = dict(
    zip(
        "אבגדהוזחטיכלמנסעפצקרת",
        ["a", "b", "g", "d", "h", "w", "z", "h", "t", "y", "k", "l", "m", "n", "s", "a", "p", "z", "k", "r", "t"],
        strict=True,
    )
) | {"ך": "k", "ם": "m", "ן": "n", "ף": "f", "ץ": "z", "ש": "sh"}
_INDIC: Final = dict(
    zip("अआइईउऊएऐओऔकगचजटडतदनपबमयरलवसह", ["a", "a", "i", "i", "u", "u", "e", "ai", "o", "au", "k", "g", "ch", "j", "t", "d", "t", "d", "n", "p", "b", "m", "y", "r", "l", "v", "s", "h"], strict=True)
) | {
    "ख": "kh", "घ": "gh", "छ": "chh", "झ": "jh", "ठ": "th", "ढ": "dh", "ण": "n", "थ": "th", "ध": "dh", "फ": "ph", "भ": "bh",
    "श": "sh", "ष": "sh", "ा": "a", "ि": "i", "ी": "i", "ु": "u", "ू": "u", "े": "e", "ै": "ai", "ो": "o", "ौ": "au", "ं": "n", "्": "", "़": "",
}  # fmt: skip
_TABLE: Final = _CYRILLIC | _GREEK | _ARABIC | _HEBREW | _INDIC
_ARTICLE: Final = "ال"
_OTHER: Final = (("ii", "i"), ("ks", "x"), ("kh", "h"), ("yi", "i"), ("ye", "e"), ("iya", "ia"))


def romanised(word: str) -> tuple[str, str]:
    """Two usual readings of a folded word in Latin letters; both the word itself where it is Latin already."""
    plain = word.removeprefix(_ARTICLE) if len(word) > len(_ARTICLE) + 1 else word
    first = "".join(_TABLE.get(char, char) for char in plain)
    second = first
    for one, other in _OTHER:
        second = second.replace(one, other)
    return first, second
