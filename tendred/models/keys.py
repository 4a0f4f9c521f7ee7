"""A header's tensors, asked for by name and size without ever failing: every header comes from a stranger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tendred.models.header import Tensor


class Keys:
    """Names and shapes, and nothing else of a file."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        # One text, looked through by the C library: a name has no line break in it.
        self._text = "\n".join(("", *tensors, ""))

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> list[int]:
        """The sides of a tensor; none where there is no such tensor."""
        found = self._tensors.get(name)
        return [] if found is None else found.shape

    def side(self, name: str, at: int) -> int:
        """One side of it; 0 where there is none."""
        shape = self.shape(name)
        return shape[at] if -len(shape) <= at < len(shape) else 0

    def starts(self, *prefixes: str) -> bool:
        """Whether a name begins so."""
        return any(f"\n{prefix}" in self._text for prefix in prefixes)

    def ends(self, *suffixes: str) -> bool:
        """Whether a name ends so."""
        return any(f"{suffix}\n" in self._text for suffix in suffixes)

    def hold(self, *words: str) -> bool:
        """Whether one of these stands anywhere in a name."""
        return any(word in self._text for word in words)
