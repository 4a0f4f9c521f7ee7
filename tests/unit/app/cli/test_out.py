import io
import string

import msgspec
import pytest

from tendred.app.cli.exits import Exit, of_job, of_kind
from tendred.app.cli.out import Out, clean, size
from tendred.app.cli.words import WORDS, say
from tendred.errors import registry


def printed(json=False):
    out, err = io.StringIO(), io.StringIO()
    return Out(out, err, json=json), out, err


@pytest.mark.parametrize(
    "bad", ["\0", "\x1b", "\x7f", "\x9b", "\u200b", "\u2028", "\u202e", "\u2066", "\ufeff", "\udc80", "\U000e0041"]
)
def test_what_a_terminal_might_obey_is_escaped(bad):
    assert bad not in clean(f"a{bad}b")
    shown, out, _ = printed(json=True)
    shown.document({"x": "a" + bad + "b"} if bad != "\udc80" else {"x": "ab"})
    assert bad not in out.getvalue()
    if bad != "\udc80":
        assert msgspec.json.decode(out.getvalue()) == {"x": f"a{bad}b"}


def test_ordinary_text_stays_as_it_is():
    text = "Crème brûlée, 日本語, 🙂, a~b"
    assert clean(text) == text


def test_a_table_aligns_and_stays_whole_in_a_pipe():
    shown, out, _ = printed()
    shown.table(("A", "LAST"), [("x", "y" * 300), ("longer", "z")])
    assert out.getvalue().splitlines() == ["A       LAST", "x       " + "y" * 300, "longer  z"]


def test_under_json_only_documents_go_to_stdout():
    shown, out, err = printed(json=True)
    shown.line("x")
    shown.note("y")
    shown.table(("A",), [("b",)])
    shown.document({"a": 1})
    assert (out.getvalue(), err.getvalue()) == ('{"a":1}\n', "")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (35_000_000, "35.0 MB"), (2 * 10**15, "2000.0 TB")],
)
def test_sizes_are_for_people(count, text):
    assert size(count) == text


def test_the_exit_codes_of_the_contract():
    assert [of_kind(kind) for kind in ("internal", "invalid_params", "no_daemon", "boundary_refused")] == [1, 2, 3, 4]
    assert [of_kind(kind) for kind in ("cancelled", "consent_required", "cap_exceeded")] == [5, 6, 6]
    assert {of_kind(kind) for kind in registry()} <= set(Exit)


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("succeeded", None, 0),
        ("failed", {"kind": "engine_died"}, 1),
        ("failed", {"kind": "output_withheld"}, 4),
        ("cancelled", None, 5),
        ("parked", None, 1),
        ("unknown", None, 1),
    ],
)
def test_a_job_has_an_exit_code(state, error, code):
    assert of_job({"state": state, "error": error}) == code


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_fill_in_the_same_things(key):
    english, french = ({name for _, name, _, _ in string.Formatter().parse(text) if name} for text in WORDS[key])
    assert english == french
    assert say("en", key, **dict.fromkeys(english, "x")) != ""
    assert WORDS[key][0] != WORDS[key][1]
