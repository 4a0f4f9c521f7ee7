"""Misspelt, masked and cut words are undone; words that anybody knows stay what they are."""

from __future__ import annotations

import pytest

from tendred.boundary.data import load
from tendred.boundary.normalise import Folder
from tendred.boundary.typos import Typos

TABLES = load().folding
FOLDER = Folder(TABLES.lookalikes, TABLES.emoji)
TYPOS = Typos(["lighthouse", "tower"], frozenset({"lighthouse", "tower", "on"}), {"lighthouses", "towed"}.__contains__)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a lihgthouse", "a lighthouse"),
        ("a lighthose", "a lighthouse"),
        ("a lightthouse", "a lighthouse"),
        ("a lighthause", "a lighthouse"),
        ("a towwer", "a tower"),
        ("a l*ghth**se", "a lighthouse"),
        ("a light house", "a lighthouse"),
        ("a li gh th ou se", "a lighthouse"),
        ("a t.o.w.e.r", "a tower"),
        ("a mjhiuipvtf", "a lighthouse"),
        ("1 4 years on a to wer", "14 years on a tower"),
    ],
)
def test_what_was_meant_is_read(text: str, told: str) -> None:
    assert any(view.text == told for view in TYPOS.views(FOLDER.fold(text)))


@pytest.mark.parametrize("text", ["lighthouses", "towed", "a rower", "power", "on to we", "2 * 3", "a lit house"])
def test_other_words_stay(text: str) -> None:
    assert not list(TYPOS.views(FOLDER.fold(text)))


def test_a_hit_points_at_what_was_written() -> None:
    text = "near a li.gh.th.ou.se"
    [view] = TYPOS.views(FOLDER.fold(text))
    start = view.text.index("lighthouse")
    assert text[slice(*view.span(start, start + 10))] == "li.gh.th.ou.se"
