# ruff: noqa: RUF001  (letters that look alike are what these tests are about)
import pytest

from tendred.boundary.data import load
from tendred.boundary.normalise import Folder
from tendred.boundary.views import readings, spelled

TABLES = load().folding
FOLDER = Folder(TABLES.lookalikes, TABLES.emoji)
WORDS = frozenset({"tower", "hill", "lighthouse"})


@pytest.mark.parametrize(
    "text",
    [
        "t0wer",
        "TOW3R",
        "+ower",
        "t-o-w-er",
        "to*wer",
        "tooowweeerrr tower",
        "myTower",
        "to\u200bwer",
        "ⓣⓞⓦⓔⓡ",
        "l1ghth0use tower",
    ],
)
def test_a_reading_shows_the_word(text: str) -> None:
    assert any("tower" in view.text.split() for view in readings(text, FOLDER, WORDS))


@pytest.mark.parametrize("text", ["t o w e r", "t.o.w.e.r", "a view, t - o - w - e - r", "T_O_W_E_R"])
def test_letters_spelled_apart(text: str) -> None:
    runs = spelled(FOLDER.fold(text))
    assert [run.text[-5:] for run in runs] == ["tower"]
    start, end = runs[0].span(len(runs[0].text) - 5, len(runs[0].text))
    assert text[start].lower() == "t"
    assert text[end - 1].lower() == "r"


def test_plain_words_are_left_alone() -> None:
    assert [view.text for view in readings("a hill, 4k, 50mm", FOLDER, WORDS)] == ["a hill, 4k, 50mm"]


def test_there_are_at_most_nine_readings() -> None:
    hostile = "t0wer to-wer tooower myTower to\u200bwer t o w e r 👶 ｔower"
    assert len(list(readings(hostile, FOLDER, WORDS))) <= 9


def test_gaps_tell_of_words_where_they_differ() -> None:
    assert [run.text for run in spelled(FOLDER.fold("a-r-e-d h-i-l-l"))] == ["aredhill", "ared hill"]


def test_brackets_and_weights_part_no_word() -> None:
    assert any(view.text == "a tower" for view in readings("a (to:1.2)wer", FOLDER, WORDS))
