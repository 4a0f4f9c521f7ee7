import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tendred.core.template import (
    COMBINATIONS,
    DEPTH,
    DRAWS,
    Broken,
    Draw,
    Options,
    TooLong,
    combinations,
    names,
    option,
    parse,
)


def drawn(text, seed=0, wildcards=None, field="prompt", limit=8192):
    return Draw(wildcards or {}, seed=seed, field=field, limit=limit).expand(parse(text))[0]


def wild(*lines):
    read = [option(line) for line in lines]
    return Options(tuple(weight for weight, _ in read), tuple(text for _, text in read))


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("red hills", {"red hills"}),
        ("{red|blue} hills", {"red hills", "blue hills"}),
        ("{red | dark blue } hills", {"red hills", "dark blue hills"}),
        ("{a|{b|c}{d|e}}", {"a", "bd", "be", "cd", "ce"}),
        ("{|very }old", {"old", "veryold"}),
        ("{|very\\ }old", {"old", "very\\ old"}),
        ("{a}", {"a"}),
        ("{}", {""}),
        ("{0::a|b}", {"b"}),
        ("a | b } c", {"a | b } c"}),
        (r"\{a\|b\} {c|d}", {r"\{a\|b\} c", r"\{a\|b\} d"}),
        (r"{a\|b|c\}}", {r"a\|b", r"c\}"}),
        ("{a::b|2:c}", {"a::b", "2:c"}),
        ("__init and __ and _x_ and \\__a__", {"__init and __ and _x_ and \\__a__"}),
        ("(a {red|blue}:1.2)", {"(a red:1.2)", "(a blue:1.2)"}),
    ],
)
def test_what_a_prompt_may_become(text, ways):
    seen = {drawn(text, seed) for seed in range(60)}
    assert seen == ways
    assert combinations(parse(text), {}) == len(ways)


def test_the_draw_is_the_one_that_is_documented():
    """These stay as they are for ever: a recorded seed must give the same words in a year."""
    text = "{red|green|blue} {2::hill|0.5::pond|sea}"
    assert [drawn(text, seed) for seed in range(8)] == GOLDEN
    assert drawn(text, 2**53 - 65) == GOLDEN_LAST
    assert drawn(text, 1, field="negative_prompt") != drawn(text, 1)


GOLDEN = ["red sea", "red sea", "red sea", "blue pond", "blue hill", "green hill", "red hill", "red hill"]
GOLDEN_LAST = "blue sea"


def test_weights_are_shares():
    counts = {"a": 0, "b": 0, "c": 0}
    for seed in range(3000):
        counts[drawn("{3::a|b|0.5::c}", seed)] += 1
    for name, share in (("a", 3 / 4.5), ("b", 1 / 4.5), ("c", 0.5 / 4.5)):
        assert abs(counts[name] / 3000 - share) < 0.03


def test_wildcards_lead_to_wildcards():
    lists = {"animals": wild("cat", "2::__birds__"), "birds": wild("owl", "heron")}
    assert {drawn("a __animals__", seed, lists) for seed in range(40)} == {"a cat", "a owl", "a heron"}
    assert combinations(parse("__animals__ __birds__"), lists) == 6
    assert names(parse("__a__ {__b/c__|{__d-e__}} \\__f__")) == {"a", "b/c", "d-e"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{a|b", "character 1 is never closed"),
        ("a {b|{c} d", "character 3 is never closed"),
        ("{0::a|0::b}", "weight 0"),
        ("{" * 10_000 + "}" * 10_000, f"deeper than {DEPTH}"),
        ("{a|" * 10_000, f"deeper than {DEPTH}"),
        ("_{_a_}_", "wildcard's name"),
        ("{-1::a|b}", "-1 is no weight"),
        ("{a| +2::b}", "+2 is no weight"),
        ("{1,5::a|b}", "1,5 is no weight"),
        ("{.5::a|b}", ".5 is no weight"),
        ("{10000::a|b}", "10000 is no weight"),
        ("{1.2345::a|b}", "1.2345 is no weight"),
    ],
)
def test_what_is_no_template_is_told(text, told):
    with pytest.raises(Broken) as caught:
        drawn(text)
    assert told in caught.value.problem


def test_an_option_takes_nothing_from_what_stands_behind_it():
    assert option("2::a\\\\")[0] == 2000
    with pytest.raises(Broken, match="backslash"):
        option("a\\")


def test_an_expansion_has_bounds():
    with pytest.raises(TooLong):
        drawn("__a__" * 10, wildcards={"a": wild("x" * 100)}, limit=900)
    with pytest.raises(Broken, match=str(DRAWS)):
        drawn("{a|b}" * (DRAWS + 1))
    # Each leads to two of the next: unbounded, that would be 2**40 choices.
    bomb = {f"w{at}": wild(f"__w{at + 1}__ __w{at + 1}__") for at in range(30)} | {"w30": wild("x", "y")}
    with pytest.raises(Broken):
        drawn("__w0__", wildcards=bomb)
    assert combinations(parse("__w0__"), bomb) == COMBINATIONS
    chain = {f"w{at}": wild(f"__w{at + 1}__") for at in range(DEPTH + 1)} | {f"w{DEPTH + 1}": wild("x")}
    with pytest.raises(Broken, match="deeper"):
        drawn("__w0__", wildcards=chain)


def test_what_is_too_deep_to_be_drawn_is_too_deep_to_be_counted():
    """Each of these files may be read; it is the way through all of them that is long."""
    nested = "{a|" * 31 + "__w{}__" + "}" * 31
    files = {f"w{at}": wild(nested.replace("{}", str(at + 1))) for at in range(31)} | {"w31": wild("x")}
    with pytest.raises(Broken, match="deeper"):
        combinations(parse("__w0__"), files)
    # Counted first where it lies high, it is no less deep further down.
    files = {"deep": wild("{a|" * 30 + "b" + "}" * 30)}
    assert combinations(parse("__deep__{x|__deep__}"), files) == 31 * 32
    with pytest.raises(Broken, match="deeper"):
        combinations(parse("__deep__{x|{y|__deep__}}"), files)


class Counted(tuple):  # noqa: SLOT001 - it holds nothing
    """Counts how often somebody goes through it."""

    def __iter__(self):
        LOOKS.append(1)
        return super().__iter__()


LOOKS = []


def test_the_weights_of_a_long_file_are_summed_once():
    LOOKS.clear()
    long = Options(Counted([1000, 0, 2000] * 1000), (("a",), ("b",), ("c",)) * 1000)
    words = [drawn("__a__" * 1000, seed, {"a": long}) for seed in range(3)]
    assert set("".join(words)) == {"a", "c"}
    assert len(LOOKS) == 1


def test_long_and_twisted_texts_are_read_once():
    started = time.process_time()
    for text in ("\\" * 20_001, "a|}" * 7_000, "__a__" * 4_000, "_" * 20_000, "{a}" * 7_000, "__a" * 7_000):
        parse(text)
    # A second is a thousand times what it takes; a quadratic reading would need minutes.
    assert time.process_time() - started < 5


@given(st.text(alphabet="ab {}|\\_:01", max_size=60), st.integers(0, 2**40))
def test_an_expansion_expands_to_itself(text, seed):
    try:
        assume(not names(parse(text)))
        words = drawn(text, seed)
    except Broken:
        return
    assert drawn(words, seed + 1) == words


@given(st.lists(st.sampled_from(["{a|b}", "x", "\\{", " ", "{c|{d|e}}"]), max_size=8), st.integers(0, 2**40))
def test_edits_lead_back(parts, seed):
    text = "".join(parts)
    words, edits = Draw({}, seed=seed, field="prompt", limit=9999).expand(parse(text))
    made, at, moved = "", 0, 0
    for edit in edits:
        made += text[at : edit.start]
        assert len(made) == edit.start + moved
        made += words[len(made) : len(made) + edit.size]
        at, moved = edit.end, moved + edit.size - (edit.end - edit.start)
    assert made + text[at:] == words
