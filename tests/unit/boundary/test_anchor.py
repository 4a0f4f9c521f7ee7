# ruff: noqa: RUF001  (letters that look alike are what these tests are about)
import pytest

from tendred.boundary.anchor import ANCHOR, NEGATIVE, Anchor, compose
from tendred.boundary.data import load
from tendred.boundary.normalise import Folder
from tendred.schema.sealed import Span

RULES = load()
FOLDER = Folder(RULES.folding.lookalikes, RULES.folding.emoji)
WHO = Anchor(RULES.anchor, lambda text: FOLDER.fold(text).text)


@pytest.mark.parametrize(
    "text",
    [
        "woman", "a man by the sea", "portrait", "people in a street", "a nurse", "femme", "un homme dans la forêt", "une infirmière", "someone",
        "she walks", "elle", "wearing a hat", "zara by the sea", "Élodie", "a dream of eternity", "", "beautiful, 4k", "красивая гора",
        "👩", "a cat wearing a dress",
    ],
)  # fmt: skip
def test_a_person_may_be_in_frame(text: str) -> None:
    assert WHO.may_show_person(FOLDER.fold(text))


@pytest.mark.parametrize(
    "text",
    [
        "landscape of red orange yellow green hills under a blue sky with a white sun",
        "clay creature yellow egg shaped with horns and one eye smile mouth on a pink background",
        "a lighthouse at dusk, dramatic clouds, 8k", "une maison au bord de la mer, coucher de soleil", "still life with apples and a vase",
        "logo of a fox, minimalist",
    ],
)  # fmt: skip
def test_nobody_is_in_frame(text: str) -> None:
    assert not WHO.may_show_person(FOLDER.fold(text))


def test_names_count_by_their_words() -> None:
    assert WHO.names_person(FOLDER.fold("woman_detail_v2"))
    assert not WHO.names_person(FOLDER.fold("film_grain_v2"))


def test_what_the_encoders_get() -> None:
    made, removed = compose([Span(text="a woman")], [Span(text="blurry")], anchored=True, age=None)
    assert [span.text for span in made.prompt] == ["a woman"]
    assert "".join(span.text for span in made.negative) == f"{NEGATIVE}, blurry"
    assert (made.anchor, removed) == (ANCHOR, [])
    assert compose([Span(text="a woman")], [Span(text="")], anchored=True, age=35)[0].anchor == "35-year-old adult"
    bare, _ = compose([Span(text="a hill")], [Span(text="adult trees")], anchored=False, age=None)
    assert ("".join(span.text for span in bare.negative), bare.anchor) == ("adult trees", None)


@pytest.mark.parametrize(
    ("negative", "left", "removed"),
    [
        ("adult, mature, grown-up", "", ["adult", "mature", "grown-up"]),
        ("blurry, Adults", ", blurry", ["Adults"]),
        ("premature ending", ", premature ending", []),
    ],
)
def test_a_negative_prompt_cannot_take_the_anchor_back(negative: str, left: str, removed: list[str]) -> None:
    made, said = compose([Span(text="a woman")], [Span(text=negative)], anchored=True, age=None)
    assert "".join(span.text for span in made.negative) == NEGATIVE + left
    assert said == removed


def test_a_weighed_wish_keeps_its_weights_without_the_words_against_the_anchor() -> None:
    wish = [Span(text="blurry, (adu", weight=1.0), Span(text="lt) fog", weight=1.3), Span(text=" ;", weight=0.5)]
    made, said = compose([Span(text="a woman")], wish, anchored=True, age=None)
    assert said == ["adult"]
    assert made.negative == [
        Span(text=NEGATIVE), Span(text=", blurry, ("), Span(text=") fog", weight=1.3),
    ]  # fmt: skip
    assert compose([Span(text="a hill")], wish, anchored=False, age=None)[0].negative == wish
