from __future__ import annotations

import pytest

from tendred.cloud.adapters.table import load
from tendred.cloud.offer import check, named
from tendred.errors import NotOffered

GOOD = {"prompt": "rain", "width": 1920, "height": 1080, "seconds": 6, "fps": "25"}


def ask(provider="ltx", model="ltx-2-3-fast", **changes):
    return check(load(provider).features(), model, **{**GOOD, **changes})


def test_what_is_in_the_table_is_offered():
    assert ask().name == "ltx-2-3-fast"
    assert ask(first=True, last=True, width=1080, height=1920, seconds=20).name == "ltx-2-3-fast"


@pytest.mark.parametrize(
    ("provider", "model", "changes", "path", "near"),
    [
        ("ltx", "ltx-2-3-fast", {"seconds": 7}, "seconds", ["6", "8"]),
        ("ltx", "ltx-2-3-fast", {"seconds": 20, "fps": "50"}, "seconds", ["8", "10"]),
        ("ltx", "ltx-2-5-pro", {"width": 3840, "height": 2160}, "size", "1920x1080"),
        ("ltx", "ltx-2-5-pro", {"fps": "48"}, "fps", ["24", "25", "50"]),
        ("ltx", "ltx-2-3-fast", {"seed": 7}, "seed", ["null"]),
        ("ltx", "ltx-2-3-fast", {"last": True}, "last_frame", ["null"]),
        ("ltx", "ltx-2-3-fats", {}, "model", "ltx-2-3-fast"),
        ("fal", "ltx-2-3-fast", {"width": 1280, "height": 720}, "size", "1920x1080"),
        ("fal", "ltx-2-3-fast", {"seconds": 2}, "seconds", "6"),
        ("openai-videos", "ltx-2-3-fast", {"prompt": "x" * 100_000}, "prompt", ["at most 32000 characters"]),
    ],
)  # fmt: skip
def test_what_is_not_is_told_by_its_field_with_what_is_near(provider, model, changes, path, near):
    with pytest.raises(NotOffered) as caught:
        ask(provider, model, **changes)
    assert caught.value.path == path
    found = caught.value.detail["near"]
    assert near in found if isinstance(near, str) else found == near


def test_a_retired_model_says_what_took_its_place():
    with pytest.raises(NotOffered) as caught:
        named(load("ltx").features(), "ltx-2-pro")
    assert caught.value.detail["replaced_by"] == "ltx-2-3-pro"
    assert "ltx-2-3-pro" in str(caught.value)
