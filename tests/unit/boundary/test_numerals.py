import pytest

from tendred.boundary.normalise import View
from tendred.boundary.numerals import digits, run


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("seventeen-year-old", "17-year-old"),
        ("twenty-one years", "21 years"),
        ("twentyfive years", "25 years"),
        ("one hundred and five years", "105 years"),
        ("a hundred hills", "a 100 hills"),
        ("two hundred", "200"),
        ("dix-sept ans", "17 ans"),
        ("vingt et un ans", "21 ans"),
        ("soixante-dix-sept ans", "77 ans"),
        ("quatre-vingt-dix-neuf ans", "99 ans"),
        ("cent deux ans", "102 ans"),
        ("septante-deux ans", "72 ans"),
        ("no number", "no number"),
        ("six, sept", "6, 7"),
    ],
)
def test_number_words(text: str, written: str) -> None:
    assert digits(View(text, range(len(text)), range(1, len(text) + 1))).text == written


@pytest.mark.parametrize(("text", "told"), [("awomanseventeenyearsold", "awoman17yearsold"), ("someone", "someone")])
def test_numbers_before_a_year_where_words_have_no_gaps(text: str, told: str) -> None:
    assert run(View(text, range(len(text)), range(1, len(text) + 1))).text == told
