# ruff: noqa: RUF001  (letters of other scripts are what these tests are about)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.boundary.native import bare, native, plain, words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("MÄDCHEN", "mädchen"), ("ребёнок", "ребенок"), ("ΠΑΙΔΊ", "παιδι"), ("طِفْل", "طفل"), ("أطفال", "اطفال"), ("１７歳", "17歳"),
        ("१७ साल", "17 साल"), ("cafe\u0301", "café"), ("ki\u200bnd", "kind"), ("ς", "σ"), ("מׅלח", "מלח"),
    ],
)  # fmt: skip
def test_one_form_of_each_letter(text: str, told: str) -> None:
    assert plain(text) == told
    assert native(text).text == told


def test_accents_go_only_where_they_are_left_out_in_haste() -> None:
    assert bare("dziewczę łąka kız") == "dziewcze laka kiz"
    assert bare("किशोर") == "किशोर"


def test_words_keep_their_marks() -> None:
    assert [token.text for token in words("17-летняя, बच्ची 3ème")] == ["17", "летняя", "बच्ची", "3", "ème"]


@given(st.text(max_size=60))
def test_every_letter_knows_where_it_comes_from(text: str) -> None:
    view = native(text)
    assert len(view.text) == len(view.starts) == len(view.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(view.starts, view.ends, strict=True))
