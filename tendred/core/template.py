r"""Choices in a prompt: what the words may be, and which of them a seed takes. Pure.

    {red|green|blue} hills        one of three
    {2::red|0.5::blue} hills      red four times as often as blue; without a weight an option has 1
    __animals__ on a hill         a line of the wildcard `animals`; a line is a prompt like any other
    \{ \} \| \__                  the characters themselves

A backslash keeps what stands behind it from being read here. It stays where it is (`weights` takes it away), so that
a prompt without choices is its own expansion, and an expansion can be sent again.

The draw: for the k-th choice of a field (counting from 0, from left to right, the outer before those inside), the first
eight bytes of SHA-256 over `tendred.choice.1|FIELD|SEED|k`, big-endian, as a fraction of 2**64, point at a place on
the line of the options' weights. Nothing else goes in: not the time, not another job, not another field.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

from tendred.core.trail import Edit, Edits

DEPTH: Final = 32
"""Choices and wildcards within one another."""
DRAWS: Final = 1_000
"""Choices that one prompt may take."""
COMBINATIONS: Final = 2**53 - 1
"""More than so many ways to expand a prompt are told as this many."""
NAME: Final = r"[a-z0-9]+(?:[-_/][a-z0-9]+)*"
"""A wildcard's name: words of small letters and digits, with a single `-`, `_` or (for a folder) `/` between them."""

_TOKEN: Final = re.compile(rf"\\.|[{{}}|]|__(?P<name>{NAME})__", re.DOTALL)
_WEIGHT: Final = re.compile(r"\s*(?P<whole>\d{1,4})(?:\.(?P<part>\d{1,3}))?::")
_ODD_WEIGHT: Final = re.compile(r"\s*(?P<sign>[-+]?(?:\d[\d.,]{0,40}|[.,]\d{1,40}))\s*::")
"""Who writes a number there means a weight."""
_UNIT: Final = 1000
"""Weights are counted in thousandths: whole numbers draw alike on every machine."""


class Broken(Exception):  # noqa: N818 - as our own errors: it says what happened
    """A text that is no template. `problem` says why; whoever knows the field makes an error of ours of it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class TooLong(Exception):  # noqa: N818 - as above
    """An expansion that outgrew its limit."""


class Wild(NamedTuple):
    """A line of a wildcard, at `[start, end)` of the source."""

    name: str
    start: int
    end: int


class Choice(NamedTuple):
    """One of several options, at `[start, end)` of the source."""

    options: Options
    start: int
    end: int


Template = tuple["str | Choice | Wild", ...]
"""Text and choices, in order."""


@dataclass(frozen=True)
class Options:
    """What there is to choose from: a weight in thousandths for each text."""

    weights: tuple[int, ...]
    texts: tuple[Template, ...]

    @cached_property
    def ends(self) -> list[int]:
        """Where each text ends on the line of the weights: a file of ten thousand is summed once, not for every draw."""
        return list(accumulate(self.weights))


@dataclass
class _Reader:
    """A place in a text that is read once, from left to right."""

    source: str
    at: int = 0

    def template(self, depth: int) -> tuple[Template, str]:
        """As far as the end, or to a `|` or `}` inside of a choice; also which of these it was."""
        nodes: list[str | Choice | Wild] = []
        begun = self.at
        for found in iter(self._next, None):
            sign, start = found[0], found.start()
            if sign == "{":
                nodes += [self.source[begun:start], self._choice(start, depth + 1)]
            elif found["name"]:
                nodes += [self.source[begun:start], Wild(found["name"], start, found.end())]
            elif depth and sign in {"|", "}"}:
                nodes.append(self.source[begun:start])
                return _tidy(nodes), sign
            else:
                continue
            begun = self.at
        nodes.append(self.source[begun:])
        return _tidy(nodes), ""

    def _next(self) -> re.Match[str] | None:
        found = _TOKEN.search(self.source, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _choice(self, start: int, depth: int) -> Choice:
        if depth > DEPTH:
            raise Broken(f"choices are nested deeper than {DEPTH} levels")
        weights: list[int] = []
        texts: list[Template] = []
        ended = "|"
        while ended == "|":
            weights.append(self._weight())
            text, ended = self.template(depth)
            texts.append(_stripped(text))
        if not ended:
            raise Broken(f"the {{ at character {start + 1} is never closed; write \\{{ for a brace that is meant")
        if not any(weights):
            raise Broken(f"no option of the choice at character {start + 1} can be taken: all have the weight 0")
        return Choice(Options(tuple(weights), tuple(texts)), start, self.at)

    def _weight(self) -> int:
        found = _WEIGHT.match(self.source, self.at)
        if found is None:
            if odd := _ODD_WEIGHT.match(self.source, self.at):
                raise Broken(f"{odd['sign']} is no weight; write a number from 0 to 9999.999 before ::")
            return _UNIT
        self.at = found.end()
        return int(found["whole"]) * _UNIT + int((found["part"] or "").ljust(3, "0"))


def parse(text: str) -> Template:
    """A prompt as written. Raises Broken."""
    return _Reader(text).template(0)[0]


def option(line: str) -> tuple[int, Template]:
    """A line of a wildcard: its weight in thousandths, and its text. Raises Broken."""
    reader = _Reader(line)
    weight = reader._weight()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of this very module
    if (len(line) - len(line.rstrip("\\"))) % 2:
        raise Broken("it ends in a backslash, which would change what stands behind it")
    return weight, _stripped(reader.template(0)[0])


def names(template: Template) -> set[str]:
    """The wildcards that are named in it."""
    found: set[str] = set()
    for node in template:
        if isinstance(node, Wild):
            found.add(node.name)
        elif isinstance(node, Choice):
            found.update(*map(names, node.options.texts))
    return found


def combinations(template: Template, wildcards: Mapping[str, Options]) -> int:
    """In how many ways it can be expanded, at most COMBINATIONS. Wildcards must not name themselves. Raises Broken."""
    return _Count(wildcards).of(template, 0)[0]


class _Count:
    """Counts ways, and how many choices and wildcards lie within one another at the deepest: a `(ways, levels)` each."""

    def __init__(self, wildcards: Mapping[str, Options]) -> None:
        self._wildcards = wildcards
        self._known: dict[str, tuple[int, int]] = {}

    def of(self, parts: Template, depth: int) -> tuple[int, int]:
        """Of a text that lies within `depth` choices. Raises Broken for what `Draw` would find too deep."""
        ways, levels = 1, 0
        for node in parts:
            if isinstance(node, str):
                continue
            if depth >= DEPTH:
                raise _too_deep()
            inner, below = self._node(node, depth + 1)
            ways, levels = min(ways * inner, COMBINATIONS), max(levels, below + 1)
        if depth + levels > DEPTH:  # a wildcard that was counted where it lay less deep
            raise _too_deep()
        return ways, levels

    def _node(self, node: Choice | Wild, depth: int) -> tuple[int, int]:
        if isinstance(node, Choice):
            return self._options(node.options, depth)
        if node.name not in self._known:
            self._known[node.name] = self._options(self._wildcards[node.name], depth)
        return self._known[node.name]

    def _options(self, options: Options, depth: int) -> tuple[int, int]:
        ways, levels = 0, 0
        for weight, text in zip(options.weights, options.texts, strict=True):
            if weight:
                inner, below = self.of(text, depth)
                ways, levels = min(ways + inner, COMBINATIONS), max(levels, below)
        return ways, levels


class Draw:
    """One expansion: the choices that a seed takes in a field."""

    def __init__(self, wildcards: Mapping[str, Options], *, seed: int, field: str, limit: int) -> None:
        """`wildcards`: all that can be reached, none naming itself. `limit`: characters of the outcome at most."""
        self._wildcards = wildcards
        self._key = f"tendred.choice.1|{field}|{seed}|"
        self._limit = limit
        self._taken = 0
        self._size = 0

    def expand(self, template: Template) -> tuple[str, Edits]:
        """The words, and where they came from. Raises Broken, TooLong."""
        words: list[str] = []
        edits: list[Edit] = []
        for node in template:
            text = self._one(node, 0)
            words.append(text)
            if not isinstance(node, str):
                edits.append(Edit(node.start, node.end, len(text)))
        final = "".join(words)
        if any(not isinstance(node, str) for node in parse(final)):
            # `_{_a_|b}_`: sent again, it would be another prompt.
            raise Broken("pieces of it become a wildcard's name together; write \\__ for these very characters")
        return final, tuple(edits)

    def _one(self, node: str | Choice | Wild, depth: int) -> str:
        if isinstance(node, str):
            self._size += len(node)
            if self._size > self._limit:
                raise TooLong
            return node
        if depth >= DEPTH:
            raise _too_deep()
        options = self._wildcards[node.name] if isinstance(node, Wild) else node.options
        text = options.texts[self._pick(options.ends)]
        return "".join([self._one(part, depth + 1) for part in text])

    def _pick(self, ends: Sequence[int]) -> int:
        if self._taken >= DRAWS:
            raise Broken(f"it takes more than {DRAWS} choices")
        digest = hashlib.sha256(f"{self._key}{self._taken}".encode()).digest()
        self._taken += 1
        return bisect_right(ends, int.from_bytes(digest[:8], "big") * ends[-1] >> 64)


def _too_deep() -> Broken:
    return Broken(f"choices and wildcards are nested deeper than {DEPTH} levels")


def _tidy(nodes: list[str | Choice | Wild]) -> Template:
    return tuple(node for node in nodes if node != "")


def _stripped(text: Template) -> Template:
    """Without blanks at both ends: people write `{red | blue}`."""
    nodes = list(text)
    if nodes and isinstance(nodes[0], str):
        nodes[0] = nodes[0].lstrip()
    if nodes and isinstance(nodes[-1], str):
        nodes[-1] = _rstripped(nodes[-1])
    return _tidy(nodes)


def _rstripped(text: str) -> str:
    bare = text.rstrip()
    # A backslash before a blank keeps it.
    kept = (len(bare) - len(bare.rstrip("\\"))) % 2
    return text[: len(bare) + kept]
