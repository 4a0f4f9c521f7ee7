import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tendred.errors import ModelRefused
from tendred.models.header import read_header


def build(tensors, data, header=None):
    text = header if header is not None else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + data


GOOD = {"a.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, "__metadata__": {"format": "pt"}}


def test_much_said_of_a_file_is_no_harm(tmp_path):
    """Counts of tags are JSON in a string, with more colons than a model has keys."""
    tags = json.dumps({"set": {f"tag {number}": number for number in range(150_000)}})
    path = tmp_path / "x.safetensors"
    path.write_bytes(build({**GOOD, "__metadata__": {"ss_tag_frequency": tags}}, b"\0" * 12))
    assert read_header(path, "m").metadata == {"ss_tag_frequency": tags}


def test_a_good_file(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(build(GOOD, b"\0" * 12))
    header = read_header(path, "m")
    assert header.tensors["a.weight"].shape == [2, 3]
    assert header.metadata == {"format": "pt"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**60),
        build(GOOD, b"\0" * 11),
        build(GOOD, b"\0" * 13),
        build({"a": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]}}, b"\0" * 8),
        build({"a\nb": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4),
        build({"": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4),
        build({"../a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4),
        build({"a": {"dtype": "PY", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4),
        build({"a": {"dtype": "F16", "shape": [-2], "data_offsets": [0, 4]}}, b"\0" * 4),
        build({"__metadata__": {"format": 1}}, b""),
        build({"__metadata__": ["pt"]}, b""),
        build(None, b"", header=b"[]"),
        build(None, b"", header=b"{" * 5000),
        build(
            None,
            b"\0" * 4,
            header=b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        ),
        build({"a": {"dtype": "U8", "shape": [1] * 600, "data_offsets": [0, 1]}}, b"\0"),
        struct.pack("<Q", 200 << 20) + b"{}",
        build(None, b"", header=b"{" + b'"":0,' * 200_000 + b'"x":0}'),
        build(None, b"", header=b"{" + b'"" : 0 ,' * 200_000 + b'"x":0}'),
    ],
)
def test_everything_else_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelRefused) as caught:
        read_header(path, "m")
    assert caught.value.detail["reason"] == "header"


@pytest.mark.parametrize("content", [b"\x80\x02pickle", b"\x80\x05\x95pickle", b"PK\x03\x04" + bytes(40)])
def test_a_pickle_under_another_name_is_called_one(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelRefused) as caught:
        read_header(path, "m")
    assert caught.value.detail["reason"] == "pickle"


def test_a_header_whose_length_looks_like_a_pickle_is_read_all_the_same(tmp_path):
    path = tmp_path / "x.safetensors"
    text = json.dumps(GOOD).encode()
    text += b" " * (0x280 - len(text))
    path.write_bytes(build(None, b"\0" * 12, header=text))
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert read_header(path, "m").metadata == {"format": "pt"}


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 80))
def test_mutations_never_raise_anything_else(tmp_path_factory, noise, at):
    good = build(GOOD, b"\0" * 12)
    path = tmp_path_factory.mktemp("h") / "x.safetensors"
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        read_header(path, "m")
    except ModelRefused as refused:
        assert refused.detail["reason"] in {"header", "pickle"}
