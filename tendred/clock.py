"""Time and chance, injected everywhere, so that a simulation can own both. Also ids, which need both."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import time
from typing import Final, Protocol

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Clock(Protocol):
    """What time it is, and waiting for it."""

    def now(self) -> float:
        """Wall clock, seconds since 1970 UTC. For people and for providers' expiry only."""
        ...

    def mono(self) -> float:
        """Monotonic seconds. For every timeout and every measured span."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Rng(Protocol):
    """Where chance comes from."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes, good enough for keys."""
        ...

    def below(self, limit: int) -> int:
        """An integer in `[0, limit)`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def mono(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemRng:
    """The operating system's randomness."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        return secrets.randbelow(limit)


def rfc3339(seconds: float) -> str:
    """WIRE's form of a time: UTC with milliseconds and `Z`."""
    stamp = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z"


def _ulid(value: int) -> str:
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def ulid_floor(seconds: float) -> str:
    """The least ULID of a time in seconds since 1970; times that no ULID can have are brought to the nearest."""
    return _ulid(min(max(0, int(seconds * 1000)), (1 << 48) - 1) << 80)


class Ids:
    """Makes ids: a prefix, `_`, and a ULID (48 bits of milliseconds, 80 of chance, Crockford base 32).

    Source: github.com/ulid/spec. Within one millisecond the random part counts up, so that ids of one
    process sort in the order in which they were made.
    """

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._rng = rng
        self._last_ms = -1
        self._last_random = 0

    def ulid(self) -> str:
        """A bare ULID, 26 characters."""
        ms = max(int(self._clock.now() * 1000), self._last_ms)
        if ms == self._last_ms:
            self._last_random += 1
        else:
            # The top bit stays clear, so that counting up can't overflow into the time.
            self._last_random = int.from_bytes(self._rng.bytes(10), "big") >> 1
            self._last_ms = ms
        return _ulid((ms << 80) | self._last_random)

    def new(self, prefix: str) -> str:
        """`prefix_ULID`."""
        return f"{prefix}_{self.ulid()}"
