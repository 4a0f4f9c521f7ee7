from argparse import ArgumentTypeError

import pytest

from tendred.app.cli.fields import axis, field, value_of


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("steps=30", "steps", 30),
        ("guidance=5", "guidance", 5),
        ("guidance=.5", "guidance", 0.5),
        ("scheduler=euler", "scheduler", "euler"),
        ("model=3", "model", "3"),
        ("negative_prompt=a=b", "negative_prompt", "a=b"),
        ("loras=ink:0.6+paper", "loras", [{"name": "ink", "weight": 0.6}, {"name": "paper", "weight": 1.0}]),
        ("loras=none", "loras", []),
        ("tags=a,b", "tags", ["a", "b"]),
        ("steps=default", "steps", None),
        ("steps=many", "steps", "many"),
        ("steps=9" + "9" * 400, "steps", "9" * 401),
    ],
)
def test_a_field_is_typed_as_its_name_says(text, name, value):
    assert field(text) == (name, value)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("steps=4,8", {"field": "steps", "values": [4, 8]}),
        ("seed=1..3,9", {"field": "seed", "values": [1, 2, 3, 9]}),
        ("loras=none,ink:1,ink:0.5+paper", {"field": "loras", "values": [
            [], [{"name": "ink", "weight": 1.0}], [{"name": "ink", "weight": 0.5}, {"name": "paper", "weight": 1.0}],
        ]}),
        ("prompt=a, b|c", {"field": "prompt", "values": ["a, b", "c"]}),
        ("prompt:red=blue,dark green", {"field": "prompt", "replace": "red", "values": ["blue", "dark green"]}),
        ("guidance=default, 3.5", {"field": "guidance", "values": [None, 3.5]}),
        ("prompt=1..3", {"field": "prompt", "values": ["1..3"]}),
    ],
)  # fmt: skip
def test_an_axis_is_a_field_and_its_values(text, made):
    assert axis(text) == made


@pytest.mark.parametrize("text", ["steps", "=3", "", "seed=3..1", "seed=1..99999", "loras=ink:x"])
def test_what_is_no_axis_is_told(text):
    with pytest.raises(ArgumentTypeError):
        axis(text)


def test_a_field_needs_a_value():
    for text in ("steps", "=3", ""):
        with pytest.raises(ArgumentTypeError):
            field(text)
    assert value_of("tags", "") == []
