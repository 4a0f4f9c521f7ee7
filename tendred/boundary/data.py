"""The room's word data: packaged TOML, read once, refused as a whole when anything about it is odd."""

from __future__ import annotations

import hashlib
import tomllib
from importlib import resources
from typing import Any, Final, TypeVar

import msgspec

VERSION: Final = 1
"""Counts changes of the rules in code; changes of the data show in the hash."""

_FILES: Final = ("ages", "anchor", "minors", "normalise", "persons", "reasons")
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


class AnchorWords(_Data, frozen=True):
    """Words that mean a person, words that mean anything else, and words that mean neither."""

    people: list[str]
    scenes: list[str]
    neutral: list[str]


class FoldTables(_Data, frozen=True):
    """What characters read as: a Latin letter to its look-alikes, an emoji to its words."""

    lookalikes: dict[str, str]
    emoji: dict[str, str]


class Rules(msgspec.Struct, frozen=True):
    """All of it, and the name of the policy that it makes with the code."""

    ages: AgeWords
    anchor: AnchorWords
    minors: MinorWords
    folding: FoldTables
    persons: PersonWords
    reasons: dict[str, dict[str, str]]
    policy: str


def load() -> Rules:
    """Read the packaged data. Raises RulesBroken."""
    try:
        folder = resources.files("tendred.boundary") / "data"
        raw = {name: (folder / f"{name}.toml").read_bytes() for name in _FILES}
    except OSError as error:
        raise RulesBroken(str(error)) from error
    return parse(raw)


def parse(raw: dict[str, bytes]) -> Rules:
    """Make rules of the files' bytes, by name without suffix. Raises RulesBroken."""
    try:
        return Rules(
            ages=_table(raw["ages"], AgeWords),
            anchor=_table(raw["anchor"], AnchorWords),
            minors=_table(raw["minors"], MinorWords),
            folding=_table(raw["normalise"], FoldTables),
            persons=_table(raw["persons"], PersonWords),
            reasons=msgspec.convert(_toml(raw["reasons"]), dict[str, dict[str, str]]),
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


def _toml(raw: bytes) -> dict[str, Any]:
    return tomllib.loads(raw.decode())


def _policy(raw: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in _FILES:
        # Line ends don't count: a checkout may change them, and the words stay the same.
        data = raw[name].replace(b"\r\n", b"\n")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return f"{VERSION}+{digest.hexdigest()[:8]}"
