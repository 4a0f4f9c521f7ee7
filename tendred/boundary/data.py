"""The room's word data: packaged TOML, read once, refused as a whole when anything about it is odd."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final, TypeVar

import msgspec

from tendred.boundary.sums import SUMS

VERSION: Final = 2
"""Counts changes of the rules in code; changes of the data show in the hash."""

_FILES: Final = ("ages", "anchor", "minors", "normalise", "persons", "reasons")
_TONGUES: Final = "tongues/"
_Table = TypeVar("_Table", bound=msgspec.Struct)


class RulesBroken(Exception):  # noqa: N818  (says what happened, as the classes of errors.py do)
    """The word data can't be used: no rule may run on half of it, so nothing is judged at all."""


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data file; a key that no rule reads is a mistake."""


class AgeWords(_Data, frozen=True):
    """What age rules need: whom an age may belong to, and what else numbers count."""

    people: list[str]
    units: list[str]
    things: list[str]
    thing_adjectives: list[str]
    time_before: list[str]
    time_after: list[str]
    dozens: list[str]


class MinorWords(_Data, frozen=True):
    """Words for minors and the phrases that are let through; `lists` fill the `{slots}`."""

    words: list[str]
    relatives: list[str]
    grown: list[str]
    nouns: list[str]
    noun_ends: list[str]
    phrases: list[str]
    exceptions: list[str]
    harmless_spelling: list[str]
    glued: list[str]
    glued_ok: list[str]
    unsplit: list[str]
    lists: dict[str, list[str]]


class PersonWords(_Data, frozen=True):
    """Phrases (regular expressions) that point at a real person, and words that are names or aren't."""

    always: list[str]
    likeness: list[str]
    office: list[str]
    no_names: list[str]
    given: list[str]
    single: list[str]
    single_shown: list[str]


class AnchorWords(_Data, frozen=True):
    """Words that mean a person, words that mean anything else, and words that mean neither."""

    people: list[str]
    scenes: list[str]
    neutral: list[str]


class FoldTables(_Data, frozen=True):
    """What characters read as: a Latin letter to its look-alikes, an emoji to its words."""

    lookalikes: dict[str, str]
    emoji: dict[str, str]


class Tongue(_Data, frozen=True):
    """One language's words, in its own script; `*` at a word's end stands for any end, a hyphen for a space.

    `minor` is refused wherever it stands, `here` (a common word in other languages) beside one of `markers`;
    `exceptions` let through what lies in them. Ages: `years` and `weak` follow a number (the latter unless one of
    `time_*` or `things` stands beside it), `before` goes before one, `births` stands near a year; `numbers` and
    `genitive` are those from 1 on, the latter glued to one of `joined`. `solid*` is for scripts without spaces.
    """

    minor: list[str] = []
    here: list[str] = []
    markers: list[str] = []
    exceptions: list[str] = []
    numbers: list[str] = []
    genitive: list[str] = []
    joined: list[str] = []
    years: list[str] = []
    weak: list[str] = []
    before: list[str] = []
    births: list[str] = []
    time_before: list[str] = []
    time_after: list[str] = []
    things: list[str] = []
    solid: list[str] = []
    solid_words: list[str] = []
    solid_exceptions: list[str] = []
    solid_years: list[str] = []
    solid_before: list[str] = []
    solid_births: list[str] = []


class NameTables(_Data, frozen=True):
    """Hashes of folded names, eight bytes each, sorted; what each is for: tendred/boundary/names.py."""

    known: bytes
    capital: bytes
    native: bytes
    bones: bytes
    given: bytes
    family: bytes
    words: bytes
    styles: bytes


class Head(_Data, frozen=True):
    """The trained head: one signed byte for each slot of hashed letters, and what they are worth."""

    weights: bytes
    scale: float
    bias: float
    threshold: float


class Rules(msgspec.Struct, frozen=True):
    """All of it, and the name of the policy that it makes with the code."""

    ages: AgeWords
    anchor: AnchorWords
    minors: MinorWords
    folding: FoldTables
    persons: PersonWords
    reasons: dict[str, dict[str, str]]
    tongues: dict[str, Tongue]
    names: NameTables
    head: Head
    policy: str


def packaged() -> dict[str, bytes]:
    """The bytes of the package's word data, by name. Raises RulesBroken."""
    folder = resources.files("tendred.boundary") / "data"
    try:
        return {name: folder.joinpath(*_path(name).split("/")).read_bytes() for name in SUMS}
    except OSError as error:
        raise RulesBroken(str(error)) from error


def load() -> Rules:
    """The rules of the package. Raises RulesBroken where a file is missing or isn't the one this code was made with."""
    return trusted(packaged())


def trusted(raw: Mapping[str, bytes]) -> Rules:
    """Make rules of data whose hashes are the compiled ones, of all of it. Raises RulesBroken."""
    told = {name: digest(data) for name, data in raw.items()}
    if wrong := sorted(name for name in {*SUMS, *told} if SUMS.get(name) != told.get(name)):
        raise RulesBroken(f"not the data that this version was made with: {', '.join(wrong)}")
    return parse(raw)


def digest(data: bytes) -> str:
    """What names a file's content. Line ends of text don't count: a checkout may change them, the words stay the same."""
    return hashlib.sha256(data if b"\0" in data else data.replace(b"\r\n", b"\n")).hexdigest()


def _path(name: str) -> str:
    return name if name.endswith(".bin") else f"{name}.toml"


def parse(raw: Mapping[str, bytes]) -> Rules:
    """Make rules of the files' bytes, by name without suffix. Raises RulesBroken."""
    try:
        return Rules(
            ages=_table(raw["ages"], AgeWords),
            anchor=_table(raw["anchor"], AnchorWords),
            minors=_table(raw["minors"], MinorWords),
            folding=_table(raw["normalise"], FoldTables),
            persons=_table(raw["persons"], PersonWords),
            reasons=msgspec.convert(_toml(raw["reasons"]), dict[str, dict[str, str]]),
            tongues=dict(_tongues(raw)),
            names=_packed(raw["names.bin"], NameTables),
            head=_packed(raw["head.bin"], Head),
            policy=_policy(raw),
        )
    except (KeyError, ValueError) as error:
        # TOMLDecodeError, UnicodeDecodeError and msgspec.ValidationError are all ValueErrors.
        raise RulesBroken(str(error)) from error


def _table(raw: bytes, kind: type[_Table]) -> _Table:
    table = msgspec.convert(_toml(raw), kind)
    if not all(getattr(table, field) for field in kind.__struct_fields__):
        # An empty list would switch a rule off in silence.
        raise ValueError(f"{kind.__name__}: a list is empty")
    return table


def _tongues(raw: Mapping[str, bytes]) -> Iterator[tuple[str, Tongue]]:
    for name, data in sorted(raw.items()):
        if name.startswith(_TONGUES):
            tongue = msgspec.convert(_toml(data), Tongue)
            if not (tongue.minor or tongue.solid):
                raise ValueError(f"{name}: no words")
            yield name.removeprefix(_TONGUES), tongue


def _packed(data: bytes, kind: type[_Table]) -> _Table:
    table = msgspec.msgpack.decode(data, type=kind)
    if not all(getattr(table, field) for field in kind.__struct_fields__ if field != "bias"):
        raise ValueError(f"{kind.__name__}: a table is empty")
    return table


def _toml(raw: bytes) -> dict[str, Any]:
    return tomllib.loads(raw.decode())


def _policy(raw: Mapping[str, bytes]) -> str:
    told = hashlib.sha256()
    for name, data in sorted(raw.items()):
        told.update(f"{name} {digest(data)}\n".encode())
    return f"{VERSION}+{told.hexdigest()[:8]}"
