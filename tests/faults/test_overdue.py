"""A provider that takes a clip and never ends it: after its deadline nobody knows its outcome, and that is what is told."""

from __future__ import annotations

import msgspec
import pytest

from tendred.cloud.follow import LATE_S, WATCH_S
from tendred.money import ledger
from tendred.testing.cloud import Provider, features
from tendred.testing.lives import Life, boundary

PRICE = 18_000
DEADLINE_S = 3600.0
DAY_S = 86_400.0


class Stuck:
    """A life with one clip at a provider that renders for ever."""

    def __init__(self, life):
        self.life = life
        [self.there] = life.providers.values()
        self.job_id = ""

    async def order(self, number=1):
        self.job_id = await self.life.order(number, "memory", PRICE)
        await self.until("rendering")

    @property
    def rendering(self):
        return next(job for job in self.there.jobs.values() if job.order.key == self.job_id)

    async def phase(self):
        return (await self.life.clips.get(self.job_id)).phase

    async def until(self, *phases, within_s=10 * DEADLINE_S):
        """The seconds of the truth that it took."""
        began = self.life.truth.at
        while await self.phase() not in phases:
            assert self.life.truth.at - began < within_s, await self.phase()
            await self.life.step()
        return self.life.truth.at - began

    async def held(self):
        return await self.life.database.read(lambda db: ledger.balance_in(db, self.job_id, "held"))

    async def job(self):
        [row] = await self.life.rows("SELECT state, error FROM job WHERE id = ?", self.job_id)
        return row["state"], None if row["error"] is None else msgspec.json.decode(row["error"])


@pytest.fixture
async def stuck(tmp_path):
    life = Life(tmp_path, boundary())
    life.providers["memory"] = Provider(
        features(deadline_s=DEADLINE_S), life.truth, lambda _: PRICE,
        lambda call: "stuck" if call == "render" else "",
    )  # fmt: skip
    await life.begin()
    await life.caps(job_mcr=PRICE, day_mcr=PRICE * 10, month_mcr=PRICE * 10)
    yield Stuck(life)
    await life.end()


async def test_after_its_deadline_it_is_unknown_and_its_money_stays_held(stuck):
    await stuck.order()
    assert DEADLINE_S - 60 < await stuck.until("unknown") < DEADLINE_S + 60
    state, error = await stuck.job()
    assert (state, error["kind"]) == ("unknown", "outcome_unknown")
    assert stuck.rendering.remote_id in error["message"]
    assert stuck.job_id in error["next"]
    assert await stuck.held() == PRICE
    for _ in range(20):
        await stuck.life.step()
    assert await stuck.phase() == "unknown"
    assert stuck.there.submits == [stuck.job_id]


async def test_what_comes_after_all_is_fetched_and_booked(stuck):
    await stuck.order()
    await stuck.until("unknown")
    stuck.rendering.ends = "ready"
    assert await stuck.until("settled") < LATE_S + 60
    assert await stuck.held() == 0
    assert stuck.there.submits == [stuck.job_id]
    events = [step.event for step in await stuck.life.clips.steps(stuck.job_id)]
    assert events[-6:] == ["Overdue", "Found", "Ready", "Downloading", "Verified", "Kept"]


async def test_what_fails_after_all_is_told(stuck):
    await stuck.order()
    await stuck.until("unknown")
    stuck.rendering.ends = "failed"
    await stuck.until("failed")
    assert (await stuck.job())[0] == "failed"


async def test_what_the_provider_forgets_waits_for_a_person(stuck):
    await stuck.order()
    await stuck.until("unknown")
    stuck.there.forgotten.add(stuck.rendering.remote_id)
    for _ in range(20):
        await stuck.life.step()
    assert await stuck.phase() == "unknown"
    stuck.life.by_user.add(stuck.job_id)
    await stuck.life.office.resolve(stuck.job_id, "not_charged", None, None)
    assert (await stuck.phase(), await stuck.held()) == ("failed", 0)


async def test_a_person_may_wait_for_it_again_as_long_as_before(stuck):
    await stuck.order()
    await stuck.until("unknown")
    stuck.life.by_user.add(stuck.job_id)
    await stuck.life.office.resolve(stuck.job_id, "found", stuck.rendering.remote_id, None)
    assert await stuck.phase() == "submitted"
    assert DEADLINE_S - 60 < await stuck.until("unknown") < DEADLINE_S + LATE_S + 60
    assert stuck.there.submits == [stuck.job_id]


async def test_time_before_a_crash_counts(stuck):
    await stuck.order()
    while stuck.life.truth.at < DEADLINE_S - 30:
        await stuck.life.step()
    await stuck.life.rebirth()
    stuck.there = stuck.life.providers["memory"]
    assert await stuck.until("unknown") < WATCH_S + 60


async def test_a_clock_that_is_set_and_a_lid_that_is_closed_make_nothing_late(stuck):
    await stuck.order()
    stuck.life.clock.ahead += DAY_S
    stuck.life.clock.suspend(DAY_S)
    began = stuck.life.truth.at
    while stuck.life.truth.at - began < DEADLINE_S / 2:
        await stuck.life.step()
        assert await stuck.phase() == "rendering"


async def test_a_clock_that_is_set_between_two_lives_is_not_believed_at_once(stuck):
    await stuck.order()
    stuck.life.clock.ahead += DAY_S
    await stuck.life.rebirth()
    began = stuck.life.truth.at
    while stuck.life.truth.at - began < WATCH_S - 60:
        await stuck.life.step()
        assert await stuck.phase() == "rendering"
    stuck.rendering.ends = "ready"
    await stuck.until("settled")


async def test_two_that_never_end_stop_everything_new(stuck):
    for number in (1, 2):
        await stuck.order(number)
    await stuck.until("unknown")
    first, stuck.job_id = stuck.job_id, f"job_{1:026d}"
    assert first != stuck.job_id
    await stuck.until("unknown")
    refused = await stuck.life.order(3, "memory", PRICE)
    assert getattr(refused, "kind", None) == "outcome_unknown"
    assert len(stuck.there.submits) == 2
