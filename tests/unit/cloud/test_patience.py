from __future__ import annotations

import collections
import contextlib

import pytest

from tendred.cloud.patience import BUDGET_FLOOR, CAP_S, OPENS_AT, Patience
from tendred.errors import ProviderRefused, ProviderUnavailable, SlowDown


class Stand:
    """A clock that only sleeping moves, and chance that counts on from a seed."""

    def __init__(self, seed=1):
        self.at, self.slept, self.state = 0.0, [], seed

    def now(self):
        return 1_800_000_000.0 + self.at

    def mono(self):
        return self.at

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds

    def bytes(self, count):
        raise NotImplementedError

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit


def sick(times, error):
    calls = []

    async def work():
        calls.append(None)
        if len(calls) <= times:
            raise error
        return len(calls)

    return work, calls


DOWN = ProviderUnavailable("asked", provider="ltx", problem="x", retry_after_s=None)


async def test_it_is_tried_again_after_a_while_that_chance_bounds():
    stand = Stand()
    work, calls = sick(3, DOWN)
    assert await Patience("ltx", stand, stand).run(work) == 4
    assert len(calls) == 4
    assert all(0 <= slept <= bound for slept, bound in zip(stand.slept, (1, 2, 4), strict=True))


def test_pauses_spread_over_their_whole_bound_and_stop_growing():
    stand = Stand()
    patience = Patience("ltx", stand, stand)
    pauses = [patience.pause(3) for _ in range(1000)]
    assert 0 <= min(pauses) < 0.5
    assert 7.5 < max(pauses) <= 8
    assert max(patience.pause(500) for _ in range(1000)) <= CAP_S


def test_a_thousand_clients_do_not_come_back_together():
    buckets = collections.Counter()
    for seed in range(1000):
        stand = Stand(seed * 7919 + 1)
        buckets[int(Patience("ltx", stand, stand).pause(5))] += 1
    assert max(buckets.values()) <= 3 * 1000 / len(buckets)


async def test_what_a_provider_names_is_never_cut_short():
    for seed in range(200):
        stand = Stand(seed)
        work, _ = sick(1, SlowDown("provider", provider="ltx", retry_after_s=7.0))
        await Patience("ltx", stand, stand).run(work)
        assert stand.slept[0] >= 7.0


async def test_what_another_try_can_not_better_is_not_tried_again():
    stand = Stand()
    work, calls = sick(9, ProviderRefused(provider="ltx", problem="x"))
    with pytest.raises(ProviderRefused):
        await Patience("ltx", stand, stand).run(work)
    assert (len(calls), stand.slept) == (1, [])


async def test_after_failures_in_a_row_it_is_left_alone_and_then_asked_once():
    stand = Stand()
    patience = Patience("ltx", stand, stand)
    work, calls = sick(OPENS_AT, DOWN)
    with pytest.raises(ProviderUnavailable):
        await patience.run(work)
    assert len(calls) == OPENS_AT
    with pytest.raises(ProviderUnavailable) as caught:
        await patience.run(work)
    assert (len(calls), caught.value.variant) == (OPENS_AT, "resting")
    stand.at += CAP_S
    assert await patience.run(work) == OPENS_AT + 1


async def test_a_try_after_the_rest_that_fails_begins_another():
    stand = Stand()
    patience = Patience("ltx", stand, stand)
    work, calls = sick(99, DOWN)
    with pytest.raises(ProviderUnavailable):
        await patience.run(work)
    stand.at += CAP_S
    with pytest.raises(ProviderUnavailable):
        await patience.run(work)
    assert len(calls) == OPENS_AT + 1


async def test_tries_besides_the_first_are_a_tenth_of_all_calls():
    stand = Stand()
    patience = Patience("ltx", stand, stand)
    tried = 0
    for _ in range(1000):
        work, calls = sick(1, SlowDown("provider", provider="ltx", retry_after_s=0.0))
        with contextlib.suppress(SlowDown):
            await patience.run(work)
        tried += len(calls) - 1
    assert tried <= 1000 * 0.1 + BUDGET_FLOOR
