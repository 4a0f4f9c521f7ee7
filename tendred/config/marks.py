"""What files are signed with and what counts as known, as the settings have it."""

from __future__ import annotations

from pathlib import Path

from tendred.config.paths import Paths
from tendred.config.schema import MarksSection
from tendred.schema.marks import Signing, Verify


def signing_of(section: MarksSection, paths: Paths) -> Signing:
    """For the child that signs."""
    return Signing(folder=str(paths.signing), certificate=_place(section.certificate), key=_place(section.key))


def looked_at(section: MarksSection, paths: Paths, path: Path, *, deep: bool) -> Verify:
    """The order for looking at a file."""
    return Verify(path=str(path), folder=str(paths.signing), trust=_place(section.trust), deep=deep)


def _place(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""
