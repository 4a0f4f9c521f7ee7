"""Whether a person may be in frame, and the adult age that is stated then."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tendred.boundary.data import AnchorWords
from tendred.boundary.normalise import View
from tendred.boundary.phrases import tokens
from tendred.schema.sealed import Conditioning, Span

ANCHOR: Final = "adult"
NEGATIVE: Final = "child, teenager, young"

_ADULT = re.compile(r"\b(?:adult\w*|grown[\s-]*ups?|mature|elderly|m[uû]re?s?)\b", re.IGNORECASE)
"""Wishes against the anchor: a negative prompt can't take back what it says."""


class Anchor:
    """Composes what the encoders get."""

    def __init__(self, words: AnchorWords, fold: Callable[[str], str]) -> None:
        self._people = _folded(words.people, fold)
        self._scenes = _folded(words.scenes, fold)
        self._known = _folded(words.neutral, fold) | self._scenes

    def may_show_person(self, prompt: View) -> bool:
        """False only where every word is known to be none of a person's, and one names what is shown instead."""
        words = [token.text for token in tokens(prompt.text) if not token.text.isdecimal()]
        foreign = any(char.isalpha() and not char.isascii() for char in prompt.text)
        if foreign or any(word in self._people for word in words):
            return True
        return not (all(word in self._known for word in words) and any(word in self._scenes for word in words))

    def names_person(self, name: View) -> bool:
        """Whether a LoRA, tag or file name holds a word for a person. Most such names are no sentence: no doubts here."""
        return any(token.text in self._people for token in tokens(name.text))


def compose(prompt: str, negative: str, *, anchored: bool, age: int | None) -> tuple[Conditioning, list[str]]:
    """The conditioning, and which words were left out of it.

    `age` is the adult age the prompt states itself, in years; it takes the default's place. Spans are joined as they
    are, so each brings its own separator. Our negative words come first: a long wish must not push them out.
    """
    if not anchored:
        spans = [Span(text=negative)] if negative else []
        return Conditioning(prompt=[Span(text=prompt)], negative=spans, anchor=None), []
    removed = [found.group() for found in _ADULT.finditer(negative)]
    rest = _ADULT.sub("", negative).strip(" ,;")
    spans = [Span(text=NEGATIVE)] + ([Span(text=f", {rest}")] if rest else [])
    anchor = ANCHOR if age is None else f"{age}-year-old {ANCHOR}"
    return Conditioning(prompt=[Span(text=prompt)], negative=spans, anchor=anchor), removed


def _folded(words: list[str], fold: Callable[[str], str]) -> frozenset[str]:
    """The words folded, with their plurals; a phrase counts word by word."""
    single = {token.text for word in words for token in tokens(fold(word))}
    return frozenset(single | {f"{word}s" for word in single} | {f"{word}es" for word in single})
