"""What a text says in another notation: codes and escapes put in plain letters where they stand, turned and moved letters."""

# ruff: noqa: RUF001  (letters that look like others are what this is about)
from __future__ import annotations

import base64
import binascii
import html
import itertools
import re
import string
from collections.abc import Callable, Iterator
from typing import Final

_LEAST: Final = 3
_ASCII: Final = 0x7F
_LAST: Final = 0x10FFFF
_CASES: Final = (string.ascii_lowercase, string.ascii_uppercase)
_THIRTEEN_ON: Final = str.maketrans("".join(_CASES), "".join(letters[13:] + letters[:13] for letters in _CASES))
_LETTERS: Final = 0.7
"""Of what a code gives so many must be letters, else it was none: "a1b2c3d4" is a seed."""
_TURNED: Final = dict(zip("ɐɔǝɟƃɓɥᴉıɾʞʃɯɹʇʌʍʎ", "aceffghiijklmrtvwy", strict=True)) | {"ƃ": "g", "ɓ": "g", "ɟ": "f"}
_TURNED_TOO: Final = str.maketrans("bdpqnu" + "".join(_TURNED), "qpdbun" + "".join(_TURNED.values()))
_MORSE: Final[dict[str, str]] = dict(
    pair.split(":")
    for pair in [
        ".-:a",
        "-...:b",
        "-.-.:c",
        "-..:d",
        ".:e",
        "..-.:f",
        "--.:g",
        "....:h",
        "..:i",
        ".---:j",
        "-.-:k",
        ".-..:l",
        "--:m",
        "-.:n",
        "---:o",
        ".--.:p",
        "--.-:q",
        ".-.:r",
        "...:s",
        "-:t",
        "..-:u",
        "...-:v",
        ".--:w",
        "-..-:x",
        "-.--:y",
        "--..:z",
        "-----:0",
        ".----:1",
        "..---:2",
        "...--:3",
        "....-:4",
        ".....:5",
        "-....:6",
        "--...:7",
        "---..:8",
        "----.:9",
    ]
)
_BRAILLE: Final = dict(zip("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", "abcdefghijklmnopqrstuvwxyz", strict=True))
_CALLED: Final = {
    word: word[0]
    for word in [
        "alpha",
        "alfa",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliet",
        "juliett",
        "kilo",
        "lima",
        "mike",
        "november",
        "oscar",
        "papa",
        "quebec",
        "romeo",
        "sierra",
        "tango",
        "uniform",
        "victor",
        "whiskey",
        "whisky",
        "xray",
        "yankee",
        "zulu",
    ]
}
_ONE_CALLED: Final = "|".join(_CALLED)


def _text(data: bytes) -> str:
    """The letters that bytes stand for, nothing for what reads like no words."""
    try:
        told = data.decode()
    except UnicodeDecodeError:
        return ""
    plain = sum(char.isalpha() or char in " '" for char in told)
    return told if len(told) >= _LEAST and told.isprintable() and (plain >= _LETTERS * len(told) or " " in told) else ""


def _hex(told: str) -> str:
    digits = re.sub(r"0x|[^0-9a-f]", "", told.lower())
    return _text(bytes.fromhex(digits)) if len(digits) % 2 == 0 else ""


def _base64(told: str) -> str:
    try:
        return _text(
            base64.b64decode(
                told.rstrip("=") + "=" * (-len(told.rstrip("=")) % 4), altchars=b"-_" if set(told) & set("-_") else None
            )
        )
    except binascii.Error:
        return ""


def _base32(told: str) -> str:
    try:
        return _text(base64.b32decode(told.rstrip("=") + "=" * (-len(told.rstrip("=")) % 8)))
    except binascii.Error:
        return ""


def _binary(told: str) -> str:
    groups = re.findall("[01]{7,8}", told)
    return _text(bytes(int(group, 2) for group in groups))


def _ords(told: str) -> str:
    numbers = [int(number) for number in re.findall("[0-9]+", told)]
    return _text(bytes(numbers)) if max(numbers) <= _ASCII else ""


def _places(told: str) -> str:
    numbers = [int(number) for number in re.findall("[0-9]+", told)]
    return (
        "".join(chr(ord("a") - 1 + number) for number in numbers)
        if min(numbers) > 0 and max(numbers) <= len(string.ascii_lowercase)
        else ""
    )


def _morse(told: str) -> str:
    plain = told.translate(str.maketrans("·•−–—_", "..----"))
    words = [[_MORSE.get(sign, "") for sign in word.split()] for word in re.split(r"[/|]|\s{3,}", plain)]
    return "" if any("" in word for word in words) else " ".join(map("".join, words))


def _percent(told: str) -> str:
    return bytes.fromhex(told.replace("%", "").replace("=", "")).decode(errors="ignore")


def _escape(told: str) -> str:
    point = int(re.sub(r"(?i)^(?:\\|U\+|&#)?[ux]?\{?|[};]", "", told), 16)
    return chr(point) if point <= _LAST else ""


def _called(told: str) -> str:
    return "".join(_CALLED[word] for word in re.findall("[a-z]+", told.lower().replace("x-ray", "xray")))


_CODES: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...]] = (
    ("<", re.compile(r"</?[a-z!][^<>:]{0,60}>", re.IGNORECASE), lambda _: "\u2060"),
    ("\\", re.compile(r"\\u\{?[0-9a-f]{2,6}\}?|\\U[0-9a-f]{8}|\\x[0-9a-f]{2}", re.IGNORECASE), _escape),
    ("+", re.compile(r"U\+[0-9a-f]{4,5}[ ,]?", re.IGNORECASE), lambda told: _escape(told.rstrip(" ,"))),
    ("&", re.compile(r"&#?\w{1,8};"), html.unescape),
    ("%", re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE), _percent),
    ("=", re.compile(r"(?:=[0-9a-f]{2}){2,}", re.IGNORECASE), _percent),
    ("", re.compile(r"(?<![0-9])[01]{7,8}(?:[ ,]?[01]{7,8}){2,}(?![0-9])"), _binary),
    ("", re.compile(r"(?<![0-9a-f])(?:0x)?[0-9a-f]{2}(?:[ ,:-]{1,2}(?:0x)?[0-9a-f]{2}){2,}(?![0-9a-f])", re.IGNORECASE), _hex),
    ("", re.compile(r"(?<![0-9a-z])(?:0x)?(?:[2-7][0-9a-f]){3,}(?![0-9a-z])", re.IGNORECASE), _hex),
    ("", re.compile(r"(?<![0-9])[0-9]{2,3}(?:[ ,.-]{1,2}[0-9]{2,3}){2,}(?![0-9])"), _ords),
    ("", re.compile(r"(?<![0-9])[0-9]{1,2}(?:[ ,.-]{1,2}[0-9]{1,2}){2,}(?![0-9])"), _places),
    ("", re.compile(r"[.\-·•−–—_]{1,6}(?:[ /|]{1,3}[.\-·•−–—_]{1,6}){2,}"), _morse),
    ("", re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{4,}={0,2}(?![A-Za-z0-9+/=_-])"), _base64),
    ("", re.compile(r"(?<![A-Za-z0-9=])[A-Z2-7]{7,}={0,6}(?![A-Za-z0-9=])"), _base32),
    ("", re.compile(rf"(?<![a-z])(?:{_ONE_CALLED})(?:[ ,.-]{{1,2}}(?:{_ONE_CALLED}))+(?![a-z])", re.IGNORECASE), _called),
)  # fmt: skip


def deciphered(text: str) -> Iterator[str]:
    """The text with its codes put in plain letters and its upturned letters upright, if it has any."""
    if len(text.strip()) < _LEAST:
        return
    told = text
    if any(char in _BRAILLE for char in text):
        told = "".join(_BRAILLE.get(char, char) for char in text)
    for sign, pattern, plain in _CODES:
        if sign in told:
            told = pattern.sub(lambda found, plain=plain: plain(found[0]) or found[0], told)
    if told != text:
        yield told
    # The dotless i is Turkish more often than upturned.
    if any(char in _TURNED and char != "ı" for char in text):
        yield text.lower().translate(_TURNED_TOO)[::-1]


def turned(text: str) -> tuple[str, ...]:
    """The text backwards, each of its words backwards, and thirteen letters on: readings that any text has."""
    return text[::-1], " ".join(word[::-1] for word in text.split()), text.translate(_THIRTEEN_ON)


def shifts(word: str) -> tuple[int, ...]:
    """How far each letter is from the one before it: the same for a word however far its letters were moved on."""
    return tuple((ord(two) - ord(one)) % 26 for one, two in itertools.pairwise(word))
