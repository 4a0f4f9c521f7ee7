"""The broker under seeded schedules of kills, faults, sleeps and clocks that jump: nothing paid twice, nothing lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tendred.cloud.clips import Clips
from tendred.cloud.machine import Lost, NotSent
from tendred.testing.cloud import FETCH_FAULTS, POLL_FAULTS, SUBMIT_FAULTS, Provider, features
from tendred.testing.lives import Life, boundary
from tendred.testing.times import Chance

SCHEDULES = 1000
QUICK = 25
PRICE = 18_000
DEADLINE_S = 120.0
ENDS = ("failed", "stuck")


@pytest.fixture(scope="module")
def judge():
    return boundary()


@pytest.fixture(scope="module")
def template(tmp_path_factory, judge):
    """An empty database, made once."""
    home = tmp_path_factory.mktemp("template")

    async def live():
        life = Life(home, judge)
        await life.begin()
        await life.end()

    asyncio.run(live())
    return home / "tendred.db"


class Naive(Clips):
    """What most programs do: whatever was not answered is sent again."""

    async def apply(self, job_id, event):
        return await super().apply(job_id, NotSent("guessed") if isinstance(event, Lost) else event)


def world(life, chance):
    """Providers as different as they come, with faults by chance."""
    for number in range(1 + chance.below(3)):
        cost, percent = chance.happens(50), chance.one([0, 3, 10, 30])

        def fault(call, percent=percent):
            known = {"submit": SUBMIT_FAULTS, "download": FETCH_FAULTS, "render": ENDS}.get(call, POLL_FAULTS)
            return chance.one(known) if chance.happens(percent) else ""

        said = features(
            f"memory{number}", cost=cost, listing=chance.happens(30), concurrency=1 + chance.below(3),
            cancel=chance.happens(50), deadline_s=DEADLINE_S,
        )  # fmt: skip
        life.providers[said.provider] = Provider(
            said, life.truth, lambda _: PRICE + chance.one([0, 0, -500, 700]), fault,
            truth=chance.one(["cancelled", "asked", "still_billed", "too_late"]), bills_failed=chance.happens(30),
            cut=life.cut,
        )  # fmt: skip


async def schedule(seed, home, judge, template, clips=Clips):
    """One life after another until everything is at its end."""
    chance, numbers = Chance(f"schedule {seed}"), itertools.count(1)
    life = Life(home, judge, template, clips)
    world(life, chance)
    await life.begin()
    await life.caps(job_mcr=PRICE, day_mcr=PRICE * (2 + chance.below(8)), month_mcr=PRICE * 40)
    try:
        for _ in range(30 + chance.below(30)):
            await act(life, chance, numbers)
            if chance.happens(25):
                life.kill_at = len(life.cuts) + 1 + chance.below(12)
            await life.step()
        life.kill_at = None
        await life.finish()
        await life.books()
    finally:
        await life.end()
    return life


async def act(life, chance, numbers):
    """What a person, or the world, does next."""
    known = [row["job_id"] for row in await life.rows("SELECT job_id FROM clip ORDER BY job_id")]
    match chance.below(12):
        case 0 | 1 | 2 | 3:
            await life.order(next(numbers), chance.one(sorted(life.providers)), PRICE)
        case 4 if known:
            await life.lived(lambda: life.office.cancel(chance.one(known)))
        case 5:
            for row in await life.rows("SELECT job_id FROM clip WHERE phase = 'unknown' LIMIT 1"):
                await life.resolve(row["job_id"])
        case 6:
            life.clock.ahead += chance.one([3600, -3600, 86400, -86400])
        case 7:
            life.clock.suspend(chance.one([60, 8 * 3600]))
        case _:
            return


@pytest.mark.parametrize("seed", range(QUICK))
async def test_a_schedule_bills_nothing_twice_and_loses_nothing(seed, tmp_path, judge, template):
    await schedule(seed, tmp_path, judge, template)


@pytest.mark.heavy
@pytest.mark.timeout(3600)
async def test_a_thousand_schedules(tmp_path, judge, template):
    deaths = clips = 0
    for seed in range(SCHEDULES):
        home = tmp_path / str(seed)
        home.mkdir()
        life = await schedule(seed, home, judge, template)
        deaths += life.deaths
        clips += sum(len(provider.jobs) for provider in life.providers.values())
    assert deaths > SCHEDULES
    assert clips > SCHEDULES


async def test_the_naive_broker_bills_twice(tmp_path, judge, template):
    """The harness sees what it is there for."""
    caught = 0
    for seed in range(QUICK):
        home = tmp_path / str(seed)
        home.mkdir()
        try:
            await schedule(seed, home, judge, template, Naive)
        except AssertionError as failed:
            caught += "submitted twice" in str(failed)
    assert caught > 0


async def test_a_seed_is_the_same_life_every_time(tmp_path, judge, template):
    stories = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        life = await schedule(7, tmp_path / name, judge, template)
        stories.append((life.cuts, life.deaths, {one: len(p.jobs) for one, p in life.providers.items()}))
    assert stories[0] == stories[1]


@pytest.mark.heavy
@pytest.mark.timeout(1800)
async def test_five_hundred_clips_close_to_zero(tmp_path, judge, template):
    """One provider says what a clip cost, the other doesn't: every settlement has its basis, every difference is booked."""
    chance = Chance("five hundred")
    life = Life(tmp_path, judge, template)
    for cost in (True, False):
        said = features(f"cost-{cost}", cost=cost, concurrency=50)
        life.providers[said.provider] = Provider(
            said, life.truth, lambda _: PRICE + chance.one([0, 0, -500, 700]), cut=life.cut,
            bills_failed=chance.happens(50),
        )  # fmt: skip
    await life.begin()
    await life.caps(job_mcr=PRICE, day_mcr=PRICE * 1000, month_mcr=PRICE * 1000)
    try:
        for number in range(1, 501):
            await life.order(number, f"cost-{number % 2 == 0}", PRICE)
        await life.finish()
        bases = {
            row["provider"]: row["basis"]
            for row in await life.rows("SELECT DISTINCT provider, basis FROM ledger WHERE kind = 'settle'")
        }
        assert bases == {"cost-True": "provider", "cost-False": "table"}
        assert len(await life.rows("SELECT 1 FROM kept")) == 500
        await life.books()
    finally:
        await life.end()
