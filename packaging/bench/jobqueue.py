"""The queue's transactions, durable ones (`synchronous=FULL`): enqueue, claim, finish."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from _house import Table, arguments, folder, fsync_s, median, ms, quantile
from _rows import Vocabulary, database, rows

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.core.indexing import BATCH
from tendred.library.index import Index
from tendred.queue.claim import claim
from tendred.queue.machine import Finished
from tendred.queue.store import NewJob, Queue
from tendred.schema.job import Origin
from tendred.schema.sealed import Reviewed
from tendred.store.database import Database

LIMIT = 1_000_000
CHUNK = 1000
UNINDEXED = (
    "INSERT INTO asset(id, job_id, idx, kind, state, created_at, model, character, path, words, doc) "
    "VALUES (?, ?, 0, 'still', 'kept', 0, 'starter', NULL, ?, ?, ?)"
)


class Bench:
    """A database, and jobs for it."""

    def __init__(self, opened: Database, place: Path) -> None:
        self.database = opened
        self.queue = Queue(opened, LIMIT)
        self.index = Index(opened, place / "pictures")
        self._place = place
        self._ids = Ids(SystemClock(), SystemRng())
        self._prompts = itertools.cycle(Vocabulary().prompts(5000))
        self._made = 0

    def job(self) -> NewJob:
        """A job as `core.submit` makes it, by size and by shape."""
        prompt = next(self._prompts)
        request: dict[str, Any] = {
            "prompt": prompt, "negative_prompt": "", "model": "starter", "width": 128, "height": 128, "steps": 20,
            "guidance": 4.0, "scheduler": "euler", "seed": 7, "count": 1, "loras": [], "character": None,
            "format": "png", "lane": "normal", "keep_alive_s": 300.0, "tags": [],
        }  # fmt: skip
        reviewed = Reviewed(
            request=msgspec.json.encode(request), conditioning=prompt.encode() * 2, policy="1", mac=b"m" * 32
        )
        return NewJob(
            id=self._ids.new("job"), kind="still", lane="normal", request=request, asked={"prompt": prompt},
            origin=Origin(door="rpc", client="bench/1"), reviewed=reviewed, removed=[], retry_of=None, key=None,
            key_hash=b"h" * 32,
        )  # fmt: skip

    async def enqueue(self) -> None:
        await self.queue.add([self.job()])

    async def claim(self) -> str:
        """Returns the job's id."""
        taken = await claim(self.database, self.queue)
        assert taken is not None
        return taken.job.id

    async def cycle(self) -> None:
        """One job through all its states. With several at once a claim may take another's job: all get done."""
        await self.enqueue()
        await self.queue.apply(await self.claim(), Finished())

    async def fill(self, count: int) -> None:
        """Have so many jobs wait."""
        for start in range(0, count, CHUNK):
            await self.queue.add([self.job() for _ in range(min(CHUNK, count - start))])

    async def unindexed(self, count: int) -> None:
        """Put so many assets there that full-text search doesn't know yet."""
        start = self._made
        self._made += count
        new = [
            (f"ast_{start + row.n:026d}", made.job_id, Path(made.path).name, row.prompt, msgspec.json.encode(made))
            for row, made in rows(self._place, count, 1)
        ]
        await self.database.write(lambda tx: tx.connection.executemany(UNINDEXED, new))

    async def indexing(self) -> None:
        """What core.indexing does when it wakes."""
        while await self.index.index_some(BATCH):
            pass


async def timed(act: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Seconds of each."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await act()
        seconds.append(time.perf_counter() - began)
    return seconds


async def beside_indexing(bench: Bench, assets: int, rounds: int) -> list[float]:
    """Enqueue one after another, for as long as the assets are being indexed."""
    seconds: list[float] = []
    for _ in range(rounds):
        await bench.unindexed(assets)
        indexing = asyncio.ensure_future(bench.indexing())
        while not indexing.done():
            seconds += await timed(bench.enqueue, 1)
        await indexing
    return seconds


async def measure(place: Path, *, assets: int, rounds: int, queued: int, claims: int, cycles: int) -> None:
    table = Table("jobqueue (p50 / p99)")
    floor = fsync_s(place / "probe.db")

    def line(metric: str, seconds: list[float], target: str) -> None:
        half, slow = median(seconds), quantile(seconds, 0.99)
        table.add(
            f"{metric} ({len(seconds)})", f"{half * 1000:.1f} / {ms(slow)}", target, f"{half / floor:.1f} x commit"
        )

    opened = database(place / "tendred.db")
    try:
        bench = Bench(opened, place)
        line("enqueue, nothing else going on", await timed(bench.enqueue, claims), "25 ms")
        line(f"enqueue while {assets:,} assets are indexed", await beside_indexing(bench, assets, rounds), "25 ms")
        one = await timed(bench.cycle, cycles)
        table.add(
            "full cycles, one after another", f"{cycles / sum(one):.0f} /s", "200 /s",
            f"{sum(one) / cycles / floor:.1f} commits each",
        )  # fmt: skip
        for clients in (4, 16):
            began = time.perf_counter()
            await asyncio.gather(*(timed(bench.cycle, cycles // clients) for _ in range(clients)))
            each = (time.perf_counter() - began) / (cycles // clients * clients)
            table.add(
                f"full cycles, {clients} at once", f"{1 / each:.0f} /s", "200 /s", f"{each / floor:.1f} commits each"
            )
        await bench.fill(queued)
        line(f"claim with {queued:,} queued", await timed(bench.claim, claims), "10 ms")
        line(f"enqueue with {queued:,} queued", await timed(bench.enqueue, claims), "25 ms")
        table.add("one commit of a small row on this disk, median", ms(floor), "", "1.0")
    finally:
        opened.close()


def main() -> None:
    options = arguments(
        __doc__,
        assets=(10_000, 1_000, "assets to index"), rounds=(5, 1, "times that is done"),
        queued=(100_000, 2_000, "jobs that wait"), claims=(1_000, 50, "claims among them"),
        cycles=(1_000, 64, "full cycles"),
    )  # fmt: skip
    sizes = {name: value for name, value in vars(options).items() if name != "small"}
    with folder() as place:
        asyncio.run(measure(place, **sizes))


if __name__ == "__main__":
    main()
