"""Pictures of several orders in one call of the real pipelines: each arrives, and is as good as by itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tendred.errors import Cancelled
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.work import Advance, Output, Preview

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]

EULER = frozenset({"starter", "sdxl", "sd15"})


@pytest.fixture(scope="module")
def folders(tiny, families):
    return {**tiny, **families}


def words(text, weight=1.0, negative=""):
    spans = [Span(text=negative)] if negative else []
    return Conditioning(prompt=[Span(text=text), Span(text=" hills", weight=weight)], negative=spans, anchor=None)


def orders(studio, *conditionings, **changes):
    changes = {"width": 64, "height": 64, "steps": 3, "reproducible": False, **changes}
    return [
        msgspec.structs.replace(studio.order(one, **{**changes, "seed": 5 + at}), together=True)
        for at, one in enumerate(conditionings)
    ]


async def drawn(studio, made):
    """The outputs of each order, drawn in one go; what was raised where that came instead."""

    async def read(stream):
        return [report async for report in stream if isinstance(report, Output)]

    return await asyncio.gather(*(read(one) for one in studio.engine.together(made)), return_exceptions=True)


def raw(out):
    return np.frombuffer(Path(out.path).read_bytes(), np.uint8).astype(int)


def near(one, other):
    """Rounding differs between one and many in a call; the pictures don't."""
    return np.abs(raw(one) - raw(other)).mean() < 2


async def test_every_family_draws_them(studio, folders):
    studio.paths.update(folders)
    for family in ("starter", *folders):
        kind = {"model": family, "scheduler": "euler" if family in EULER else "flow_euler"}
        made = orders(studio, words("red"), words("a wide blue and violet sea before many green"), **kind)
        together = await drawn(studio, made)
        assert not any(isinstance(one, BaseException) for one in together), (family, together)
        assert [out.engine.batch_size for [out] in together] == [2, 2], family
        for order, [out] in zip(made, together, strict=True):
            lone = msgspec.structs.replace(order, together=False)
            [alone] = [one async for one in studio.engine.run(lone) if isinstance(one, Output)]
            assert alone.engine.batch_size == 1
            assert near(out, alone), family
        [[first], [second]] = together
        assert not near(first, second), family


async def test_weighed_words_go_together_and_long_ones_by_themselves(studio, folders):
    studio.paths.update(folders)
    both = await drawn(studio, orders(studio, words("red", 1.4), words("blue", 0.6), model="sdxl"))
    assert [out.engine.batch_size for [out] in both] == [2, 2]
    long = words("red green blue yellow violet orange " * 20)
    uneven = await drawn(studio, orders(studio, words("red", 1.4), long, model="sdxl"))
    assert [out.engine.batch_size for [out] in uneven] == [1, 1]
    # So does one with words against it among those without.
    wished = await drawn(studio, orders(studio, words("red"), words("blue", negative="rain"), model="sdxl"))
    assert [out.engine.batch_size for [out] in wished] == [1, 1]


async def test_a_count_is_drawn_in_calls_of_as_many_as_fit(studio):
    [order] = orders(studio, words("red"), count=10, steps=1)
    [outputs] = await drawn(studio, [order])
    assert [(out.index, out.engine.batch_size) for out in outputs] == [(at, 8 if at < 8 else 2) for at in range(10)]
    # The autoencoder works as before afterwards, and so does everything else.
    first, again = [await studio.draw() for _ in range(2)]
    assert first[0].pixels_sha256 == again[0].pixels_sha256


async def test_what_leaves_noise_at_every_step_has_a_generator_for_each(studio):
    made = orders(studio, words("red"), words("red"), scheduler="euler_a", model="starter")
    [[first], [second]] = await drawn(studio, made)
    [alone] = [one async for one in studio.engine.run(made[1]) if isinstance(one, Output)]
    assert near(second, alone)
    assert not near(first, second)


async def test_one_is_cancelled_and_the_others_arrive(studio):
    first, second = orders(studio, words("red"), words("blue"), steps=30, width=128, height=128)
    streams = studio.engine.together([msgspec.structs.replace(one, previews=True) for one in (first, second)])
    seen = []

    async def read(stream):
        return [seen.append(type(report)) or report async for report in stream]

    other = asyncio.ensure_future(read(streams[0]))
    with pytest.raises(Cancelled):
        async with aclosing(streams[1]) as reports:
            async for report in reports:
                if isinstance(report, Advance) and report.phase == "sampling":
                    await studio.engine.cancel(second.job_id)
    [out] = [one for one in await other if isinstance(one, Output)]
    assert out.engine.batch_size == 2
    assert Preview in seen
    assert not (studio.staging / f"{second.job_id}-0.rgb").exists()
