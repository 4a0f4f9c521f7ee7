"""Names of people: those of the gazetteer are found in any spelling, those that nobody knows are left out.

The gazetteer (packaging/boundary/gazetteer.py) is nothing but hashes: `known` names by their folded words, and glued
together; `capital`, names of ordinary words, which need a capital letter or a frame ("photo of"); `native`, in their own
script; `bones`, the consonants of names, for transliterations; `given` and `family`, parts of names; `words`, which are
none; `styles`, artists dead for more than seventy years, who may lend a style.
"""

from __future__ import annotations

import itertools
import re
import struct
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from tendred.boundary.data import NameTables, PersonWords
from tendred.boundary.namekeys import key, skeleton
from tendred.boundary.native import words as native_words
from tendred.boundary.normalise import View
from tendred.boundary.phrases import Token, tokens
from tendred.boundary.romanise import romanised

_GAPS: Final = frozenset({" ", "-", "'", ". ", ".", "_", "\n", "  ", ".-", ". -", "' ", '" ', ' "'})
_MOST_WORDS: Final = 5
_GLUED_FROM: Final = 8
_GLUED_TO: Final = 24
_RUN: Final = 160
_BONES_FROM: Final = 7
_SHOWN: Final = re.compile(
    r"(?:portrait|photo|photograph|picture|image|painting|drawing|selfie|shot|likeness|statue|bust|sketch|video|poster|face|closeup|close-up"
    r"|figure) (?:of|from) (?:the )?(?:real |young |old |famous )?$|(?:named|called|starring|featuring|actor|actress|singer|rapper|president) $"
)
# What stands behind a name, and not behind what is only called after somebody ("Washington cherry trees").
_GOES_ON: Final = re.compile(
    r"[.,;!)'\n]|$| (?:in|at|on|with|smiling|wearing|by|as|and|holding|sitting|standing|looking|walking|singing|dancing|portrait|face)(?![a-z])"
)
_STYLE_BEFORE: Final = re.compile(
    r"(?:(?:style|manner|spirit|tradition|technique|palette) of|inspired by|influenced by|(?:art|painting|etching|woodcut|poster|drawing|engraving"
    r"|print|illustration|work|fresco|masterpiece) by|, by|^by|a la maniere de|dans le style d(?:e |')|a la|style d(?:e |')) ?$"
)
_STYLE_AFTER: Final = re.compile(
    r"[ -](?:style|styled|like|esque|inspired|lighting|study|palette|painting|brushwork|colors|colours)(?![a-z])"
)
_CALLED: Final = re.compile(r"(?:named|called|name is|by the name of|nommee?s?|appelee?s?|s'appelle) $")
_NEAR_ONE: Final = re.compile(
    r"(?:named|called|neighbou?r|friend|colleague|coworker|boss|boyfriend|girlfriend|husband|wife|ex|nommee?|appelee?) $"
)
_SIGN: Final = r"[\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
_CJK: Final = re.compile(rf"{_SIGN}(?:[ \u30fb\u00b7]?{_SIGN})+")
_LONGEST: Final = 12
_ENDS: Final = (
    "s",
    "es",
    "ed",
    "ing",
    "er",
    "ers",
    "ly",
    "d",
    "y",
    "ish",
    "less",
    "like",
    "est",
    "ness",
    "wards",
    "ful",
    "al",
    "ian",
    "ic",
    "punk",
    "core",
)
_BEFORE: Final = 48
_SHORT: Final = 2
_ENGLISH: Final = 0.5
_LONG: Final = 4


class NameHit(NamedTuple):
    """A name at `[start, end)` of the view it was looked for in."""

    start: int
    end: int


class _Keys:
    """A sorted table of hashes."""

    def __init__(self, packed: bytes) -> None:
        self._table = array("Q", struct.unpack(f"<{len(packed) // 8}Q", packed))

    def __contains__(self, name: str) -> bool:
        wanted = key(name)
        at = bisect_left(self._table, wanted)
        return at < len(self._table) and self._table[at] == wanted


class Names:
    """Finds names."""

    def __init__(self, tables: NameTables, words: PersonWords) -> None:
        self._known, self._capital = _Keys(tables.known), _Keys(tables.capital)
        self._native, self._bones = _Keys(tables.native), _Keys(tables.bones)
        self._given, self._family = _Keys(tables.given), _Keys(tables.family)
        self._words, self._styles = _Keys(tables.words), _Keys(tables.styles)
        self._single, self._shown = frozenset(words.single), frozenset(words.single_shown)
        self._none = frozenset(words.no_names)

    def knows(self, name: str) -> bool:
        """Whether a folded name is in the gazetteer. For measuring: a verdict never says which entry it was."""
        parts = " ".join(token.text for token in tokens(name))
        return parts in self._known or parts in self._capital or parts in self._single or parts in self._shown

    def is_part(self, word: str) -> bool:
        """Whether names have such a part, or it is an ordinary word."""
        return word in self._given or word in self._family or word in self._words

    def is_word(self, word: str) -> bool:
        """Whether a folded word is a part of a name or an ordinary word in any of its forms."""
        ends = ("s", "es", "ed", "ing", "ly")
        stems = [word[: -len(end)] for end in ends if word.endswith(end) and not word.endswith("ss")]
        return self.is_part(word) or any(stem in self._words for stem in [*stems, f"{word.removesuffix('ies')}y"])

    def find(self, view: View, original: str) -> NameHit | None:
        """The first name of the gazetteer in a Latin reading."""
        found = [token for token in tokens(view.text) if token.text.isalpha()]
        free = -1
        for index, token in enumerate(found):
            if index < free:
                continue
            if end := self._lent(view.text, found, index):
                free = end
                continue
            if self._alone(view, original, token):
                return NameHit(token.start, token.end)
            for size in range(min(_MOST_WORDS, len(found) - index), 1, -1):
                part = found[index : index + size]
                if self._joined(view.text, part) and self._is_known(view, original, part):
                    return NameHit(token.start, part[-1].end)
        return None

    def spelled(self, run: View) -> NameHit | None:
        """A name in a run of letters that were spelled apart."""
        text = run.text[:_RUN]
        for start in range(len(text)):
            for end in range(start + _GLUED_FROM, min(start + _GLUED_TO, len(text)) + 1):
                if text[start:end] in self._known:
                    return NameHit(start, end)
        return None

    def native(self, view: View, original: str) -> NameHit | None:
        """A name in its own script."""
        if view.text.isascii():
            return None
        for run in _CJK.finditer(view.text):
            places = [at for at in range(*run.span()) if view.text[at] not in " \u30fb\u00b7"]
            signs = "".join(view.text[at] for at in places)
            for start in range(len(signs)):
                for end in range(start + 2, min(start + _LONGEST, len(signs)) + 1):
                    if signs[start:end] in self._native:
                        return NameHit(places[start], places[end - 1] + 1)
        found = native_words(view.text)
        for index, token in enumerate(found):
            if token.text.isascii():
                continue
            for size in (3, 2, 1):
                part = found[index : index + size]
                if len(part) == size and self._transliterated(view, original, part):
                    return NameHit(token.start, part[-1].end)
        return None

    def unknown(self, view: View, original: str, keep: AbstractSet[str]) -> list[tuple[int, int]]:
        """Where names stand, in the text as received, that nobody knows; `keep` are words of names that may stay."""
        found = [token for token in tokens(view.text) if token.text.isalpha()]
        capital = [original[view.starts[token.start]].isupper() for token in found]
        common = [self._common(token.text) for token in found]
        wordy = sum(common) >= _ENGLISH * len(found)
        mixed = sum(capital) < len(found) - 1
        spans: list[tuple[int, int]] = []
        index = 0
        while index < len(found):
            size = self._name_at(
                view, original, found, index, capital if mixed and wordy else [False] * len(found), common
            )
            lent = self._lent(view.text, found, index)
            if size and not lent and not all(token.text in keep for token in found[index : index + size]):
                spans.append(view.span(found[index].start, found[index + size - 1].end))
            index = max(lent, index + max(size, 1))
        return spans

    def _name_at(
        self,
        view: View,
        original: str,
        found: Sequence[Token],
        index: int,
        capital: Sequence[bool],
        common: Sequence[bool],
    ) -> int:
        """How many words the unknown name at `index` has, 0 for none."""
        word, after = found[index].text, index + 1
        if word in self._none or not self._latin(view, original, found[index]):
            return 0
        follows = after < len(found) and view.text[found[index].end : found[after].start] in {" ", "-"}
        if follows and not common[after] and len(found[after].text) > _SHORT:
            if not common[index] and word in self._given:
                return 2
            if (
                capital[index]
                and capital[after]
                and (not common[index] or word in self._given or found[after].text in self._family)
            ):
                return 2
            if found[after].text in self._family and word in self._given:
                return 2
        told = view.text[max(0, found[index].start - _BEFORE) : found[index].start]
        if capital[index] and _CALLED.search(told):
            return 1 + sum(1 for _ in itertools.takewhile(bool, capital[after : after + 2]))
        if common[index] or not (capital[index] or word in self._given):
            return 0
        return int(bool(_NEAR_ONE.search(told)) or (word in self._given and bool(_SHOWN.search(told))))

    @staticmethod
    def _latin(view: View, original: str, token: Token) -> bool:
        """Whether a word is written in Latin letters, in part at least: what others look like is no name of theirs."""
        told = unicodedata.normalize("NFKC", original[view.starts[token.start] : view.ends[token.end - 1]])
        return any(char.isascii() and char.isalpha() for char in told)

    def _common(self, word: str) -> bool:
        if len(word) <= _SHORT or word in self._words:
            return True
        stems = [word[: -len(end)] for end in _ENDS if word.endswith(end) and len(word) - len(end) >= _SHORT + 1]
        return any(stem in self._words or f"{stem}e" in self._words or stem[:-1] in self._words for stem in stems)

    def _is_known(self, view: View, original: str, part: Sequence[Token]) -> bool:
        name = " ".join(token.text for token in part)
        if name in self._known:
            return True
        if name not in self._capital:
            return False
        starts = [original[view.starts[token.start]] for token in part]
        told = view.text[max(0, part[0].start - _BEFORE) : part[0].start]
        alone = view.text.strip() == view.text[part[0].start : part[-1].end]
        return (all(char.isupper() for char in starts) and not original.istitle()) or bool(_SHOWN.search(told)) or alone

    def _alone(self, view: View, original: str, token: Token) -> bool:
        word = token.text
        if word in self._single:
            return True
        if len(word) >= _GLUED_FROM and word in self._known and word not in self._words:
            return True
        if word not in self._shown:
            return False
        whole = not view.text.replace(word, "", 1).strip(" .,!\"'()")
        told = view.text[max(0, token.start - _BEFORE) : token.start]
        behind = _GOES_ON.match(view.text, token.end) is not None
        capital = original[view.starts[token.start]].isupper()
        return whole or (
            capital and behind and (bool(_SHOWN.search(told)) or not told.strip() or told.rstrip()[-1] in ",;(\n")
        )

    def _lent(self, text: str, found: Sequence[Token], index: int) -> int:
        """The token behind an artist's name that only lends a style, 0 if it is none."""
        before = bool(_STYLE_BEFORE.search(text[max(0, found[index].start - _BEFORE) : found[index].start]))
        for size in range(min(_LONG, len(found) - index), 0, -1):
            part = found[index : index + size]
            if (before or _STYLE_AFTER.match(text, part[-1].end)) and " ".join(
                token.text for token in part
            ) in self._styles:
                return index + size
        return 0

    def _transliterated(self, view: View, original: str, part: Sequence[Token]) -> bool:
        if " ".join(token.text for token in part) in self._native:
            return True
        readings = [romanised(token.text) for token in part]
        if len(part) == 1:
            return any(one in self._single for one in readings[0])
        latin = " ".join(reading[0] for reading in readings)
        if latin in self._known or " ".join(reading[-1] for reading in readings) in self._known:
            return True
        named = all(original[view.starts[token.start]].isupper() for token in part)
        bones = skeleton(latin)
        return (named or len(bones.replace(" ", "")) >= _BONES_FROM) and bones in self._bones

    def _joined(self, text: str, part: Sequence[Token]) -> bool:
        return all(text[one.end : two.start] in _GAPS for one, two in itertools.pairwise(part))
