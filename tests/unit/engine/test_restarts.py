from __future__ import annotations

from tendred.engine.restarts import Restarts


def test_the_pause_is_counted_from_the_last_death():
    restarts = Restarts()
    for now in (1.0, 2.0, 3.0, 4.0):
        restarts.died(0.5, now)
        assert restarts.left_s(now) == 0
    restarts.died(9.9, 20.0)
    assert restarts.left_s(20.0) == 30
    assert restarts.left_s(45.0) == 5
    assert restarts.left_s(50.0) == 0


def test_a_stable_life_counts_as_none():
    restarts = Restarts()
    for lived in (0, 0, 0, 0, 10.0, 0, 0, 0, 0):
        restarts.died(lived, 1.0)
        assert restarts.left_s(1.0) == 0
    restarts.died(0, 1.0)
    assert restarts.left_s(1.0) == 30
