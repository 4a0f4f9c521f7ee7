"""Captions: whatever they teach the starter, a user may ask for."""

from __future__ import annotations

import random

import pytest

from tendred.boundary.anchor import ANCHOR, NEGATIVE
from tendred.boundary.judge import Boundary, Words

NAMES = ("grammar", "drawing")


@pytest.fixture(scope="module")
def grammar(recipe):
    return recipe["grammar"]


@pytest.fixture(scope="module")
def drawing(recipe):
    return recipe["drawing"]


def test_what_is_examined_is_never_drawn_for_training(drawing):
    rng = random.Random(1)
    trained = [drawing.choose(rng) for _ in range(3000)]
    examined = [drawing.choose(rng, examination=True) for _ in range(300)]
    assert not any(drawing.held_out(one) for one in trained)
    assert all(drawing.held_out(one) for one in examined)
    assert {one["subject"] for one in examined} == set(drawing.SUBJECTS)


def test_a_part_is_held_out_not_a_word(drawing):
    """Every single value is trained; only how they come together is new."""
    rng = random.Random(2)
    seen = {(name, value) for _ in range(6000) for name, value in drawing.answers(drawing.choose(rng)).items()}
    asked = {
        (name, value)
        for _ in range(1000)
        for name, value in drawing.answers(drawing.choose(rng, examination=True)).items()
    }
    assert asked <= seen


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_value_can_be_said(grammar, drawing, lang):
    table = grammar._WORDS[lang]
    kinds = {"clothes_colour": "colour", "sun_colour": "colour", "background": "colour", "sky": "colour"}
    for subject, attributes in drawing.ATTRIBUTES.items():
        assert table["noun"][subject]
        for name, values in attributes.items():
            kind = "colour" if name.startswith("hill") else kinds.get(name, name)
            assert set(values) <= set(table[kind]), (lang, subject, name)


@pytest.mark.parametrize("index", range(10))
def test_every_manner_names_all_it_was_given(grammar, drawing, index):
    """A value that is said changes the caption's words: none is dropped on the way."""
    manner = grammar.MANNERS[index]
    for seed in range(60):
        said = drawing.choose(random.Random(seed))
        caption = grammar.caption(said, random.Random(seed), manner)
        for name in said:
            less = {other: value for other, value in said.items() if other != name}
            if name in {"subject", "beard", "hill2", "hill3"} or (name == "sun" and said["sun"] == "sun"):
                continue
            assert grammar.caption(less, random.Random(seed), manner) != caption, (manner, name, caption)


def test_the_boundary_lets_every_caption_pass(grammar, drawing):
    """The grammar can teach nothing that nobody may ask for."""
    boundary, rng = Boundary(b"k" * 32, year=lambda: 2026), random.Random(3)
    for _ in range(600):
        caption = grammar.caption(grammar.some(drawing.choose(rng), rng), rng)
        verdict, _ = boundary.judge(Words(prompt=caption))
        assert verdict.verdict == "allow", (caption, verdict)


def test_the_anchor_is_in_the_grammar(grammar, drawing):
    rng = random.Random(4)
    captions = [grammar.caption(drawing.choose(rng), rng) for _ in range(500)]
    assert sum(caption.startswith(f"{ANCHOR}, ") for caption in captions) > 10
    assert sum(f"-year-old {ANCHOR}, " in caption for caption in captions) > 5
    assert NEGATIVE in {grammar.nothing(rng) for _ in range(100)}


def test_captions_of_one_picture_differ(grammar, drawing):
    said = drawing.choose(random.Random(5))
    assert len({grammar.caption(said, random.Random(seed)) for seed in range(50)}) > 45
