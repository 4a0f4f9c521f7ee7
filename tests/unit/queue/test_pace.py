import pytest

from tendred.queue.pace import LEAST_S, LONGEST_S, PATIENCE_S, Paces, learn, work_of


@pytest.mark.parametrize(
    ("request_", "work"),
    [
        ({"count": 2, "steps": 20, "width": 1000, "height": 500}, 20.0),
        ({"count": 2, "steps": None, "width": 1000, "height": 500}, 1.0),
        ({"count": 0, "steps": 20, "width": 1000, "height": 500}, 1.0),
        ({"prompt": "x"}, 1.0),
    ],
)
def test_work_is_pictures_times_steps_times_megapixels(request_, work):
    assert work_of("still", request_) == work
    assert work_of("sheet", request_) == 0


async def paces(database, *learned):
    async def one(model, work, seconds):
        return await database.write(lambda tx: learn(tx, model, work, seconds))

    changed = [await one(*each) for each in learned]
    return await database.read(Paces), changed


async def test_before_anything_was_measured_only_ratios_count(database):
    known, _ = await paces(database)
    assert (known.told("a", 3), known.cost("a", 3), known.cost("a", 0)) == (None, 3, LEAST_S)
    assert known.room_s() == PATIENCE_S[1]


async def test_what_was_measured_is_told_and_what_was_not_is_guessed_from_it(database):
    known, _ = await paces(database, ("a", 10, 5), ("b", 10, 15))
    assert (known.told("a", 4), known.told("b", 4), known.told("c", 4)) == (2, 6, None)
    assert known.cost("c", 4) == 4, "20 s for 20"
    assert (known.room_s(), known.room_s(3), known.room_s(10_000)) == (10, 30, PATIENCE_S[2])


async def test_the_last_jobs_count_most(database):
    known, _ = await paces(database, *[("a", 1, 1)] * 20, *[("a", 1, 3)] * 20)
    assert 2.9 < known.told("a", 1) < 3


async def test_a_change_is_told_once_it_is_large(database):
    _, changed = await paces(database, ("a", 1, 10), ("a", 1, 10.5), ("a", 1, 11), ("a", 1, 40), ("a", 1, 19))
    assert changed == [True, False, False, True, False]


@pytest.mark.parametrize("seconds", [0, -3600, LONGEST_S + 1])
async def test_a_clock_that_was_set_teaches_nothing(database, seconds):
    known, changed = await paces(database, ("a", 1, seconds))
    assert (known.told("a", 1), changed) == (None, [False])
