"""Whether a person may be in frame, and the adult age that is stated then."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Final

from tendred.boundary.data import AnchorWords
from tendred.boundary.normalise import View
from tendred.boundary.phrases import tokens
from tendred.schema.sealed import Conditioning, Span

ANCHOR: Final = "adult"
NEGATIVE: Final = "child, teenager, young"
_SEPARATORS: Final = " ,;"

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


def compose(
    prompt: list[Span], negative: list[Span], *, anchored: bool, age: int | None
) -> tuple[Conditioning, list[str]]:
    """The conditioning, and which words were left out of it.

    `age` is the adult age the prompt states itself, in years; it takes the default's place. Spans are joined as they
    are, so each brings its own separator. Our negative words come first: a long wish must not push them out.
    """
    said = "".join(span.text for span in negative)
    if not anchored:
        return Conditioning(prompt=prompt, negative=negative if said else [], anchor=None), []
    found = [*_ADULT.finditer(said)]
    rest = without(negative, [match.span() for match in found])
    spans = [Span(text=NEGATIVE), *([Span(text=f", {rest[0].text}", weight=rest[0].weight), *rest[1:]] if rest else [])]
    anchor = ANCHOR if age is None else f"{age}-year-old {ANCHOR}"
    return Conditioning(prompt=prompt, negative=spans, anchor=anchor), [match.group() for match in found]


def in_words(conditioning: Conditioning) -> str:
    """One line for whoever takes words alone, such as a provider of clips: the anchor first, weights left out."""
    words = "".join(span.text for span in conditioning.prompt)
    return words if conditioning.anchor is None else f"{conditioning.anchor}, {words}"


def without(spans: list[Span], cuts: list[tuple[int, int]]) -> list[Span]:
    """The spans less the cuts of their joined text, and less what then stands at both ends without saying anything."""
    weights = [span.weight for span in spans for _ in span.text]
    said = "".join(span.text for span in spans)
    gone = {at for start, end in cuts for at in range(start, end)}
    kept = [at for at in range(len(said)) if at not in gone]
    while kept and said[kept[0]] in _SEPARATORS:
        kept.pop(0)
    while kept and said[kept[-1]] in _SEPARATORS:
        kept.pop()
    runs = itertools.groupby(kept, weights.__getitem__)
    return [Span(text="".join(said[at] for at in run), weight=weight) for weight, run in runs]


def _folded(words: list[str], fold: Callable[[str], str]) -> frozenset[str]:
    """The words folded, with their plurals; a phrase counts word by word."""
    single = {token.text for word in words for token in tokens(fold(word))}
    return frozenset(single | {f"{word}s" for word in single} | {f"{word}es" for word in single})
