"""How a name is looked up: by a hash of its folded words, so that the package holds no list of people."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PURPOSE: Final = b"tendred.names"
_VOWELS: Final = re.compile(r"(?<=[a-z])[aeiouyhw]+|[aeiouyhw]+(?=\s|$)|^[aeiouyhw]+|(?<=\s)[aeiouyhw]+")
_ALIKE: Final = (
    ("sch", "s"), ("sh", "s"), ("ch", "s"), ("tch", "s"), ("kh", "k"), ("gh", "g"), ("ph", "f"), ("th", "t"), ("zh", "s"), ("ts", "s"),
    ("ck", "k"), ("dj", "g"), ("j", "g"), ("q", "k"), ("c", "k"), ("x", "ks"), ("z", "s"), ("v", "b"), ("p", "b"), ("f", "b"),
)  # fmt: skip
_DOUBLE: Final = re.compile(r"([a-z])\1+")


def key(name: str) -> int:
    """64 bits of a folded name. Which name it was can't be read from it, only tried."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, person=_PURPOSE).digest(), "little")


def skeleton(name: str) -> str:
    """The consonants of a folded name, those alike put together: what transliterations of it have in common."""
    bones = name
    for long, short in _ALIKE:
        bones = bones.replace(long, short)
    return " ".join(filter(None, _DOUBLE.sub(r"\1", _VOWELS.sub("", bones)).split()))
