import pytest

from tendred.boundary.phrases import Phrases, fill, plurals, tokens


def test_the_longest_phrase_wins_and_gaps_are_few() -> None:
    phrases = Phrases(["red", "red hill", "red hill tower"], fold=str.lower, gaps=(" ", "-"))

    def at(text: str) -> int:
        return phrases.at(text, tokens(text), 0)

    assert at("red hill tower") == 3
    assert at("red-hill top") == 2
    assert at("red, hill") == 1
    assert at("red") == 1
    assert at("blue") == 0
    assert phrases.words() == {"red"}
    assert phrases.vocabulary() == {"red", "hill", "tower"}


def test_templates_are_filled_from_lists() -> None:
    assert fill(["a {x}", "b"], {"x": ["1", "2"]}) == ["a 1", "a 2", "b"]
    with pytest.raises(KeyError):
        fill(["{gone}"], {})
    assert plurals(["hill"]) == ["hill", "hills"]
