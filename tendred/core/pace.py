"""How fast something goes, told from its last few seconds."""

from __future__ import annotations

from collections import deque
from typing import Final

from tendred.clock import Clock

WINDOW_S: Final = 8.0
LEAST_S: Final = 0.5
"""Less says nothing yet."""


class Pace:
    """Bytes a second, from reports of how many there are by now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int) -> int | None:
        """Take a report in; the rate by now, null while that can't be told. A count that fell begins anew."""
        now = self._clock.mono()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:  # noqa: PLR2004 - both ends stay
            self._seen.popleft()
        since, before = self._seen[0]
        return None if now - since < LEAST_S else int((done - before) / (now - since))


def left_s(rate: int | None, missing: int) -> float | None:
    """Seconds for so many bytes more; null where nothing moves."""
    return round(missing / rate, 1) if rate else None
