"""What a shot needs of whoever prices and renders clips: a narrow view of the broker, and none where there is none.

Nothing here can pay: that is `clips.render` alone, with a token that may and a person who confirmed.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from tendred.errors import CloudOff
from tendred.schema.job import Origin
from tendred.schema.provider import Features
from tendred.schema.shot import ClipAsk, Offer


class ClipDesk(Protocol):
    """Every call raises CloudOff while the cloud is off."""

    def features(self) -> list[Features]:
        """What the providers that are switched on declare, the preferred one first."""
        ...

    def refines(self, job_id: str) -> bool:
        """Whether the provider kept this job's latents, and can make more of them."""
        ...

    async def quote(self, ask: ClipAsk, origin: Origin) -> Offer:
        """Price it, after the boundary has judged it; nothing is sent. Raises what `clips.quote` does."""
        ...

    async def job_of(self, quote_id: str) -> str | None:
        """The job that a quote was used for, if it was."""
        ...


class NoDesk:
    """See ClipDesk: the cloud is off."""

    def features(self) -> list[Features]:
        return []

    def refines(self, job_id: str) -> bool:
        del job_id
        return False

    async def quote(self, ask: ClipAsk, origin: Origin) -> NoReturn:
        del ask, origin
        raise CloudOff

    async def job_of(self, quote_id: str) -> None:
        del quote_id
