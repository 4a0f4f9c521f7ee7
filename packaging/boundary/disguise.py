"""Ways to write a text so that a list of words doesn't find it. Each takes a text and a generator of chance."""

# ruff: noqa: RUF001  (letters that look alike are what this is about; chance from a seed is what it needs)
from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Callable
from random import Random
from typing import Final

_LEET: Final = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7+", "l": "1"}
_ALIKE: Final = {
    "a": "а",
    "c": "с",
    "e": "е",
    "o": "о",
    "p": "р",
    "x": "х",
    "y": "у",
    "i": "і",
    "d": "ԁ",
    "h": "һ",
    "l": "ӏ",
}
_EMOJI: Final = {
    "baby": "👶",
    "boy": "👦",
    "girl": "👧",
    "child": "🧒",
    "children": "🚸",
    "kid": "🧒",
    "kids": "🚸",
    "toddler": "👶🍼",
}
_WORDS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_SCRIPTS: Final = ("٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "๐๑๒๓๔๕๖๗๘๙")
_LONG: Final = re.compile(r"[A-Za-z]{3,}")
_NUMBER: Final = re.compile(r"\d+")


def _each(text: str, change: Callable[[str], str]) -> str:
    return _LONG.sub(lambda found: change(found[0]), text)


def leet(text: str, rng: Random) -> str:
    return _each(
        text, lambda word: "".join(rng.choice(_LEET[c]) if c in _LEET and rng.random() < 0.7 else c for c in word)
    )


def spaced(text: str, rng: Random) -> str:
    return _each(text, " ".join) if rng.random() < 0.5 else _each(text, "  ".join)


def dotted(text: str, rng: Random) -> str:
    mark = rng.choice([".", "-", "*", "_", "·", "/"])
    return _each(text, mark.join)


def invisible(text: str, rng: Random) -> str:
    marks = "\u200b\u200c\u200d\u2060\u00ad"
    return _each(text, lambda word: "".join(c + (rng.choice(marks) if rng.random() < 0.5 else "") for c in word))


def lookalike(text: str, rng: Random) -> str:
    return _each(text, lambda word: "".join(_ALIKE[c] if c in _ALIKE and rng.random() < 0.7 else c for c in word))


def styled(text: str, rng: Random) -> str:
    base = rng.choice([0x1D41A, 0x1D44E + 26 * 4, 0x1D5BA, 0x24D0, 0xFF41])
    return "".join(chr(base + ord(c) - ord("a")) if "a" <= c <= "z" else c for c in text)


def weighted(text: str, rng: Random) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words))
    forms = [
        lambda w: f"({w}:1.{rng.randint(1, 9)})", lambda w: f"(({w}))", lambda w: f"[{w}]", lambda w: f"{{{w}}}",
        lambda w: f"({w[:2]}:1.1){w[2:]}", lambda w: f"[{w}|{w}]", lambda w: f"{w[:2]}({w[2:]}:0.9)", lambda w: f"<{w}>",
    ]  # fmt: skip
    form = rng.choice(forms)
    return " ".join(form(word) if i == at or len(word) > 3 else word for i, word in enumerate(words))


def pictured(text: str, rng: Random) -> str:
    told = re.sub("|".join(sorted(_EMOJI, key=len, reverse=True)), lambda found: _EMOJI[found[0]], text)
    return told if told != text else f"{text} {rng.choice('👶🧒👦👧')}"


def numbered(text: str, rng: Random) -> str:
    """Digits of other scripts, number words, and sums of neither."""

    def other(found: re.Match[str]) -> str:
        value = int(found[0])
        if value < len(_WORDS) and rng.random() < 0.5:
            return _WORDS[value]
        script = rng.choice(_SCRIPTS)
        return "".join(script[int(digit)] for digit in found[0])

    return _NUMBER.sub(other, text)


def stretched(text: str, rng: Random) -> str:
    def change(word: str) -> str:
        at = rng.randrange(len(word))
        return word[:at] + word[at] * rng.randint(3, 5) + word[at + 1 :]

    return _each(text, change)


def cased(text: str, rng: Random) -> str:
    kind = rng.randrange(3)
    if kind == 0:
        return "".join(c.upper() if rng.random() < 0.5 else c for c in text)
    joint = "_" if kind == 1 else ""
    return joint.join(word[:1].upper() + word[1:] if kind == 2 else word for word in text.split(" "))


def accented(text: str, rng: Random) -> str:
    marks = "\u0301\u0300\u0308\u0323\u0336"
    return _each(text, lambda word: "".join(c + (rng.choice(marks) if rng.random() < 0.6 else "") for c in word))


def encoded(text: str, rng: Random) -> str:
    kind = rng.randrange(3)
    if kind == 0:
        return "draw this: " + base64.b64encode(text.encode()).decode()
    return f"draw this: {codecs.encode(text, 'rot13') if kind == 1 else text[::-1]}"


FAMILIES: Final[dict[str, Callable[[str, Random], str]]] = {
    "leet": leet, "spaced": spaced, "dotted": dotted, "invisible": invisible, "lookalike": lookalike, "styled": styled,
    "weighted": weighted, "pictured": pictured, "numbered": numbered, "stretched": stretched, "cased": cased,
    "accented": accented, "encoded": encoded,
}  # fmt: skip
