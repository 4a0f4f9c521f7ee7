"""Trying again, for calls that may be made again: never a submit.

Full jitter (a pause anywhere between nothing and a bound that doubles), never before the time a provider named, a
budget so that a sick provider isn't asked more often than a well one, and a circuit that leaves it alone for a while.
Source of the jitter: Marc Brooker, "Exponential Backoff And Jitter" (2015).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tendred.clock import Clock, Rng
from tendred.errors import ProviderUnavailable, SlowDown, TendredError

_T = TypeVar("_T")

BASE_S: Final = 1.0
CAP_S: Final = 60.0
TRIES: Final = 5
OPENS_AT: Final = 5
"""Failures in a row after which nobody asks for `CAP_S` seconds; then one call tries whether it is better."""
BUDGET: Final = 0.1
BUDGET_FLOOR: Final = 10.0
"""Tries besides the first: a tenth of all calls, after a few that a quiet provider has free."""
_STEPS: Final = 1_000_000


class Patience:
    """One provider's. Shared by all that poll and fetch there."""

    def __init__(self, provider: str, clock: Clock, rng: Rng) -> None:
        self._provider, self._clock, self._rng = provider, clock, rng
        self._tokens = BUDGET_FLOOR
        self._failures = 0
        self._closed_until = 0.0

    async def run(self, work: Callable[[], Awaitable[_T]], tries: int = TRIES) -> _T:
        """Do it, and again where another try may help (ProviderUnavailable, SlowDown). Raises what the last one raised."""
        self._tokens = min(BUDGET_FLOOR, self._tokens + BUDGET)
        for attempt in range(tries):
            self._must_be_open()
            try:
                done = await work()
            except (ProviderUnavailable, SlowDown) as problem:
                self._failed(problem)
                if attempt + 1 == tries or self._tokens < 1:
                    raise
                self._tokens -= 1
                await self._clock.sleep(self.pause(attempt, problem))
            except TendredError:
                self._failures = 0  # it answers; what it says is another matter
                raise
            else:
                self._failures = 0
                return done
        raise AssertionError("a try either returns or raises")

    def pause(self, attempt: int, problem: TendredError | None = None) -> float:
        """Seconds to wait after try number `attempt` (from 0): by chance, and never less than the provider said."""
        bound = min(CAP_S, BASE_S * 2.0 ** min(attempt, 32))
        jitter = bound * self._rng.below(_STEPS) / _STEPS
        named = None if problem is None else problem.detail.get("retry_after_s")
        # All who were told the same time would come back in the same moment: the jitter stands on top of it.
        return jitter + float(named) if isinstance(named, int | float) else jitter

    def _must_be_open(self) -> None:
        left = self._closed_until - self._clock.mono()
        if left > 0:
            raise ProviderUnavailable("resting", provider=self._provider, retry_after_s=round(left, 1))

    def _failed(self, problem: TendredError) -> None:
        if isinstance(problem, SlowDown):
            return  # it is well, and says so
        self._failures += 1
        if self._failures >= OPENS_AT:
            self._closed_until = self._clock.mono() + CAP_S
