from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.errors import ParseError
from tendred.rpc.document import DEPTH, check_depth, parse

GOOD = {
    b"{}": {},
    b'  {"a":[1,-2,0.5,1e3,true,false,null,"\xc3\xa9\\ud83d\\ude00"]}\n': {
        "a": [1, -2, 0.5, 1000.0, True, False, None, "é😀"]
    },
    b"9007199254740991": 2**53 - 1,
    b"-9007199254740991": -(2**53) + 1,
    b'"[[[["': "[[[[",
    b'"\\"[\\\\"': '"[\\',
    b"[" * DEPTH + b"]" * DEPTH: json.loads("[" * DEPTH + "]" * DEPTH),
}

BAD = [
    b"",
    b"{",
    b'{"a":1,}',
    b"{'a':1}",
    b'{"a" 1}',
    b"[1 2]",
    b"01",
    b"+1",
    b"1.",
    b".5",
    b"nul",
    b"NaN",
    b"[Infinity]",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"9007199254740992",
    b"-9007199254740992",
    b"1" * 5000,
    b'{"a":1,"a":2}',
    b'[{"b":{"a":1,"\\u0061":2}}]',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'{"\\uDfff":1}',
    b'"a\nb"',
    b'"\\x41"',
    b'"open',
    b'"open\\',
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b"{} {}",
    b"\x00",
    b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1),
    b"[" * 100 + b"]" * 100,
    b'{"a":' * 100 + b"1" + b"}" * 100,
    b"[" * 500_000,
    b'"\\"' * 200_000,
]


@pytest.mark.parametrize(("raw", "document"), GOOD.items(), ids=range(len(GOOD)))
def test_json_is_read(raw: bytes, document: object) -> None:
    assert parse(raw) == document


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: repr(raw[:20]))
def test_what_two_parsers_could_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        parse(raw)
    assert caught.value.detail["problem"]


def test_depth_counts_brackets_outside_strings_only() -> None:
    check_depth(b'["' + b"[" * 100 + b'"]')
    check_depth(b"[]" * 1000)
    with pytest.raises(ParseError):
        check_depth(b'["\\"' + b'",' + b"[" * DEPTH)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_parse_error(raw: bytes) -> None:
    try:
        document = parse(raw)
    except ParseError:
        return
    assert document == json.loads(raw)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(), st.lists))
def test_what_json_writes_is_read_back(document: object) -> None:
    raw = json.dumps(document, ensure_ascii=False)
    depth = max((raw[:i].count("[") - raw[:i].count("]") for i in range(len(raw))), default=0)
    try:
        assert parse(raw.encode("utf-8", "surrogatepass")) == document
    except ParseError:
        assert depth > DEPTH or any(0xD800 <= ord(char) < 0xE000 for char in raw) or "[" in repr(document)
