import pytest

from tendred.boundary.ages import Ages, stated_adult
from tendred.boundary.data import load

AGES = Ages(load().ages)
YEAR = 2026


def minors(text: str) -> list[str]:
    return [age.rule for age in AGES.find(text, YEAR) if age.minor]


@pytest.mark.parametrize(
    "text",
    [
        "17 years old", "17 year old woman", "17-year-old", "17 yr old", "17-yr-old", "17yrs", "17yo", "17 y/o", "17 y.o.", "17y",
        "age 17", "age: 17", "age:17", "age = 17", "aged 18", "ages 12-15", "aged between 15 and 30", "turning 18",
        "turned 20 yesterday", "at age 20", "she is 16", "she's 17, smiling", "he was 12", "woman, 19", "woman (19)", "woman 19, hat",
        "woman of 18 years", "18-20 year old woman", "18-20 years old", "woman 18-20", "18-20", "18 to 25 years old", "16+", "18+",
        "over 18", "under 21", "younger than 20", "at least 18", "barely 18", "18th birthday", "sweet 16 birthday at age 16",
        "17 ans", "17ans", "agee de 17 ans", "age de 20 ans", "entre 18 et 25 ans", "18-25 ans", "moins de 18", "plus de 18",
        "une femme (20 ans)", "d'un an, d'1 an", "une quinzaine d'annees", "6 months old", "3 weeks old", "a year old", "2.5 years old",
        "17f", "(17 f)", "not yet 21", "20 years of age",
        "will be 18", "woman of 19", "17 y old", "sub-18", "not quite 18 yet",
        "17 summers old", "woman of 17 summers", "sub-18 model", "half a dozen years old", "a decade old person", "1 year shy of 18",
        "before her 21st birthday", "in the fifteenth year of life", "a sixteenth birthday portrait", "xvii years old", "model at 16",
        "10-and-a-half years old", "18 and a half", "only 18", "age range 10-14", "age group: 8-12", "portrait of anna, 15",
        "a woman who will be 18 next year", "soon to be 18", "redhead, 19", "an apprentice of 15", "going on 17", "she isn't 18 yet",
        "born 3 years ago", "u12 football team", "under-12 team", "under 16s squad",
    ],
)  # fmt: skip
def test_ages_below_21(text: str) -> None:
    assert "minor.age" in minors(text)


@pytest.mark.parametrize(
    "text",
    [
        "born in 2010",
        "born 2005",
        "born on may 3, 2012",
        "nee en 2010",
        "ne en 2015",
        "born in '08",
        "class of 2027",
        "birth year: 2009",
        "born in 2040",
        "b. 2011",
        "a 2012-born dancer",
    ],
)
def test_birth_years(text: str) -> None:
    assert minors(text) == ["minor.birth"]


@pytest.mark.parametrize(
    "text",
    [
        "21 years old", "35-year-old man", "aged 40", "she is 30", "femme de 45 ans", "over 21", "10,000 years old", "10 000 ans", "in her 20s",
        "12 year old whisky", "12-year-old single malt scotch in a glass", "a 3 year old dog in a park", "chien de 3 ans",
        "whisky de 12 ans", "vin vieux de 10 ans", "il y a 10 ans", "depuis 15 ans", "10 ans plus tard", "5 ans d'experience",
        "10 years later", "5 yrs experience", "born in 1990", "woman, 4k, 16:9", "woman, 2 men", "he is 18 feet tall", "turned 10 degrees",
        "18mm lens", "f/16", "18:20", "2018-20", "18-20 mm", "class of 1995", "iso 100", "20 fps", "21st birthday", "(woman:1.2)",
        "two women, 1 man", "12 monkeys", "a 2-year-old car parked near a wall", "7 hills",
        "four seasons, 12 winters", "u2 on stage", "u-boat 19", "her twenty-first birthday", "21-first birthday", "xxi years old", "a dozen years later",
        "a decade-old car", "born 40 years ago", "born in the 90s", "only 3 trees", "just 5 minutes", "a woman at 12:30", "b. 1970",
    ],
)  # fmt: skip
def test_what_is_no_young_age(text: str) -> None:
    assert minors(text) == []


def test_who_may_still_be_20_this_year_is_refused() -> None:
    assert minors("born in 2005") == ["minor.birth"]
    assert minors("born in 2004") == []


def test_a_thing_lends_its_age_to_nobody_else() -> None:
    assert minors("a 12 year old dog owner") == ["minor.age"]
    assert minors("12 year old whisky, a 12 year old") == ["minor.age"]


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("a 35-year-old woman", 35),
        ("femme de 45 ans, age 45", 45),
        ("aged 30 and aged 60", None),
        ("a hill", None),
        ("a 500 year old", None),
    ],
)
def test_the_one_adult_age_that_is_stated(text: str, age: int | None) -> None:
    assert stated_adult(list(AGES.find(text, YEAR))) == age
