"""What files are signed with and looked at by in tests: a real key that nobody keeps, a check that is easily seen to work."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from tendred.media.worker.credentials import Signatory
from tendred.schema.marks import Signing


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tendred-signing-", ignore_cleanup_errors=True)


def signing() -> Signing:
    """The same in the whole of a test run."""
    return Signing(folder=str(Path(_folder().name) / "signing"))


@lru_cache(maxsize=1)
def signatory() -> Signatory:
    """Signs with `signing()`."""
    return Signatory(signing())


class NoRed:
    """An output check that withholds pictures whose first pixel is red."""

    name = "no-red"
    version = "1"

    def look(self, rgb: bytes, width: int, height: int) -> str | None:
        del width, height
        return "test.red" if rgb[:3] == b"\xff\0\0" else None

    def withheld_example(self) -> tuple[bytes, int, int]:
        return b"\xff\0\0", 1, 1


class LetsAllThrough(NoRed):
    """One that withholds nothing."""

    name = "lets-all-through"

    def look(self, rgb: bytes, width: int, height: int) -> str | None:
        del rgb, width, height
