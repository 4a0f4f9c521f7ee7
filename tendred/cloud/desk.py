"""What the broker asks of the road on this side of a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tendred.schema.base import Record
from tendred.schema.clip import Fetched
from tendred.schema.provider import ClipOrder
from tendred.store.database import Tx


class Picture(Record, frozen=True):
    """A still on its way to a provider, with nothing of ours in its file."""

    path: str
    media_type: str


class Opened(Record, frozen=True):
    """A clip whose seal was opened: the order without uploads, and the pictures to upload."""

    order: ClipOrder
    first: Picture | None = None
    last: Picture | None = None


class Desk(Protocol):
    """The stations before and behind a provider; `core` is behind it."""

    async def open(self, job_id: str, *, pictures: bool = True) -> Opened:
        """Break the seal, have it judged anew if the policy changed; with `pictures`, make those to upload.

        Raises what refuses the clip.
        """
        ...

    async def uploaded(self, job_id: str) -> None:
        """Its pictures aren't needed any more."""
        ...

    async def check(self, file: Fetched) -> None:
        """Look into what came, before it counts as here. Raises ClipUnreadable for what is no clip."""
        ...

    async def keep(self, job_id: str, file: Fetched | None, close: Callable[[Tx], object]) -> None:
        """Judge, publish and index what came, then end the job; `close` belongs to that transaction.

        Null: the file isn't where it was put; it may have been published before a crash. Raises FileNotFoundError
        where it was not, OutputWithheld, DiskFull, FolderUnwritable.
        """
        ...
