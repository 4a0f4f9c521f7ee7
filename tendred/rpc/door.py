"""What a method sees of the way in: the studio behind it, and who calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from tendred.core.studio import Studio
from tendred.errors import ShuttingDown, SlowDown
from tendred.schema.event import Subscribed
from tendred.schema.job import Origin
from tendred.schema.token import LOCAL, LOCAL_GRANT, Grant, Scope

_T = TypeVar("_T")

WAITS: Final = 32
"""Calls of `jobs.wait` that are held at once, over all clients."""
CLIENT_CHARS: Final = 64


class Listener(Protocol):
    """The WebSocket a call came in by."""

    async def subscribe(self, since: int | None, topics: list[str]) -> Subscribed:
        """Send events once the answer to this call is on its way. Raises EventsGone, SlowDown."""
        ...

    def unsubscribe(self, subscription_id: str) -> None:
        """Send them no more. Raises NotFound."""
        ...

    def introduce(self, client: str) -> None:
        """From now on the client has this name."""
        ...


class Tokenry(Protocol):
    """Tokens that clients were given; see core.tokens."""

    def grant(self, token: str) -> Grant | None:
        """What a token allows, if it is one."""
        ...

    def scopes(self, token_id: str) -> frozenset[Scope]:
        """What its holder may do now."""
        ...


class NoTokens:
    """There is none but the one of the discovery file."""

    def grant(self, token: str) -> Grant | None:
        del token

    def scopes(self, token_id: str) -> frozenset[Scope]:
        return LOCAL_GRANT.scopes if token_id == LOCAL else frozenset()


class Waits:
    """Calls that are held open until something happens, so that a stopping daemon can answer them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def hold(self, waiting: Callable[[], Awaitable[_T]]) -> _T:
        """Wait. Raises SlowDown where too many wait already, ShuttingDown when the daemon stops meanwhile."""
        if self._stopping:
            raise ShuttingDown
        if len(self._tasks) >= WAITS:
            raise SlowDown(retry_after_s=1)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await waiting()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            task.uncancel()
            raise ShuttingDown from None
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        """Let everyone go."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()


@dataclass(frozen=True, slots=True)
class RpcDoor:
    """One client's way in. `listener` is null over HTTP."""

    studio: Studio
    waits: Waits
    describe: Callable[[], dict[str, Any]]
    client: str | None = None
    listener: Listener | None = None
    scopes: frozenset[Scope] = LOCAL_GRANT.scopes
    token_id: str = LOCAL

    @property
    def on_socket(self) -> bool:
        return self.listener is not None

    @property
    def origin(self) -> Origin:
        """What stands in the job of a request that came in here."""
        cli = self.client is not None and self.client.startswith("tendre/")
        return Origin(door="cli" if cli else "rpc", client=self.client)

    def scoped(self, key: str | None) -> str | None:
        """An idempotency key of this client's own. The client's version doesn't count: an update keeps its keys."""
        if key is None:
            return None
        name = (self.client or "local").partition("/")[0]
        if ":" in name or name.startswith("#"):
            # A colon in the name could be read as the one before the key.
            name = "#" + hashlib.sha256(name.encode()).hexdigest()[:32]
        return f"rpc:{name}:{key}"


def client_name(text: str) -> str | None:
    """A client's name as it may stand in a row and a log: printable ASCII, at most CLIENT_CHARS; else null."""
    name = "".join(char for char in text if " " <= char <= "~").strip()[:CLIENT_CHARS]
    return name or None
