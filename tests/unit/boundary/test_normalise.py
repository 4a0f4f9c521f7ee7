# ruff: noqa: RUF001  (letters that look alike are what these tests are about)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.boundary.data import load
from tendred.boundary.normalise import Folder, View, rewrite, unreadable

TABLES = load().folding
FOLDER = Folder(TABLES.lookalikes, TABLES.emoji)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Straße", "strasse"),
        ("Ｃａｆé", "cafe"),
        ("cafe\u0301", "cafe"),
        ("саfе", "cafe"),
        ("𝐜𝒶𝖋𝑒", "cafe"),
        ("ⓒⓐⓕⓔ", "cafe"),
        ("🅒🅐🅕🅔", "cafe"),
        ("ᴄᴀꜰᴇ", "cafe"),
        ("ca\u200bfe", "cafe"),
        ("c̶a̶f̶e̶", "cafe"),
        ("٤٢ ४२ ４２", "42 42 42"),
        ("œuf_de\u00a0  pâque", "oeuf de paque"),
        ("a \n b", "a\nb"),
        ("18–20", "18-20"),
        ("l’été", "l'ete"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert FOLDER.fold(text).text == folded


@pytest.mark.parametrize(
    ("text", "word", "span"),
    [
        ("cafe", "cafe", (0, 4)),
        ("🌅🌅 cafe", "cafe", (3, 7)),
        ("🌅 ca\u200b\u200bfe\u0301.", "cafe", (2, 9)),
        ("e\u0301te\u0301 cafe", "cafe", (6, 10)),
        ("ﬁ cafe", "cafe", (2, 6)),
        ("a   b", "b", (4, 5)),
    ],
)
def test_spans_point_into_the_text_as_received(text: str, word: str, span: tuple[int, int]) -> None:
    view = FOLDER.fold(text)
    at = view.text.index(word)
    assert view.span(at, at + len(word)) == span


def test_invisible_characters_part_words_in_the_other_reading() -> None:
    assert FOLDER.invisible("a\u2060b")
    assert not FOLDER.invisible("a b é")
    assert FOLDER.fold("a\u2060b", gaps=True).text == "a b"


@given(st.text(max_size=80))
def test_every_view_stays_inside_the_text_and_in_order(text: str) -> None:
    view = FOLDER.fold(text)
    assert len(view.text) == len(view.starts) == len(view.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(view.starts, view.ends, strict=True))
    assert list(view.starts) == sorted(view.starts)
    assert list(view.ends) == sorted(view.ends)


def test_rewriting_keeps_the_way_back() -> None:
    view = View("a seven b", range(9), range(1, 10))
    changed = rewrite(view, [(2, 7, "7")])
    assert changed.text == "a 7 b"
    assert changed.span(2, 3) == (2, 7)
    assert changed.span(4, 5) == (8, 9)
    assert rewrite(view, [(1, 8, "")]).text == "ab"


@pytest.mark.parametrize(
    "text",
    ["", "plain", "tab\tand\r\nlines", "日本の山", "👩‍🦰 красота", "naïve", "राष्ट्र", "\ue000 one sign in a long text"],
)
def test_readable(text: str) -> None:
    assert unreadable(text) is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a\ud800b", (1, 2)),
        ("a\x00b", (1, 2)),
        ("a\x1bb", (1, 2)),
        ("hill \ue000\ue001\ue002\ue003", (5, 6)),
        ("\ufffd\ufffd\ufffd hill", (0, 1)),
        ("h" + "\u0336" * 40, (0, 41)),
        ("hill" + "\U000e0041" * 40, (0, 44)),
    ],
)
def test_unreadable(text: str, span: tuple[int, int]) -> None:
    assert unreadable(text) == span
