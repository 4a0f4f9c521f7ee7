"""A text in its own script: small letters, one form of each, digits of all scripts as ASCII; with the way back."""

# ruff: noqa: RUF001  (letters of many scripts are what this is about)
from __future__ import annotations

import re
import unicodedata
from typing import Final

from tendred.boundary.normalise import View
from tendred.boundary.phrases import Token

# Letters that people write for each other. Greek loses its accents below.
_SAME: Final = str.maketrans("ёأإآٱىةςɡ", "еااااиهσg") | {
    ord("ى"): "ي",
    ord("ة"): "ه",
    ord("’"): "'",
    ord("ʼ"): "'",
    ord("`"): "'",
}
# A mark is part of a letter in Indic scripts and Thai; elsewhere what NFKC left of them says nothing.
_MARKS: Final = "\u0900-\u0963\u0980-\u09e3\u0e31\u0e34-\u0e4e"
_TOKEN: Final = re.compile(rf"[0-9]+|[^\W\d_](?:[^\W\d_]|[{_MARKS}])*")
_CLUSTER: Final = re.compile(r"[^\u0300-\u036f][\u0300-\u036f]*|[\u0300-\u036f]+")
_DROPPED: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_GREEK: Final = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")


def native(text: str) -> View:
    """The reading of a text that keeps its script."""
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    if text.isascii():
        return View(text.lower(), range(len(text)), range(1, len(text) + 1))
    for found in _CLUSTER.finditer(text):
        for char in plain(found[0]):
            out.append(char)
            starts.append(found.start())
            ends.append(found.end())
    return View("".join(out), starts, ends)


def plain(text: str) -> str:
    """A piece of text folded; what draws nothing is gone."""
    if text.isascii():
        return text.lower()
    told = unicodedata.normalize("NFKC", text).lower()
    if _GREEK.search(told):
        told = unicodedata.normalize("NFD", told)
    told = unicodedata.normalize("NFC", _DROPPED.sub("", told)).translate(_SAME)
    return "".join(_one(char) for char in told if unicodedata.category(char) != "Cf")


def bare(text: str) -> str:
    """Without accents, as people type in haste. Latin script only; others keep their letters."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text.replace("ı", "i").replace("ł", "l").replace("đ", "d"))
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts))


def words(text: str) -> list[Token]:
    """The words and numbers of a native reading."""
    return [Token(found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]


def _one(char: str) -> str:
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)
