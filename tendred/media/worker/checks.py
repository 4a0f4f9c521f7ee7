"""The output check: it looks at every picture before anybody else can, previews included. None ships with tendred.

A check is a package of somebody's with an entry point in the group `tendred.output_checks`, named by `media.output_check`.
It is a backstop, never a proof, and a check that lets everything through is none: so each brings a picture that it
withholds, and one that lets that through too counts as `none` in every receipt.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any, Final, Protocol

from PIL import Image

from tendred.errors import Internal, OutputWithheld
from tendred.schema.marks import Checked, OutputCheck

GROUP: Final = "tendred.output_checks"


class Check(Protocol):
    """What an entry point makes when it is called without arguments. Blocking; one call at a time."""

    name: str
    version: str

    def look(self, rgb: bytes, width: int, height: int) -> str | None:
        """The rule by which a picture is withheld, None if it may be shown: 8-bit RGB, rows from the top."""
        ...

    def withheld_example(self) -> tuple[bytes, int, int]:
        """A harmless picture that it withholds, as `look` takes it: a pattern, a drawing. Only tests the check."""
        ...


class Checker:
    """The check that was asked for. What goes wrong in it withholds: nobody looked at the picture then."""

    def __init__(self, check: Check | None = None, missing: str = "") -> None:
        self._check = check
        self._missing = missing
        self.told: Checked = "none"
        if check is not None and self._works(check):
            self.told = OutputCheck(name=check.name, version=check.version)

    @classmethod
    def named(cls, name: str) -> Checker:
        """By the name of its entry point; empty is none."""
        if not name:
            return cls()
        found = [point for point in metadata.entry_points(group=GROUP) if point.name == name]
        if not found:
            return cls(missing=f"no installed package brings an output check named {name}")
        try:
            made: Any = found[0].load()()
        except Exception as problem:  # noqa: BLE001 - a package of somebody's; what it raises is anybody's guess
            return cls(missing=f"the output check {name} does not start: {type(problem).__name__}: {problem}")
        return cls(made)

    def look(self, picture: Image.Image) -> None:
        """Raises OutputWithheld; Internal where the check that was asked for isn't there, or broke."""
        if self._missing:
            raise Internal(problem=self._missing)
        if self._check is None:
            return
        try:
            rule = self._check.look(picture.tobytes(), *picture.size)
        except Exception as problem:
            raise Internal(problem=f"the output check broke: {type(problem).__name__}: {problem}") from problem
        if rule is not None:
            raise OutputWithheld(rule=rule)

    def _works(self, check: Check) -> bool:
        try:
            works = check.look(*check.withheld_example()) is not None
        except Exception as problem:  # noqa: BLE001 - see `named`
            self._missing = f"the output check {check.name} broke: {type(problem).__name__}: {problem}"
            return False
        if not works:
            sys.stderr.write(f"the output check {check.name} lets through what it must withhold: it counts as none\n")
        return works
