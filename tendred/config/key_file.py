"""A file of the user's that holds one token or key."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from tendred.config.secret import Secret

LIMIT_BYTES: Final = 4096
_KEY: Final = re.compile(r"[!-~]+")


class UnfitError(Exception):
    """The file can't be taken. Its text says why."""


def read(file: Path, *, private: bool = True) -> Secret:
    """What stands in it. `private`: refuse one that others can read. Blocking. Raises UnfitError."""
    try:
        # Nothing may make us wait here, not even a named pipe.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        raise UnfitError(problem.strerror or str(problem)) from problem
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise UnfitError("it is no ordinary file")
        if private and os.name != "nt" and seen.st_mode & 0o077:
            raise UnfitError("others can read it (chmod 600)")
        text = os.read(descriptor, LIMIT_BYTES + 1).decode("utf-8", "replace").strip()
    finally:
        os.close(descriptor)
    if not is_key(text):
        raise UnfitError("it holds no token")
    return Secret(text)


def is_key(text: str) -> bool:
    """Whether it can be one: printable, without spaces, of a length that keys have."""
    return len(text) <= LIMIT_BYTES and _KEY.fullmatch(text) is not None
