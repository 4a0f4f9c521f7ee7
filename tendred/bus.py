"""Events, live only. Whoever was away reads the past from the event table (`events.since`)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from tendred.schema.event import LIVE, Event


class Subscription:
    """One listener's bounded queue.

    Live events (progress, preview) never pile up: the newest of a job and topic replaces the one before.
    A listener that falls `limit` stored events behind is `lagged`: it gets nothing more and must read the table.
    """

    def __init__(self, bus: Bus, topics: Sequence[str], limit: int) -> None:
        self._bus = bus
        self._topics = tuple(topics)
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.lagged = False

    def wants(self, topic: str) -> bool:
        """Whether the topic starts with one of those asked for (none asked for: all)."""
        return not self._topics or topic.startswith(self._topics)

    def put(self, event: Event) -> None:
        """Called by the bus."""
        if self.lagged or not self.wants(event.topic):
            return
        if event.topic in LIVE:
            for waiting in self._queue:
                if waiting.topic == event.topic and waiting.job_id == event.job_id:
                    self._queue.remove(waiting)
                    break
        elif len(self._queue) >= self._limit:
            self.lagged = True
            self._queue.clear()
        if not self.lagged:
            self._queue.append(event)
        self._wake.set()

    async def get(self) -> Event | None:
        """The next event; None once the listener lags or is closed."""
        while not self._queue:
            if self.lagged:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    def close(self) -> None:
        """Stop listening; a waiting `get` returns None."""
        self._bus.drop(self)
        self.lagged = True
        self._wake.set()


class Bus:
    """Hands each event to every subscription that wants it. Use from the loop's thread."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def publish(self, event: Event) -> None:
        """Tell everyone."""
        for subscription in tuple(self._subscriptions):
            subscription.put(event)

    def subscribe(self, topics: Sequence[str] = (), limit: int = 256) -> Subscription:
        """Listen from now on. `topics` are prefixes."""
        subscription = Subscription(self, topics, limit)
        self._subscriptions.append(subscription)
        return subscription

    def wanted(self, topic: str) -> bool:
        """Whether anybody listens for this topic: what costs something to make is made only then."""
        return any(subscription.wants(topic) and not subscription.lagged for subscription in self._subscriptions)

    def drop(self, subscription: Subscription) -> None:
        """Called by Subscription.close."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
