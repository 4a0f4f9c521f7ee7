"""The way back from a final prompt to the one that was received, so that a refusal can point at what was written."""

from __future__ import annotations

from typing import NamedTuple

Span = tuple[int, int]
"""`[start, end)` of a text, in code points."""


class Edit(NamedTuple):
    """`[start, end)` of a text was replaced by so many characters."""

    start: int
    end: int
    size: int


Edits = tuple[Edit, ...]
"""One stage's changes, in order and apart."""


def back(edits: Edits, span: Span | None) -> Span | None:
    """A span after a stage, in the text before it: where something was put in, that is the whole of what it replaced."""
    if span is None or not edits:
        return span
    start, end = _back(edits, span[0], last=False), _back(edits, span[1] - 1, last=True)
    return (start, end) if start < end else None


def _back(edits: Edits, at: int, *, last: bool) -> int:
    """The start (or, of the last character of a span, the end) of what stands there."""
    moved = 0
    for edit in edits:
        begins = edit.start + moved
        if at < begins:
            break
        if at < begins + edit.size:
            return edit.end if last else edit.start
        moved += edit.size - (edit.end - edit.start)
    return at - moved + last
