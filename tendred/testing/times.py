"""Chance and time that follow from a seed: the same for the same seed, on any machine."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from tendred.testing.clock import START


class Chance:
    """See clock.Rng: a row of hashes, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._seed, self._n = seed, 0

    def bytes(self, count: int) -> bytes:
        self._n += 1
        return hashlib.shake_256(f"{self._seed}:{self._n}".encode()).digest(count)

    def below(self, limit: int) -> int:
        return int.from_bytes(self.bytes(8), "big") % limit

    def one(self, choices: Any) -> Any:
        """One of them."""
        return choices[self.below(len(choices))]

    def happens(self, percent: float) -> bool:
        """So often in a hundred."""
        return self.below(10_000) < percent * 100


class TrueTime:
    """The providers' time. `pass_` lets it go on for everybody."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return START + self.at

    def mono(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class OurTime:
    """Our machine's clocks: they stand still while it sleeps (`mono`), and people set them (`ahead`)."""

    def __init__(self, truth: TrueTime) -> None:
        self._truth = truth
        self._asleep = 0.0
        self.ahead = 0.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self._truth.now() + self.ahead

    def mono(self) -> float:
        return self._truth.at - self._asleep

    def suspend(self, seconds: float) -> None:
        """Close the lid."""
        self._truth.at += seconds
        self._asleep += seconds

    async def sleep(self, seconds: float) -> None:
        entry = (self.mono() + max(seconds, 0.0), asyncio.Event())
        self.sleepers.append(entry)
        try:
            await entry[1].wait()
        finally:
            self.sleepers.remove(entry)

    def step(self) -> None:
        """Go on to when the next one wakes."""
        if self.sleepers:
            due = min(at for at, _ in self.sleepers)
            self._truth.at += max(0.0, due - self.mono()) + 1e-6
        for at, woken in self.sleepers:
            if at <= self.mono():
                woken.set()
