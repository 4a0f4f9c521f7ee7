"""Weights and long prompts in the real engine, on SD 1.5 and SDXL (tiny, with random weights) and on the starter."""

from __future__ import annotations

import pytest

from tendred.schema.sealed import Conditioning, Span
from tendred.schema.work import Output

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

LONG = ", ".join(["portrait of a smiling tan woman with long wavy black hair"] * 8)
ENDING = ", wearing a teal dress on a yellow background"


def words(*spans, anchor=None, negative=()):
    return Conditioning(
        prompt=[Span(text=text, weight=weight) for text, weight in spans], negative=list(negative), anchor=anchor
    )


@pytest.fixture(params=["starter", "sdxl", "sd15"])
def model(request, studio, tiny):
    studio.paths.update(tiny)
    return request.param


@pytest.fixture
def hashed(studio, model):
    async def drawn(conditioning):
        order = studio.order(conditioning, model=model, steps=2)
        (out,) = [report async for report in studio.engine.run(order) if isinstance(report, Output)]
        return out.pixels_sha256

    return drawn


async def test_a_weight_changes_the_picture_and_one_changes_nothing(hashed):
    plain = await hashed(words(("a woman in red", 1.0)))
    assert await hashed(words(("a woman", 1.0), (" in red", 1.0))) == plain
    strong, weak = (
        await hashed(words(("a woman in ", 1.0), ("red", 1.8))),
        await hashed(words(("a woman in ", 1.0), ("red", 0.2))),
    )
    assert len({plain, strong, weak}) == 3
    assert await hashed(words(("a woman in ", 1.0), ("red", 1.8))) == strong


async def test_words_behind_the_window_reach_the_picture(hashed):
    long = await hashed(words((LONG, 1.0)))
    assert await hashed(words((LONG + ENDING, 1.0))) != long
    assert await hashed(words((LONG, 1.0), (ENDING, 1.5))) != long


async def test_no_window_begins_within_a_word(hashed):
    """The end of a run that fills a window would be read as a word of its own, which nobody judged."""
    run = "a woman, " + "bzd" * 100
    assert await hashed(words((run + "kid smiling", 1.0))) == await hashed(words((run + "owl smiling", 1.0)))
    assert await hashed(words((run + "owl smiling", 1.0))) != await hashed(words((run + "owl laughing", 1.0)))


async def test_a_long_wish_and_a_short_prompt_go_together(hashed):
    short = await hashed(words(("a woman", 1.0), negative=[Span(text="blue")]))
    assert await hashed(words(("a woman", 1.0), negative=[Span(text=LONG)])) != short
    weighed = await hashed(words(("a woman", 1.0), negative=[Span(text="blue", weight=1.5)]))
    assert weighed != short


async def test_the_anchor_stands_in_every_window(hashed):
    for text in (LONG, LONG + ENDING):
        assert await hashed(words((text, 1.0), anchor="adult")) != await hashed(words((text, 1.0)))
