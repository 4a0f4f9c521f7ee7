"""A value that never shows: whoever prints, formats or logs it gets `***`."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A token or a key, as text. It is no `str`, so that nothing serialises it by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Every use is a place to look at in a review."""
        return self._text

    def matches(self, text: str) -> bool:
        """Whether it is the same text, in constant time."""
        return hmac.compare_digest(self._text.encode(), text.encode("utf-8", "surrogatepass"))

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret('***')"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._text)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret stays in its process")
