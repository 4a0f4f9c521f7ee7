"""The one place that decides: words in, a verdict and the conditioning out, and the seal on what was allowed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from tendred.boundary import numerals
from tendred.boundary.ages import ADULT, Age, Ages, stated_adult
from tendred.boundary.anchor import Anchor, compose, without
from tendred.boundary.ciphers import deciphered, turned
from tendred.boundary.data import Head, RulesBroken, load, trusted
from tendred.boundary.head import Semantic
from tendred.boundary.minors import Minors
from tendred.boundary.names import Names
from tendred.boundary.native import native
from tendred.boundary.normalise import Folder, View, unreadable
from tendred.boundary.persons import Persons
from tendred.boundary.phrases import Token, tokens
from tendred.boundary.seal import canonical, open_seal, seal, vouch
from tendred.boundary.tongues import Tongues
from tendred.boundary.typos import Typos
from tendred.boundary.views import readings, respelled, spelled, unleeted
from tendred.schema.base import Record
from tendred.schema.sealed import MOST_WEIGHT, Conditioning, Reviewed, Span, Verdict
from tendred.schema.work import Finding

_KEY_BYTES: Final = 32
# Words that a leet spelling may hide besides those for minors.
_AGE_WORDS: Final = frozenset(
    {
        "year", "years", "old", "age", "aged", "ans", "teens", "month", "months", "week", "weeks", "born", "turn", "turns", "turned",
        "turning", "birthday", "life", "about", "just", "minor", "minors", "woman", "women", "person", "she",
    }
)  # fmt: skip
# Short words that tell an age together with others; longer ones are found in a run by themselves.
_BETWEEN: Final = frozenset(
    {"her", "his", "she", "son", "men", "man", "their", "with", "young", "who", "of", "in", "is", "yo"}
)
_IN_RUNS: Final = 4
_RULES: Final = (
    "minor.word", "minor.age", "minor.birth", "minor.sense", "person.known", "person.likeness", "person.office", "text.unreadable",
)  # fmt: skip
_LANGUAGES: Final = ("en", "fr")
_TOLD: Final = tuple(f"{lang}{part}" for lang in _LANGUAGES for part in ("", "_pass"))
"""What is said of each rule in each language: why it refuses, and what would pass."""
_LONG_ENOUGH: Final = 4
_LETTERS: Final = 2
_COUNTS: Final = 0.5
"""A span of less weight than this may not show at all."""


class Words(Record, frozen=True):
    """Every word of a final request, after plugins and expansion.

    `spans` and `negative_spans` are how the two prompts are weighed; none of them: every word counts alike. `names`:
    LoRAs, character, model, tags, file names; they are judged as prompt text. `character`: the name of the one in use,
    which the prompt may say too. `person`: somebody may be in frame whatever the words say, as with a character, or with
    a picture of somebody.
    """

    prompt: str
    negative_prompt: str = ""
    spans: list[Span] = msgspec.field(default_factory=list[Span])
    negative_spans: list[Span] = msgspec.field(default_factory=list[Span])
    names: list[str] = msgspec.field(default_factory=list[str])
    kind: Literal["still", "clip"] = "still"
    character: str | None = None
    person: bool = False


class _Hit(NamedTuple):
    """A rule that refuses, and where in the text as received."""

    span: tuple[int, int]
    rule: str


class Boundary:
    """Judges, seals and opens. Pure: key, year and word data are handed in; no other data than the package's is taken."""

    def __init__(self, key: bytes, *, year: Callable[[], int], data: Mapping[str, bytes] | None = None) -> None:
        """`key`: at least 32 secret bytes. `year` tells the current one. `data`: `packaged()`, read if it isn't handed in.

        Raises ValueError, and RulesBroken where a byte of the data differs from what this code was made with.
        """
        if len(key) < _KEY_BYTES:
            raise ValueError(f"the boundary's key needs {_KEY_BYTES} bytes")
        rules = load() if data is None else trusted(data)
        if any(not rules.reasons.get(rule, {}).get(part) for rule in _RULES for part in _TOLD):
            raise RulesBroken("a rule has no reason")
        self._key = key
        self._year = year
        self._reasons = rules.reasons
        self._folder = Folder(rules.folding.lookalikes, rules.folding.emoji)
        self._minors = Minors(rules.minors, self._fold)
        self._ages = Ages(rules.ages)
        self._persons = Persons(rules.persons)
        self._tongues = Tongues(rules.tongues)
        self._names = Names(rules.names, rules.persons)
        self._sense = _semantic(rules.head)
        self._anchor = Anchor(rules.anchor, self._fold)
        self._vocabulary = self._minors.vocabulary() | numerals.WORDS | _AGE_WORDS
        self._typos = Typos(self._minors.core(), self._vocabulary, self._names.is_word)
        in_runs = {word for word in self._vocabulary if len(word) >= _IN_RUNS} | numerals.WORDS | _AGE_WORDS | _BETWEEN
        self._in_runs = re.compile(f"({'|'.join(sorted(in_runs, key=len, reverse=True))})")
        self.policy: str = rules.policy

    def judge(self, words: Words, *, lang: str = "en") -> tuple[Verdict, Conditioning | None]:
        """The verdict, and with an `allow` what the encoders get. Its reason is told in `lang` ("en" or "fr").

        Weighed prompts are judged as a whole, with a gap at every seam, and span by span: a weight within a word
        must not hide it, and an encoder sees each span's words for themselves. Raises ValueError where the spans
        don't join to their prompt, or count for less than nothing.
        """
        prompt, negative = _weighed(words.prompt, words.spans), _weighed(words.negative_prompt, words.negative_spans)
        in_prompt = _first(prompt, self._refusal)
        if in_prompt:
            return self._refused(in_prompt.rule, in_prompt.span, lang), None
        elsewhere = next((hit for name in words.names if (hit := self._refusal(name))), None) or _first(
            negative, self._negative_refusal
        )
        if elsewhere:
            return self._refused(elsewhere.rule, None, lang), None
        conditioning, removed = self._compose(words, prompt, negative)
        verdict = Verdict(
            verdict="allow", rule=None, reason=None, span=None, removed=removed, policy=self.policy, passes=None
        )
        return verdict, conditioning

    def approve(self, request: bytes, conditioning: Conditioning) -> Reviewed:
        """Seal an allowed request (its canonical bytes) with the conditioning that `judge` gave."""
        return seal(self._key, request, canonical(conditioning), self.policy)

    def open(self, reviewed: Reviewed) -> tuple[bytes, Conditioning]:
        """What was sealed. Raises SealBroken. A seal of another policy opens: the caller judges such a job anew."""
        return open_seal(self._key, reviewed)

    def reseal(self, reviewed: Reviewed, key: bytes) -> Reviewed:
        """The same content under a child's session key. Raises SealBroken."""
        self.open(reviewed)
        return seal(key, reviewed.request, reviewed.conditioning, reviewed.policy)

    def vouch(self, asset_id: str, sha256: str, receipt_sha256: str) -> bytes:
        """Say that a file was made here and passed; nobody without the key can."""
        return vouch(self._key, asset_id, sha256, receipt_sha256)

    def judge_output(self, findings: list[Finding]) -> Finding | None:
        """The first finding that withholds an output, None if it may be kept."""
        return next((finding for finding in findings if finding.refuse), None)

    def knows(self, name: str) -> bool:
        """Whether a name is in the gazetteer: for measuring. A verdict never says which entry it was."""
        return self._names.knows(self._fold(name))

    def _refused(self, rule: str, span: tuple[int, int] | None, lang: str) -> Verdict:
        lang = lang if lang in _LANGUAGES else "en"
        told = self._reasons[rule]
        return Verdict(
            verdict="refuse", rule=rule, reason=told[lang], span=span, removed=[], policy=self.policy,
            passes=told[f"{lang}_pass"],
        )  # fmt: skip

    def _refusal(self, text: str) -> _Hit | None:
        """The leftmost hit of every rule; where there is none, what the words together sound like."""
        noise = unreadable(text)
        if noise:
            return _Hit(noise, "text.unreadable")
        if hit := min(self._hits(text), default=None, key=lambda one: (one.span[0], -one.span[1])):
            return hit
        # What was turned round or encoded has no place of its own to point at.
        if any(self._hidden(told, text, sure=True) for told in deciphered(text)) or any(
            self._hidden(told, text, sure=False) for told in turned(text)
        ):
            return _Hit((0, len(text)), "text.unreadable")
        view = native(text)
        # The head can't tell one number from another: where an adult's age is stated, the rules have the word.
        sounds = None if self._adult(text, view) else self._sense.find(view)
        return _Hit(view.span(*sounds), "minor.sense") if sounds else None

    def _adult(self, text: str, view: View) -> bool:
        year = self._year()
        told = itertools.chain(
            self._ages.find(numerals.digits(self._folder.fold(text)).text, year), self._tongues.find(view.text, year)
        )
        return any(age.years >= ADULT for age in told)

    def _negative_refusal(self, text: str) -> _Hit | None:
        # Words for minors are fine here: they say what the picture must not show. A person's name isn't: models
        # take it up as a theme all the same, and noise may hide anything.
        noise = unreadable(text)
        if noise:
            return _Hit(noise, "text.unreadable")
        return min(self._person_hits(self._folder.fold(text), text), default=None)

    def _hits(self, text: str) -> Iterator[_Hit]:
        year = self._year()
        views = list(readings(text, self._folder, self._vocabulary))
        for view in views:
            yield from self._view_hits(numerals.digits(view), text, year)
            yield from self._person_hits(view, text)
            if together := respelled(view, self._in_runs):
                yield from self._view_hits(numerals.digits(together), text, year)
            for run in spelled(view):
                yield from self._spelled_hits(run, text, year)
        for view in self._typos.views(views[0]):
            yield from self._view_hits(numerals.digits(view), text, year)
        for view in unleeted(views[0], self._names.is_part):
            yield from self._person_hits(view, text)
        own = native(text)
        spared = self._minors.spared(views[0])
        for age in self._tongues.find(own.text, year):
            start, end = own.span(age.start, age.end)
            if age.years < ADULT and not any(first <= start and end <= last for first, last in spared):
                yield _Hit((start, end), age.rule)
        if name := self._names.native(own, text):
            yield _Hit(own.span(name.start, name.end), "person.known")

    def _tells(self, token: Token) -> bool:
        """Whether a word may be part of a hit: asked before a text is read as another that hardly ever says anything."""
        return len(token.text) >= _LETTERS and (token.text in self._vocabulary or self._typos.may_mean(token.text))

    def _hidden(self, told: str, text: str, *, sure: bool) -> bool:
        """Whether another reading of the text is refused. `sure`: it is one; else short words turn up by chance."""
        if told.isascii() and not any(self._tells(word) for word in tokens(told.lower())):
            return False
        hits = self._view_hits(numerals.digits(self._folder.fold(told)), told, self._year())
        return any(sure or self._meant(told[slice(*hit.span)], text) for hit in hits)

    def _meant(self, hit: str, text: str) -> bool:
        if len(hit) < _LONG_ENOUGH:
            written = {token.text for token in tokens(text.lower())} & {*turned(hit.lower())}
            return hit.isalpha() and not any(map(self._names.is_word, written))
        return sum(map(str.isalpha, hit)) >= _LETTERS

    def _spelled_hits(self, run: View, text: str, year: int) -> Iterator[_Hit]:
        if " " in run.text:
            yield from self._view_hits(numerals.digits(run), text, year)
            yield from self._person_hits(run, text)
            return
        if word := self._minors.spelled(run):
            yield _Hit(run.span(*word), "minor.word")
        if name := self._names.spelled(run):
            yield _Hit(run.span(name.start, name.end), "person.known")
        yield from self._age_hits(numerals.run(run), year)

    def _view_hits(self, view: View, text: str, year: int) -> Iterator[_Hit]:
        word = self._minors.find(view, text)
        if word:
            yield _Hit(view.span(*word), "minor.word")
        yield from self._age_hits(view, year)

    def _age_hits(self, view: View, year: int) -> Iterator[_Hit]:
        for age in self._ages.find(view.text, year):
            if age.years < ADULT:
                yield _Hit(view.span(age.start, age.end), age.rule)

    def _person_hits(self, view: View, text: str) -> Iterator[_Hit]:
        if hit := self._persons.find(view, text):
            yield _Hit(view.span(hit.start, hit.end), hit.rule)
        if name := self._names.find(view, text):
            yield _Hit(view.span(name.start, name.end), "person.known")

    def _compose(self, words: Words, prompt: list[Span], negative: list[Span]) -> tuple[Conditioning, list[str]]:
        plain = self._folder.fold(words.prompt)
        # What hardly counts names no scene: "(hills:0) red" may show anybody.
        counting = self._folder.fold("".join(span.text for span in prompt if span.weight >= _COUNTS))
        ages: list[Age] = list(self._ages.find(numerals.digits(plain).text, self._year()))
        person = (
            words.person
            or words.character is not None
            or self._anchor.may_show_person(plain)
            or self._anchor.may_show_person(counting)
            or any(self._anchor.names_person(self._folder.fold(name)) for name in words.names)
        )
        keep = frozenset(token.text for token in tokens(self._fold(words.character or "")))
        nobody = self._names.unknown(plain, words.prompt, keep)
        drawn = (without(prompt, nobody) or [Span(text="")]) if nobody else prompt
        conditioning, removed = compose(drawn, negative, anchored=person, age=stated_adult(ages))
        return conditioning, [words.prompt[start:end] for start, end in nobody] + removed

    def _fold(self, text: str) -> str:
        return self._folder.fold(text).text


def _semantic(head: Head) -> Semantic:
    try:
        return Semantic(head)
    except ValueError as error:
        raise RulesBroken(str(error)) from error


def _weighed(text: str, spans: list[Span]) -> list[Span]:
    if not spans:
        return [Span(text=text)]
    if "".join(span.text for span in spans) != text:
        raise ValueError("the spans are not those of the prompt")
    if not all(0 <= span.weight <= MOST_WEIGHT for span in spans):
        raise ValueError("a span's weight is none")
    return spans


def _first(spans: list[Span], refusal: Callable[[str], _Hit | None]) -> _Hit | None:
    """The leftmost hit in the whole text; if there is none, in its pieces, told where they stand in it."""
    texts = [span.text for span in spans]
    if (hit := refusal("".join(texts))) or len(texts) == 1:
        return hit
    starts = list(itertools.accumulate(map(len, texts), initial=0))
    if hit := refusal(" ".join(texts)):
        # The n-th piece stands n characters further on than without the gaps.
        gaps = [start + number for number, start in enumerate(starts[1:-1])]
        start, end = (at - sum(gap < at for gap in gaps) for at in hit.span)
        return _Hit((start, max(end, start + 1)), hit.rule)
    for start, text in zip(starts, texts, strict=False):
        if hit := refusal(text):
            return _Hit((hit.span[0] + start, hit.span[1] + start), hit.rule)
    return None
