"""Words for minors and ages in many languages, each in its own script. English and French have rules of their own too."""

# ruff: noqa: RUF001  (letters of many scripts are what this is about)
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tendred.boundary.ages import Age
from tendred.boundary.data import Tongue
from tendred.boundary.native import bare, plain, words
from tendred.boundary.phrases import Token

_GAPS: Final = frozenset({" ", ".", "-", "'", "\u2019", " - ", "\n", "", ", ", "\u2013"})
_SET_OFF: Final = re.compile(r"[,;:.()\n]")
_BARE_FROM: Final = 6
"""Letters from which on a word is known without its accents too; shorter ones would be other words."""
_STEM_FROM: Final = 2
_MOST: Final = 120
_YEARS: Final = range(1920, 2100)
_NEAR: Final = 3
_BIRTH_NEAR: Final = 6
_COUSINS: Final = frozenset({"es", "pt"})
# Korean counts years of life with numbers of its own; those after a ten ("twenty-") are others.
_KOREAN: Final = re.compile(
    "(?<![물른흔쉰순든])(?<![물른흔쉰순든] )(?:열 ?(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉)?|스무|한|두|세|네|다섯|여섯|일곱|여덟|아홉) ?살(?!기|상)"
)
_YEAR_DIGITS: Final = 4
_MARKERS: Final = 1
# What may stand between a number and its unit: "50 de ani", "16e verjaardag".
_AFTER_NUMBERS: Final = frozenset(
    {"de", "e", "ste", "te", "st", "th", "nd", "rd", "й", "я", "го", "ти", "ème", "eme", "me", "a", "o", "er", "ter"}
)
_PREFIXES: Final = ("وال", "بال", "كال", "فال", "لل", "ال", "و", "ب", "ה", "ו", "ב", "ל", "ש", "מ", "כש", "וה", "של")
_OWNERS: Final = ("ku", "mu", "nya")
_OWNED: Final = 6
_HAN: Final = {char: value for value, char in enumerate("一二三四五六七八九", 1)}
_HAN_AGE: Final = "[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九]"


class _Entry(NamedTuple):
    """A phrase of one language: its words (a last `*` stands for any end) and what it is."""

    parts: tuple[str, ...]
    lang: str
    kind: str
    value: int = 0


class Tongues:
    """Finds words for minors and ages."""

    def __init__(self, tongues: Mapping[str, Tongue]) -> None:
        self._exact: dict[str, list[_Entry]] = {}
        self._stems: dict[str, list[_Entry]] = {}
        self._tongues = tongues
        self._markers = {lang: frozenset(one.markers) for lang, one in tongues.items()}
        self._solid = {lang: _Solid(one) for lang, one in tongues.items() if one.solid}
        for lang, one in tongues.items():
            for kind in (
                "minor",
                "here",
                "exceptions",
                "years",
                "weak",
                "before",
                "births",
                "time_before",
                "time_after",
                "things",
            ):
                for phrase in getattr(one, kind):
                    self._add(phrase, lang, kind)
            for value, word in enumerate(one.numbers, 1):
                self._add(word, lang, "number", value)
            for value, word in enumerate(one.genitive, 1):
                self._add(word, lang, "number", value)
            for value, word in enumerate(one.genitive or one.numbers, 1):
                for end in one.joined:
                    self._add(word + end, lang, "age", value)

    def find(self, text: str, year: int) -> Iterator[Age]:
        """Every word for a minor (as an age of 0 with the rule `minor.word`), age and birth year of a native reading."""
        yield from self._find(text, year)
        stripped = bare(text)
        if stripped != text and len(stripped) == len(text):
            yield from self._find(stripped, year)
        if not text.isascii():
            for solid in self._solid.values():
                yield from solid.find(text, year)

    def _add(self, phrase: str, lang: str, kind: str, value: int = 0) -> None:
        # A star may stand at a word's end only; the tokens of the phrase lose it, so it is looked up before.
        texts = [plain(part) for part in phrase.replace("-", " ").split()]
        for written in {tuple(texts), tuple(bare(part) for part in texts)}:
            if written != tuple(texts) and sum(map(len, written)) < _BARE_FROM:
                continue
            parts = tuple(self._split(written))
            first = parts[0]
            table = self._stems if first.endswith("*") else self._exact
            table.setdefault(first.rstrip("*"), []).append(_Entry(parts, lang, kind, value))

    @staticmethod
    def _split(written: Sequence[str]) -> Iterator[str]:
        for part in written:
            found = [token.text for token in words(part)]
            if part.endswith("*"):
                found[-1] += "*"
            yield from found

    def _find(self, text: str, year: int) -> Iterator[Age]:
        found = words(text)
        hits = [(index, end, entry) for index in range(len(found)) for end, entry in self._at(text, found, index)]
        covered = {at for index, end, entry in hits if entry.kind == "exceptions" for at in range(index, end)}
        values = self._values(found, hits)
        known = {token.text for token in found}
        for index, end, entry in hits:
            span = (found[index].start, found[end - 1].end)
            if entry.kind in {"minor", "here"}:
                if all(at in covered for at in range(index, end)):
                    continue
                if entry.kind == "minor" or len(known & self._markers[entry.lang]) >= _MARKERS:
                    yield Age(0, *span, "minor.word")
            elif entry.kind == "age":
                yield Age(entry.value, *span, "minor.age")
            elif entry.kind in {"years", "weak"}:
                yield from self._counted(text, found, index, end, entry, values, hits)
            elif entry.kind == "before" and end < len(found) and (entry.lang, end) in values:
                if any(e.kind == "things" and e.lang == entry.lang and last == index for _, last, e in hits):
                    continue
                # "45 ans d'âge, 4k": what follows a comma is another matter, and so is a resolution.
                if "," not in text[span[1] : found[end].start] and text[found[end].end : found[end].end + 1] != "k":
                    yield Age(values[entry.lang, end], span[0], found[end].end, "minor.age")
            elif entry.kind == "births":
                yield from _births(found, index, end, year)

    def _at(self, text: str, found: Sequence[Token], index: int) -> Iterator[tuple[int, _Entry]]:
        word = found[index].text
        for form in _forms(word):
            for entry in self._exact.get(form, ()):
                if end := _match(text, found, index, entry):
                    yield end, entry
            for size in range(_STEM_FROM, len(form) + 1):
                for entry in self._stems.get(form[:size], ()):
                    if end := _match(text, found, index, entry):
                        yield end, entry

    def _values(self, found: Sequence[Token], hits: Sequence[tuple[int, int, _Entry]]) -> dict[tuple[str, int], int]:
        """The numbers that stand at each token, by language: digits in all, words in their own."""
        values = {
            (lang, index): int(token.text)
            for index, token in enumerate(found)
            if token.text.isdecimal() and len(token.text) < _YEAR_DIGITS and int(token.text) <= _MOST
            for lang in self._tongues
        }
        longest = sorted((hit for hit in hits if hit[2].kind == "number"), key=lambda hit: hit[1] - hit[0])
        for index, end, entry in longest:
            # A number of several words counts at its first and at its last.
            values[entry.lang, index] = values[entry.lang, end - 1] = entry.value
        return values

    @staticmethod
    def _kin(one: _Entry, other: _Entry) -> bool:
        """Whether a word for a span of time is one of this language. "En 17 jaar" is no French."""
        return one.lang == other.lang or {one.lang, other.lang} <= _COUSINS

    @staticmethod
    def _before(text: str, found: Sequence[Token], last: int, at: int, entry: _Entry) -> bool:
        """Whether what ends before the number says what it counts. "En man, 13 \u00e5r" is no "en 13 ans", but "whisky, 12 lat"."""
        if entry.kind == "time_before":
            return not _SET_OFF.search(text[found[last - 1].end : found[at].start])
        return entry.kind == "things"

    def _counted(
        self, text: str, found: Sequence[Token], index: int, end: int, entry: _Entry, values: Mapping[tuple[str, int], int],
        hits: Sequence[tuple[int, int, _Entry]],
    ) -> Iterator[Age]:  # fmt: skip
        """The age that a unit of years makes of the number before it, unless it is a span of time or a thing's age."""
        at = index - 1
        if (entry.lang, at) not in values and at > 0 and found[at].text in _AFTER_NUMBERS:
            at -= 1  # "50 de ani"
        if (entry.lang, at) not in values:
            return
        told = {"things", "time_before", "time_after"} if entry.kind == "weak" else {"things"}
        # Of any language: "años" without its accent is Portuguese, and whisky is whisky everywhere.
        mine = [
            hit for hit in hits if hit[2].kind in told and (hit[2].kind != "time_before" or self._kin(hit[2], entry))
        ]
        if any(at - 2 <= last <= at and self._before(text, found, last, at, e) for _, last, e in mine):
            return
        if any(e.kind != "time_before" and end <= first <= end + 1 for first, _, e in mine):
            return
        yield Age(values[entry.lang, at], found[at].start, found[end - 1].end, "minor.age")


class _Solid:
    """A language that puts no spaces between words."""

    def __init__(self, tongue: Tongue) -> None:
        self._minor = re.compile(
            "|".join(re.escape(plain(word)) for word in sorted(tongue.solid, key=len, reverse=True))
        )
        alone = [plain(word) for word in tongue.solid_words]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(alone)})(?!\w)") if alone else None
        spared = [plain(word) for word in tongue.solid_exceptions]
        self._spared = re.compile("|".join(spared)) if spared else None
        years, before = "|".join(tongue.solid_years), "|".join(tongue.solid_before)
        number = rf"(?P<n>[0-9]{{1,3}}|{_HAN_AGE})"
        self._years = re.compile(rf"(?<![0-9.]){number} ?(?:{years})(?!기|대|계|상|代|紀)")
        self._before = re.compile(
            rf"(?:{before}) ?[:：]? ?(?P<n>[0-9]{{1,3}}|{_HAN_AGE})(?![0-9])(?! ?(?:円|元|원|m|k|人|個|년|年|월|月|張|张))"
        )
        births = "|".join(tongue.solid_births)
        self._births = re.compile(
            rf"(?P<y>(?:19|20)[0-9]{{2}}) ?(?:{births})|(?:{births}|出生|生)[于於在는은: ]{{0,2}}(?P<z>(?:19|20)[0-9]{{2}})"
        )
        self._korean = _KOREAN if "살" in tongue.solid_years else None

    def find(self, text: str, year: int) -> Iterator[Age]:
        spared = [found.span() for found in self._spared.finditer(text)] if self._spared else []
        for pattern in filter(None, (self._minor, self._words, self._korean)):
            for found in pattern.finditer(text):
                if not any(start <= found.start() and found.end() <= end for start, end in spared):
                    yield Age(0, *found.span(), "minor.word")
        for pattern in (self._years, self._before):
            for found in pattern.finditer(text):
                yield Age(_han(found["n"]), *found.span(), "minor.age")
        for found in self._births.finditer(text):
            yield Age(max(year - int(found["y"] or found["z"]) - 1, 0), *found.span(), "minor.birth")


def _forms(word: str) -> list[str]:
    """A word, and without what Arabic and Hebrew write before it in one, and Indonesian behind it."""
    if word.isascii():
        return [word, *(word.removesuffix(end) for end in _OWNERS if word.endswith(end) and len(word) > _OWNED)]
    if not "\u0590" <= word[0] <= "\u06ff":
        return [word]
    return [word, *(word[len(one) :] for one in _PREFIXES if word.startswith(one) and len(word) - len(one) >= _NEAR)]


def _match(text: str, found: Sequence[Token], index: int, entry: _Entry) -> int:
    """The token behind the phrase that starts at `index`, 0 if it doesn't."""
    parts = entry.parts
    if index + len(parts) > len(found):
        return 0
    for offset, part in enumerate(parts[1:], 1):
        token, last = found[index + offset], found[index + offset - 1]
        if text[last.end : token.start] not in _GAPS:
            return 0
        if not (token.text.startswith(part[:-1]) if part.endswith("*") else token.text == part):
            return 0
    return index + len(parts)


def _births(found: Sequence[Token], index: int, end: int, year: int) -> Iterator[Age]:
    for at in (*range(end, min(end + _BIRTH_NEAR, len(found))), *range(max(0, index - _NEAR), index)):
        if len(found[at].text) == _YEAR_DIGITS and found[at].text.isdecimal() and int(found[at].text) in _YEARS:
            first, last = min(index, at), max(end - 1, at)
            yield Age(max(year - int(found[at].text) - 1, 0), found[first].start, found[last].end, "minor.birth")
            return


def _han(number: str) -> int:
    if number.isdecimal():
        return int(number)
    tens, ten, ones = number.partition("十")
    return (_HAN.get(tens, 1) * 10 + _HAN.get(ones, 0)) if ten else _HAN[number]
