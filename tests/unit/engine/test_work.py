"""Orders that the process gets in one go: each keeps its own reports, its own cancel and its own end."""

import asyncio

import msgspec
import pytest

from tendred.errors import Cancelled, EngineDied, ShuttingDown, UnsupportedParameter
from tendred.schema.work import Advance, Output, Preview
from tendred.testing.orders import STILL, review

FREE = {"reproducible": False, "steps": 6}


def together(bench, *changes):
    """Streams of orders that may be drawn in one go; ids count from one."""
    orders = [
        msgspec.structs.replace(bench.order(f"job_{number}", **{**FREE, **one}), together=True)
        for number, one in enumerate(changes, 1)
    ]
    return bench.engine.together(orders)


async def read(reports):
    return [report async for report in reports]


async def outputs(reports):
    return [report for report in await read(reports) if isinstance(report, Output)]


async def ends(*streams):
    """What each came to: its pictures, or what it raised."""
    return await asyncio.gather(*(outputs(one) for one in streams), return_exceptions=True)


async def test_they_are_drawn_in_one_call_and_each_gets_its_own(bench):
    first, second = await ends(*together(bench, {"prompt": "hills", "seed": 3}, {"prompt": "sea", "count": 2}))
    assert [(out.index, out.seed) for out in (*first, *second)] == [(0, 3), (0, 7), (1, 8)]
    assert [out.engine.batch_size for out in (*first, *second)] == [3, 3, 3]
    assert [out.path for out in first] == [str(bench.staging / "job_1-0.rgb")]
    assert len(bench.spawn.started) == 1
    # By itself it is another picture, and is said to be one by itself.
    (alone,) = await bench.draw("job_9", prompt="hills", seed=3, **FREE)
    assert alone.engine.batch_size == 1
    assert alone.pixels_sha256 != first[0].pixels_sha256
    (model,) = bench.engine.loaded()
    assert (model.busy, bench.engine.state().state) == (False, "idle")


async def test_a_count_of_its_own_goes_in_one_call_where_that_is_allowed(bench):
    order = bench.order("job_1", count=3, **FREE)
    for allowed, size in ((True, 3), (False, 1)):
        one = msgspec.structs.replace(order, together=allowed)
        assert [out.engine.batch_size for out in await outputs(bench.engine.run(one))] == [size] * 3
    # What its order says alone is not enough: the request under the seal must say so too.
    sealed = msgspec.structs.replace(order, together=True, reviewed=review(msgspec.structs.replace(STILL, count=3)))
    assert [out.engine.batch_size for out in await outputs(bench.engine.run(sealed))] == [1] * 3


async def test_more_than_fit_into_a_call_come_in_several(bench):
    bench.script(step_s=0.002)
    [stream] = together(bench, {"count": 10})
    reports = await read(stream)
    assert [one.engine.batch_size for one in reports if isinstance(one, Output)] == [8] * 8 + [2] * 2
    sampling = [one for one in reports if isinstance(one, Advance) and one.phase == "sampling"]
    assert {one.total for one in sampling} == {12}
    assert [one.done for one in sampling] == sorted(one.done for one in sampling)


async def test_each_is_told_how_far_it_is_and_shown(bench):
    bench.script(step_s=0.02)
    streams = bench.engine.together(
        [
            msgspec.structs.replace(bench.order(f"job_{number}", **FREE), together=True, previews=True)
            for number in (1, 2)
        ]
    )
    for reports in await asyncio.gather(*(read(one) for one in streams)):
        assert {one.phase for one in reports if isinstance(one, Advance)} >= {"loading", "sampling"}
        assert any(isinstance(one, Preview) for one in reports)


async def test_one_that_is_cancelled_ends_at_once_and_the_others_go_on(bench):
    bench.script(step_s=0.05)
    first, second, third = together(bench, {"steps": 40}, {"steps": 40}, {"steps": 40})
    others = bench.begin(ends(first, third))
    await bench.first_step(second)
    await bench.engine.cancel("job_2")
    with pytest.raises(Cancelled):
        await read(second)
    assert not others.done()
    one, three = await others
    assert [out.engine.batch_size for out in (*one, *three)] == [3, 3]
    assert not (bench.staging / "job_2-0.rgb").exists()
    assert len(bench.spawn.started) == 1


async def test_all_cancelled_is_the_end_of_the_call(bench):
    bench.script(step_s=0.02)
    first, second = together(bench, {"steps": 200}, {"steps": 200})
    other = bench.begin(ends(first))
    await bench.first_step(second)
    await asyncio.gather(bench.engine.cancel("job_1"), bench.engine.cancel("job_2"))
    assert [type(end) for end in [*await ends(second), *await other]] == [Cancelled, Cancelled]
    assert await bench.draw("job_3")
    assert len(bench.spawn.started) == 1


async def test_who_is_cancelled_before_the_process_is_ready_is_left_out(bench):
    bench.script(start_s=0.5)
    first, second = together(bench, {}, {})
    other = bench.begin(ends(second))
    going = bench.begin(ends(first))
    await bench.until(lambda: bench.engine.state().state == "starting")
    await bench.engine.cancel("job_1")
    # It is over at once, though it was the one that started the process for both.
    [end] = await asyncio.wait_for(going, 0.4)
    assert isinstance(end, Cancelled)
    [[out]] = await other
    assert out.engine.batch_size == 1


async def test_a_death_ends_all_of_them(bench):
    bench.script(die_together=True)
    assert [type(end) for end in await ends(*together(bench, {}, {}))] == [EngineDied, EngineDied]
    assert bench.topics().count("engine.died") == 1
    assert await bench.draw("job_9", **FREE)


async def test_without_memory_for_all_each_is_drawn_by_itself(bench):
    bench.script(alone=True)
    for [out] in await ends(*together(bench, {}, {"seed": 9})):
        assert out.engine.batch_size == 1


async def test_each_says_for_itself_what_is_wrong_with_it(bench):
    """Other settings under a seal than beside it: nothing is drawn in one go that has too little in common."""
    fine, odd = await ends(*together(bench, {}, {"scheduler": "nonsense"}))
    assert [out.engine.batch_size for out in fine] == [1]
    assert isinstance(odd, UnsupportedParameter)


async def test_whoever_comes_next_waits_until_the_last_is_through(bench):
    bench.script(step_s=0.02)
    first, second = together(bench, {}, {})
    one, two = bench.begin(ends(first)), bench.begin(ends(second))
    await bench.until(lambda: bench.engine.state().state == "busy")
    assert await bench.draw("job_3")
    assert one.done()
    assert two.done()


async def test_closing_ends_all_of_them(bench):
    bench.script(step_s=0.05)
    first, second = together(bench, {"steps": 200}, {"steps": 200})
    one = bench.begin(ends(first, second))
    await bench.until(lambda: bench.engine.state().state == "busy")
    await bench.engine.close()
    assert {type(end) for end in await one} == {ShuttingDown}
