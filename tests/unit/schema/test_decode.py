from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from tendred.errors import InvalidParams, describe
from tendred.schema.decode import convert
from tendred.schema.still import StillRequest


class Odd(StillRequest, frozen=True):
    words: dict[str, Annotated[int, Meta(gt=0)]] = {}
    starts: Annotated[str, Meta(pattern="^a")] = "a"
    shaped: Annotated[str, Meta(pattern="^a", description="A letter a.")] = "a"
    even: Annotated[int, Meta(multiple_of=2)] = 2


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({}, "prompt", "it is missing"),
        ([], "request", "it must be an object, not a list"),
        ({"prompt": 1}, "prompt", "it must be text, not a whole number"),
        ({"prompt": None}, "prompt", "it must be text, not null"),
        ({"prompt": "a", "steps": 0}, "steps", "it must be at least 1"),
        ({"prompt": "a", "steps": 10**30}, "steps", "it must be at most 200"),
        ({"prompt": "a", "steps": 1.5}, "steps", "it must be a whole number or null, not a number with a fraction"),
        ({"prompt": "a", "steps": True}, "steps", "it must be a whole number or null, not true or false"),
        ({"prompt": "a", "loras": [{"name": "x"}, {}]}, "loras[1].name", "it is missing"),
        ({"prompt": "a", "loras": [{"name": "x", "weight": 9}]}, "loras[0].weight", "it must be at most 4"),
        ({"prompt": "a", "format": "gif"}, "format", "it must be one of jpeg, png, webp"),
        ({"prompt": "a", "tags": ["a"] * 33}, "tags", "it must have at most 32 items"),
        ({"prompt": "a", "tags": ["a", ""]}, "tags[1]", "it must have at least 1 characters"),
        ({"prompt": "a", "words": {"q": 0}}, "words[...]", "it must be at least 1"),
        ({"prompt": "a", "starts": "b"}, "starts", "it must match ^a"),
        ({"prompt": "a", "shaped": "b"}, "shaped", "it hasn't the form that is wanted (a letter a)"),
        ({"prompt": "a", "even": 3}, "even", "expected int that's a multiple of 2"),
    ],
)
def test_what_does_not_fit_is_told_by_path_and_in_words(value: Any, path: str, problem: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        convert(value, Odd)
    assert caught.value.path == path
    assert caught.value.detail == {"problem": problem}
    assert describe(caught.value)[0] == f"{path} doesn't fit: {problem}."


def test_an_unknown_field_comes_with_the_nearest_names() -> None:
    with pytest.raises(InvalidParams) as caught:
        convert({"prompt": "a", "loras": [{"name": "x", "wieght": 1}]}, StillRequest)
    assert (caught.value.variant, caught.value.path) == ("unknown_field", "loras[0].wieght")
    assert caught.value.detail == {"near": ["weight"]}
    assert "weight" in describe(caught.value)[1]


def test_a_field_unlike_all_others_comes_with_all_names() -> None:
    with pytest.raises(InvalidParams) as caught:
        convert({"prompt": "a", "qqqq": 1}, StillRequest)
    assert caught.value.detail["near"] == list(StillRequest.__struct_fields__)


def test_a_prefix_stands_before_every_path() -> None:
    for value, path in (({"prompt": 1}, "[3].prompt"), ({"prompt": "a", "x": 1}, "[3].x"), ([], "[3]")):
        with pytest.raises(InvalidParams) as caught:
            convert(value, StillRequest, prefix="[3].")
        assert caught.value.path == path


def test_what_fits_is_made() -> None:
    made = convert({"prompt": "a", "guidance": 7, "loras": [{"name": "x"}]}, StillRequest)
    assert (made.prompt, made.guidance, made.loras[0].weight) == ("a", 7.0, 1.0)


_NAMES = st.sampled_from([*StillRequest.__struct_fields__, "weight", "`", " - at `$.x`", "", "a.b[0]"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(_VALUES)
def test_any_document_is_made_or_refused_with_a_path(value: object) -> None:
    try:
        convert(value, StillRequest)
    except InvalidParams as error:
        refused = error
    else:
        return
    assert refused.path is not None
    assert "problem" in refused.detail or refused.detail["near"]
    assert "$" not in refused.path or "$" in repr(value)
