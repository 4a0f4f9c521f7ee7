"""Ways to hide a few words from a reader of plain text: {family: {variant: what it makes of them}}.

Written without a look at the rules or at disguise.py, as somebody who wants to get past a filter would.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import quote

Hide = Callable[[str, Random], str]

_CYRILLIC: Final = dict(zip("aceopxyikhnt", "асеорхуікһпт", strict=True))
_GREEK: Final = dict(zip("aeiouvnpkt", "αειουνηρκτ", strict=True))
_LEET: Final = dict(zip("aeiostlgbz", "4310571982", strict=True))
_ODD_LEET: Final = {
    "a": "@",
    "e": "€",
    "i": "!",
    "l": "|",
    "o": "()",
    "s": "$",
    "t": "+",
    "h": "|-|",
    "d": "|)",
    "k": "|<",
    "n": "|\\|",
}
_MORSE: Final = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        [
            ".-",
            "-...",
            "-.-.",
            "-..",
            ".",
            "..-.",
            "--.",
            "....",
            "..",
            ".---",
            "-.-",
            ".-..",
            "--",
            "-.",
            "---",
            ".--.",
            "--.-",
            ".-.",
            "...",
            "-",
            "..-",
            "...-",
            ".--",
            "-..-",
            "-.--",
            "--..",
            "-----",
            ".----",
            "..---",
            "...--",
            "....-",
            ".....",
            "-....",
            "--...",
            "---..",
            "----.",
        ],
        strict=True,
    )
)
_NEAR: Final = {
    "a": "s",
    "e": "r",
    "i": "o",
    "o": "p",
    "t": "y",
    "n": "m",
    "l": "k",
    "d": "f",
    "r": "t",
    "c": "v",
    "h": "j",
}
_SOUND: Final = (
    ("ck", "k"),
    ("oo", "u"),
    ("ee", "ea"),
    ("ir", "ur"),
    ("y", "ie"),
    ("c", "k"),
    ("tt", "d"),
    ("igh", "y"),
)


def _joined(sep: str) -> Hide:
    return lambda text, _: "  ".join(sep.join(word) for word in text.split())


def _mapped(table: dict[str, str], share: float) -> Hide:
    return lambda text, rng: "".join(table[char] if char in table and rng.random() < share else char for char in text)


def _shifted(lower: int, upper: int, digit: int) -> Hide:
    def shift(char: str) -> str:
        if "a" <= char <= "z":
            return chr(lower + ord(char) - ord("a"))
        if "A" <= char <= "Z":
            return chr(upper + ord(char) - ord("A"))
        return chr(digit + int(char)) if char.isascii() and char.isdigit() and digit else char

    return lambda text, _: "".join(map(shift, text))


def _between(marks: str) -> Hide:
    return lambda text, rng: "".join(char + (rng.choice(marks) if char.isalpha() else "") for char in text)


def _word(change: Callable[[str, Random], str]) -> Hide:
    """Change the longest word only."""

    def hide(text: str, rng: Random) -> str:
        longest = max(text.split(), key=lambda word: (sum(char.isalpha() for char in word), word))
        return text.replace(longest, change(longest, rng), 1)

    return hide


def _swap(word: str, rng: Random) -> str:
    at = rng.randrange(1, max(2, len(word) - 2))
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def _drop(word: str, rng: Random) -> str:
    at = rng.randrange(1, max(2, len(word) - 1)) if len(word) > 4 else len(word)
    return word[:at] + word[at + 1 :]


def _double(word: str, rng: Random) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + word[at - 1] + word[at:]


def _near(word: str, rng: Random) -> str:
    at = [at for at, char in enumerate(word) if char in _NEAR and at]
    if len(word) < 5 or not at:
        return word + word[-1]
    here = rng.choice(at)
    return word[:here] + _NEAR[word[here]] + word[here + 1 :]


def _stretch(word: str, rng: Random) -> str:
    at = next((at for at, char in enumerate(word) if char in "aeiou"), 0)
    return word[:at] + word[at] * rng.randint(3, 6) + word[at + 1 :]


def _sound(word: str, _: Random) -> str:
    for old, new in _SOUND:
        if old in word:
            return word.replace(old, new, 1)
    return re.sub(r"(?<=\w)[aeiou](?=[^aeiou\W])", "", word, count=1)


def _vowelless(word: str, _: Random) -> str:
    return word[0] + re.sub("[aeiou]", "*", word[1:])


def _half(mark: str) -> Callable[[str, Random], str]:
    return lambda word, _: word[: len(word) // 2] + mark + word[len(word) // 2 :]


def _upside(text: str, _: Random) -> str:
    turned = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))  # noqa: RUF001
    return "".join(turned.get(char, char) for char in reversed(text.lower()))


def _combined(text: str, _: Random) -> str:
    return unicodedata.normalize("NFC", "".join(char + ("\u0301" if char in "aeiouy" else "") for char in text))


def _words_backwards(text: str, _: Random) -> str:
    return " ".join(word[::-1] for word in text.split())


FAMILIES: Final[dict[str, dict[str, Hide]]] = {
    "spaced": {
        "one": lambda text, _: " ".join(text.replace(" ", "")),
        "two": lambda text, _: "   ".join(" ".join(word) for word in text.split()),
        "word": _word(lambda word, _: " ".join(word)),
        "pairs": _word(lambda word, _: " ".join(re.findall("..?", word))),
        "lines": lambda text, _: "\n".join(text.replace(" ", "")),
    },
    "separated": {
        "dot": _joined("."),
        "dash": _joined("-"),
        "under": _joined("_"),
        "slash": _joined("/"),
        "star": _joined("*"),
        "pipe": _joined("|"),
        "heart": _joined("♥"),
        "comma": _joined(","),
    },
    "leet": {
        "digits": _mapped(_LEET, 1),
        "some": _mapped(_LEET, 0.6),
        "odd": _mapped(_ODD_LEET, 0.8),
        "signs": _mapped({"a": "@", "i": "1", "o": "0", "e": "3", "s": "$", "l": "1", "t": "7"}, 0.9),
    },
    "lookalike": {
        "cyrillic": _mapped(_CYRILLIC, 0.7),
        "greek": _mapped(_GREEK, 0.7),
        "mixed": _mapped({**_GREEK, **_CYRILLIC}, 1),
    },
    "invisible": {
        "zero": _between("\u200b\u200c\u2060"),
        "soft": _between("\u00ad"),
        "bidi": _between("\u200e\u200f\u2064"),
        "tags": _between("\ufe0f"),
    },
    "fonts": {
        "full": _shifted(0xFF41, 0xFF21, 0xFF10),
        "bold": _shifted(0x1D41A, 0x1D400, 0x1D7CE),
        "mono": _shifted(0x1D68A, 0x1D670, 0x1D7F6),
        "sans": _shifted(0x1D5BA, 0x1D5A0, 0x1D7E2),
        "circled": _shifted(0x24D0, 0x24B6, 0),
        "squared": lambda text, _: _shifted(0x1F130, 0x1F130, 0)(text, Random(0)),
    },
    "marks": {
        "accents": _combined,
        "strike": _between("\u0336"),
        "zalgo": lambda text, rng: _between("\u0300\u0315\u0327\u0353\u0488")(
            _between("\u0302\u0330\u0359")(text, rng), rng
        ),
    },
    "typos": {"swap": _word(_swap), "drop": _word(_drop), "double": _word(_double), "near": _word(_near)},
    "respelt": {
        "stretch": _word(_stretch),
        "sound": _word(_sound),
        "starred": _word(_vowelless),
        "caps": lambda text, _: "".join(char.upper() if at % 2 else char for at, char in enumerate(text)),
    },
    "broken": {
        "weight": _word(lambda word, _: f"({word[:2]}:1.1)({word[2:]}:1.2)"),
        "braces": _word(_half("{}")),
        "split": _word(_half("][")),
        "hyphen": _word(_half("-")),
        "space": _word(_half(" ")),
        "switch": _word(lambda word, _: f"[{word}|{word[::-1]}]"),
        "fromto": _word(lambda word, _: f"[cat:{word}:0.1]"),
        "quote": _word(_half('"')),
        "slash": _word(_half("\\")),
        "html": _word(_half("<b></b>")),
        "plus": _word(_half("+")),
    },
    "encoded": {
        "base64": lambda text, _: base64.b64encode(text.encode()).decode(),
        "base32": lambda text, _: base64.b32encode(text.encode()).decode(),
        "hex": lambda text, _: text.encode().hex(),
        "hexes": lambda text, _: text.encode().hex(" "),
        "rot13": lambda text, _: codecs.encode(text, "rot13"),
        "url": lambda text, _: "".join(f"%{ord(char):02X}" for char in text),
        "quoted": lambda text, _: quote(text.replace("a", "%61").replace("e", "%65"), safe="%"),
        "entity": lambda text, _: "".join(f"&#{ord(char)};" for char in text),
        "escape": lambda text, _: "".join(f"\\u{ord(char):04x}" for char in text),
        "binary": lambda text, _: " ".join(f"{ord(char):08b}" for char in text),
        "morse": lambda text, _: " / ".join(
            " ".join(_MORSE[char] for char in word if char in _MORSE) for word in text.split()
        ),
        "ords": lambda text, _: " ".join(str(ord(char)) for char in text),
    },
    "reversed": {
        "all": lambda text, _: text[::-1],
        "words": _words_backwards,
        "order": lambda text, _: " ".join(reversed(text.split()))[::-1],
        "upside": _upside,
    },
}
