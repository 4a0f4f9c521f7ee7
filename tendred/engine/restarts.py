"""When an engine that keeps dying is left alone for a while."""

from __future__ import annotations

from typing import Final

DEATHS: Final = 5
QUICK_S: Final = 10.0
PAUSE_S: Final = 30.0


class Restarts:
    """Five deaths in a row, each within 10 s of being ready (or never ready): unstable for 30 s.

    After that one more quick death is enough for another 30 s; a life of 10 s starts the count anew.
    """

    def __init__(self) -> None:
        self._deaths = 0
        self._last = 0.0

    def died(self, lived_s: float, now: float) -> None:
        """A process that should have lived has ended, `lived_s` seconds after it was ready (0 if it never was)."""
        self._deaths = self._deaths + 1 if lived_s < QUICK_S else 0
        self._last = now

    def left_s(self, now: float) -> float:
        """Seconds until the next start should be tried; 0 when it may be at once."""
        return max(0.0, self._last + PAUSE_S - now) if self._deaths >= DEATHS else 0.0
