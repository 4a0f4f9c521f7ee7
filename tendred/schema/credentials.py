"""What is said of a provider's key: where it is, never the key."""

from __future__ import annotations

from typing import Literal

from tendred.schema.base import Record

KeySource = Literal["file", "systemd", "keyring"]


class KeyPlace(Record, frozen=True):
    """Where a provider's key comes from, or would be put."""

    source: KeySource
    place: str


class KeyState(Record, frozen=True):
    """A provider's key. `present` is null where that can't be told; `problem` says why, in words."""

    provider: str
    source: KeySource
    place: str
    present: bool | None
    problem: str | None


class LoggedOut(Record, frozen=True):
    """Whether there was a key; now there is none."""

    provider: str
    removed: bool
