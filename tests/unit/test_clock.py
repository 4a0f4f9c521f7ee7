import re

from tendred.clock import Ids, SystemClock, SystemRng, rfc3339
from tendred.testing.clock import START, ManualClock

ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class Highest:
    """Chance at its upper end."""

    def bytes(self, count):
        return b"\xff" * count

    def below(self, limit):
        return limit - 1


def test_times_are_utc_with_milliseconds_cut_never_rounded_up():
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(START + 0.9999) == "2026-01-01T00:00:00.999Z"
    assert rfc3339(1_709_210_096.5) == "2024-02-29T12:34:56.500Z"


def test_an_id_is_a_prefix_and_a_ulid():
    prefix, _, ulid = Ids(SystemClock(), SystemRng()).new("job").partition("_")
    assert prefix == "job"
    assert ULID.fullmatch(ulid)


def test_a_ulid_begins_with_its_time():
    clock = ManualClock(start=1_469_918_176.385)
    assert Ids(clock, SystemRng()).ulid().startswith("01ARYZ6S41")  # the example of github.com/ulid/spec


def test_ids_of_one_millisecond_are_different_and_in_order():
    ids = Ids(ManualClock(), SystemRng())
    made = [ids.ulid() for _ in range(1000)]
    assert made == sorted(set(made))
    assert len({ulid[:10] for ulid in made}) == 1


def test_ids_stay_in_order_when_the_clock_goes_back():
    clock = ManualClock()
    ids = Ids(clock, SystemRng())
    before = ids.ulid()
    clock.advance(-3600)
    again = ids.ulid()
    clock.advance(3601)
    assert before < again < ids.ulid()


def test_the_highest_chance_does_not_flow_into_the_time():
    ids = Ids(ManualClock(), Highest())
    made = [ids.ulid() for _ in range(50)]
    assert made == sorted(made)
    assert len({ulid[:10] for ulid in made}) == 1


def test_chance_stays_below_its_limit():
    rng = SystemRng()
    assert {rng.below(3) for _ in range(200)} == {0, 1, 2}
    assert len(rng.bytes(16)) == 16
    assert rng.bytes(16) != rng.bytes(16)
