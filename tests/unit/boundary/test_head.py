import pytest

from tendred.boundary.data import Head
from tendred.boundary.head import SLOTS, STEP, WINDOW, Semantic, features
from tendred.boundary.native import native


def head(*words: str, threshold: float = 5.0) -> Semantic:
    """One that knows these words and nothing else."""
    weights = bytearray(SLOTS)
    for word in words:
        for slot in features([word]):
            weights[slot] = 100
    return Semantic(Head(weights=bytes(weights), scale=0.1, bias=0.0, threshold=threshold))


def test_it_hears_a_word_and_says_where() -> None:
    text = "a red hill with one lighthouse"
    assert head("lighthouse").find(native(text)) == (0, len(text))
    assert head("lighthouse").find(native("a red hill with a tower")) is None


def test_nothing_is_drowned_in_many_words() -> None:
    text = "grass " * 200 + "lighthouse" + " grass" * 50
    hit = head("lighthouse").find(native(text))
    assert hit is not None
    start, end = hit
    assert "lighthouse" in text[start:end]
    assert len(text[start:end].split()) <= WINDOW
    assert STEP < WINDOW


@pytest.mark.parametrize("text", ["lighthouse", "a-lighthouse.json", "lighthouse, watercolour"])
def test_a_name_or_a_tag_is_too_short_to_sound_like_anything(text: str) -> None:
    assert head("lighthouse").find(native(text)) is None


def test_a_few_signs_of_a_script_without_spaces_are_long_enough() -> None:
    assert head("灯").find(native("灯台と海")) is not None


def test_letters_are_enough_for_another_form() -> None:
    one = head("lighthouse")
    assert one.score(["lighthouses"]) > one.score(["harbour"])


def test_numbers_are_one_and_years_another() -> None:
    assert set(features(["47"])) == set(features(["17"])) == set(features(["5"]))
    assert set(features(["1967"])) != set(features(["967"]))


def test_a_head_of_another_size_is_none() -> None:
    with pytest.raises(ValueError, match="size"):
        Semantic(Head(weights=b"\1", scale=1.0, bias=0.0, threshold=1.0))
