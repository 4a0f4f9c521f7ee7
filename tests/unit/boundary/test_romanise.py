import pytest

from tendred.boundary.romanise import romanised


@pytest.mark.parametrize(
    ("word", "told"),
    [("гагарин", "gagarin"), ("αθηνα", "athina"), ("שרון", "shrwn"), ("mira", "mira"), ("दिल्ली", "dilli")],
)
def test_a_usual_reading(word: str, told: str) -> None:
    assert romanised(word)[0] == told


def test_an_article_is_no_part_of_a_name() -> None:
    assert romanised("الشريف") == romanised("شريف")
