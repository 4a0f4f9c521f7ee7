"""The broker over real sockets: every adapter of ours beside its fake provider, killed and tripped by chance.

What happens on a socket takes its own time, so a seed isn't the same life twice here; `test_broker` has those.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tendred.schema.clip import ENDED
from tendred.testing.adapters import adapter_for
from tendred.testing.cloud import movie
from tendred.testing.lives import Life, boundary
from tendred.testing.providers.__main__ import PROVIDERS
from tendred.testing.providers.clips import canned
from tendred.testing.providers.faults import Fault
from tendred.testing.times import Chance

RUNS = 50
PRICE = 18_000
TURN_S = 0.01
FAULTS = [
    Fault(where="submit", what="status", status=504, accepted=True), Fault(where="submit", what="reset", accepted=True),
    Fault(where="submit", what="reset"), Fault(where="submit", what="truncated"), Fault(where="submit", what="duplicate"),
    Fault(where="submit", what="status", status=402), Fault(where="submit", what="status", status=422),
    Fault(where="submit", what="status", status=429, retry_after="1"), Fault(where="submit", what="page", status=413),
    Fault(where="submit", what="status", status=429, retry_after="soon"), Fault(where="submit", what="page", status=502),
    Fault(where="submit", what="redirect", accepted=True), Fault(where="poll", what="status", status=503),
    Fault(where="poll", what="truncated"), Fault(where="poll", what="state", kind="dreaming"),
    Fault(where="poll", what="fail", kind="content_filtered_error"), Fault(where="poll", what="expire"),
    Fault(where="download", what="cut", at=700), Fault(where="download", what="wrong_length"),
    Fault(where="download", what="changed"), Fault(where="download", what="truncated_mp4"),
    Fault(where="download", what="page", status=502), Fault(where="download", what="redirect"),
]  # fmt: skip


class Wired(Life):
    """See Life: its providers are servers on this machine, and time goes on while they answer."""

    def __init__(self, home, judge, fakes):
        super().__init__(home, judge)
        self.fakes = fakes

    def adapters(self):
        return {fake.provider: adapter_for(fake, clock=self.clock, poll_s=0.05) for fake in self.fakes}

    def refunds(self, name):
        return ("unknown", "unknown")

    def takes(self):
        return Counter(job.asked.get("prompt") or job.asked["input"]["prompt"] for job in self.jobs()).items()

    def jobs(self):
        return [job for fake in self.fakes for job in fake.jobs.values()]

    async def step(self):
        await asyncio.sleep(TURN_S)
        if self.dead:
            await self.rebirth()
        await self.check()
        self.clock.step()

    async def resolve(self, job_id):
        """A person looks at the console."""
        self.by_user.add(job_id)
        taken = any(job_id in prompt for prompt, _ in self.takes())
        await self.lived(lambda: self.office.resolve(job_id, "charged" if taken else "not_charged", None, None))


async def live(seed, home):
    chance, numbers = Chance(f"wires {seed}"), itertools.count(1)
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(kind(canned(movie("wires")))) for kind in PROVIDERS.values()]
        life = Wired(home, boundary(), fakes)
        await life.begin()
        await life.caps(job_mcr=PRICE, day_mcr=PRICE * 6, month_mcr=PRICE * 40)
        try:
            for _ in range(40):
                if chance.happens(30):
                    await life.order(next(numbers), chance.one(list(PROVIDERS)), PRICE)
                if chance.happens(40):
                    chance.one(fakes).script.add(chance.one(FAULTS))
                if chance.happens(10):
                    life.kill_at = len(life.cuts) + 1 + chance.below(10)
                await life.step()
            life.kill_at = None
            await finish(life)
        finally:
            await life.end()
        assert [problem for fake in fakes for problem in fake.wrong] == []
        assert {leak for fake in fakes for leak in fake.leaks} == set()
        return len(life.jobs()), life.deaths


async def finish(life):
    for job in life.jobs():
        job.ended = "" if job.ended == "dreaming" else job.ended  # whatever that was, it is over
    async with asyncio.timeout(120):
        while life.dead or not all(row.phase in ENDED for row in await life.clips.open()):
            await life.step()
            for row in await life.rows("SELECT job_id FROM clip WHERE phase = 'unknown' ORDER BY job_id"):
                await life.resolve(row["job_id"])
    lost = await life.rows(
        "SELECT job_id FROM clip WHERE phase = 'settled' AND job_id NOT IN (SELECT job_id FROM kept)"
    )
    assert lost == []


@pytest.mark.timeout(300)
async def test_over_real_sockets_nothing_is_sent_twice(tmp_path):
    jobs, _ = await live(0, tmp_path)
    assert jobs > 0


@pytest.mark.heavy
@pytest.mark.timeout(3600)
async def test_fifty_lives_over_real_sockets(tmp_path):
    taken = deaths = 0
    for seed in range(RUNS):
        (tmp_path / str(seed)).mkdir()
        jobs, died = await live(seed, tmp_path / str(seed))
        taken, deaths = taken + jobs, deaths + died
    assert taken > RUNS
    assert deaths > RUNS
