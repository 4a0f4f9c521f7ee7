import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tendred.core.weights import DEPTH, SPANS, weigh
from tendred.errors import InvalidParams
from tendred.schema.sealed import MOST_WEIGHT, Span


def spans(text):
    return [(span.text, span.weight) for span in weigh(text, "prompt").spans]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a hill", [("a hill", 1.0)]),
        ("", [("", 1.0)]),
        ("a (hill)", [("a ", 1.0), ("hill", 1.1)]),
        ("((hill))", [("hill", 1.21)]),
        ("[hill]", [("hill", 0.9091)]),
        ("[(hill)]", [("hill", 1.0)]),
        ("(hill:1.3)", [("hill", 1.3)]),
        ("(hill: .5 )", [("hill", 0.5)]),
        ("(hill:0)", [("hill", 0.0)]),
        ("(hill:+1e0)", [("hill", 1.0)]),
        ("a (big (red:1.5) hill:0.5)", [("a ", 1.0), ("big ", 0.5), ("red", 0.75), (" hill", 0.5)]),
        ("(a)(b)", [("ab", 1.1)]),
        ("(a:1)(b)", [("a", 1.0), ("b", 1.1)]),
        ("smile :)", [("smile :)", 1.0)]),
        ("a ] b ) c", [("a ] b ) c", 1.0)]),
        ("ratio 16:9", [("ratio 16:9", 1.0)]),
        (r"ratio (16\:9)", [("ratio ", 1.0), ("16:9", 1.1)]),
        (r"\(not\) \[this\] \{or\|that\} \\ \@a \__b__", [(r"(not) [this] {or|that} \ @a __b__", 1.0)]),
        (r"c:\dir", [(r"c:\dir", 1.0)]),
        ("()", [("", 1.0)]),
        ("chi(ld:1.1)", [("chi", 1.0), ("ld", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
    ],
)
def test_words_and_how_they_count(text, told):
    assert spans(text) == told
    assert weigh(text, "prompt").text == "".join(piece for piece, _ in told)
    assert weigh(text, "prompt").plain == (len({weight for _, weight in told} | {1.0}) == 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("(hill:nan)", "nan is no weight"),
        ("(hill:1e9)", "1e9 is no weight"),
        ("(hill:-1)", "-1 is no weight"),
        ("(hill:inf)", "inf is no weight"),
        ("(hill:-infinity)", "is no weight"),
        ("(16:9)", "9 is no weight"),
        ("((a:3):3)", "together"),
        ("(" * 16 + "a" + ")" * 16, "together"),
        ("(" * 10_000, f"deeper than {DEPTH}"),
        ("[" * 10_000 + "]" * 10_000, f"deeper than {DEPTH}"),
        ("a (hill", "character 3 is never closed"),
        ("a [hill", "character 3 is never closed"),
        ("[red:blue:0.5]", "between steps"),
        ("".join(f"(a:{at / 1000}) b " for at in range(1, 200)), f"at most {SPANS}"),
    ],
)
def test_what_is_no_weight_is_told(text, told):
    with pytest.raises(InvalidParams) as caught:
        weigh(text, "negative_prompt")
    assert (caught.value.variant, caught.value.path) == ("wording", "negative_prompt")
    assert told in str(caught.value.detail["problem"])


def test_long_and_twisted_texts_are_read_once():
    started = time.process_time()
    for text in (
        ")" * 20_000,
        ":" * 20_000,
        ": " * 10_000,
        "(a)" * 7_000,
        "\\" * 20_001,
        ":1" * 10_000,
        "(" + " :1" * 7_000 + ")",
    ):
        weigh(text, "prompt")
    assert time.process_time() - started < 5


@given(st.text(alphabet="ab ()[]\\:.012", max_size=60))
def test_every_character_is_accounted_for(text):
    try:
        told = weigh(text, "prompt")
    except InvalidParams:
        return
    assert "".join(span.text for span in told.spans) == told.text
    assert all(isinstance(span, Span) and 0 <= span.weight <= MOST_WEIGHT for span in told.spans)
    # What was taken out, put back in its places, is what was written.
    kept, at, out = "", 0, 0
    for edit in told.edits:
        size = edit.start - at
        kept += told.text[out : out + size] + text[edit.start : edit.end]
        at, out = edit.end, out + size
    assert kept + told.text[out:] == text


@given(st.text(alphabet="ab ()[]{}|_@\\:1", max_size=40))
def test_a_backslash_before_each_sign_gives_the_very_text(text):
    escaped = "".join(f"\\{char}" if char in "()[]{}|_@\\:" else char for char in text)
    assert spans(escaped) == [(text, 1.0)]
