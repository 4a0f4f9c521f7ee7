"""The adult anchor, counted in tokens: at the head of every window of CLIP's, whatever the words and weights."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from tendred.boundary.judge import Boundary, Words
from tendred.schema.sealed import Span

pytestmark = [pytest.mark.engine]

BOUNDARY = Boundary(bytes(32), year=lambda: 2026)
WINDOW = 77
PARTS = (
    "a woman in a red coat",
    "an old man",
    "by the sea",
    "oil painting",
    "85mm, f/1.8",
    "a couple, dancing",
    "long hair",
    "(smiling)",
    "adult",
    "at dusk",
)


class CLIPTextModel:
    """Stands for the encoder where only its kind is asked for."""


@pytest.fixture(scope="module")
def pipe():
    from tendred.engine.worker.single import tokenizer

    two = [tokenizer("tokenizer"), tokenizer("tokenizer_2")]
    return SimpleNamespace(tokenizer=two[0], tokenizer_2=two[1], text_encoder=CLIPTextModel())


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]


@pytest.mark.parametrize("age", [None, 34])
@pytest.mark.parametrize("length", [1, 4, 20, 60])
def test_every_window_of_every_encoder_begins_with_the_anchor(pipe, age, length):
    from tendred.engine.worker.words import _pieces

    rng = random.Random(length)
    for number in range(25):
        said = ", ".join([*(f"a {age}-year-old woman" for _ in [0] if age), *rng.choices(PARTS, k=length)])
        cut = rng.randrange(len(said))
        spans = [Span(text=said[:cut], weight=1.3), Span(text=said[cut:])] if number % 2 else [Span(text=said)]
        verdict, conditioning = BOUNDARY.judge(Words(prompt=said, spans=spans))
        assert verdict.verdict == "allow", said
        anchor = conditioning.anchor
        assert anchor == ("adult" if age is None else f"{age}-year-old adult")
        pieces = _pieces(pipe, conditioning.prompt, f"{anchor}, ")
        for tokenizer in (pipe.tokenizer, pipe.tokenizer_2):
            head = ids(tokenizer, f"{anchor}, ")
            windows = [ids(tokenizer, piece.text) for piece in pieces]
            assert all(window[: len(head)] == head and len(window) <= WINDOW - 2 for window in windows)
            drawn = [token for window in windows for token in window[len(head) :]]
            assert drawn == ids(tokenizer, said)


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_ten_thousand_prompts_with_people_have_one_anchor_each():
    rng = random.Random(7)
    for _ in range(10_000):
        age = rng.choice([None, rng.randint(21, 90)])
        who = rng.choice(["woman", "man", "nurse", "sailor", "couple", "queen", "dancer", "elderly lady"])
        said = f"{rng.choice(PARTS)}, {f'a {age}-year-old' if age else 'a'} {who}, {rng.choice(PARTS)}"
        _, still = BOUNDARY.judge(Words(prompt=said))
        _, clip = BOUNDARY.judge(Words(prompt=said, kind="clip"))
        expected = "adult" if age is None else f"{age}-year-old adult"
        assert still is not None
        assert clip is not None
        assert still.anchor == clip.anchor == expected
        assert "".join(span.text for span in still.negative).startswith("child, teenager, young")
