import pytest

from tendred.core.pace import WINDOW_S, Pace, left_s
from tendred.testing.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


async def test_the_rate_is_that_of_the_last_seconds(clock):
    pace = Pace(clock)
    assert pace.at(1000) is None  # what was there before says nothing
    clock.advance(0.1)
    assert pace.at(2000) is None
    for second in range(1, 30):
        clock.advance(1)
        rate = pace.at(2000 + 100 * second)
    assert rate == 100
    for second in range(1, int(WINDOW_S) + 2):
        clock.advance(1)
        rate = pace.at(4900 + 500 * second)
    assert rate == 500


async def test_a_count_that_fell_begins_anew(clock):
    pace = Pace(clock)
    pace.at(5000)
    clock.advance(1)
    assert pace.at(0) is None
    clock.advance(1)
    assert pace.at(300) == 300


def test_the_time_left_is_told_where_something_moves():
    assert left_s(100, 250) == 2.5
    assert left_s(0, 250) is None
    assert left_s(None, 250) is None
