from __future__ import annotations

import email.utils

import pytest

from tendred.cloud.adapters.answers import an_id, by_status, refusal, retry_after, rows, said, seconds_of, table, text
from tendred.errors import CredentialsMissing, InsufficientFunds, ProviderFiltered, ProviderRefused

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5), ("0", 0), (" 2.5 ", 2.5), ("86400", 3600), (email.utils.formatdate(NOW + 30, usegmt=True), 30),
        (email.utils.formatdate(NOW - 30, usegmt=True), 0), (email.utils.formatdate(NOW + 90_000, usegmt=True), 3600),
        ("soon", None), ("-5", None), ("", None), ("5 minutes", None), ("99999999999999", None), ("Mon, 99 Foo 2026", None),
        ("inf", None), ("nan", None), ("\u0665", None),
    ],
)  # fmt: skip
def test_a_pause_is_read_in_every_form_and_never_longer_than_an_hour(header, seconds):
    assert retry_after({"Retry-After": header}, NOW) == seconds


def test_no_header_is_no_pause():
    assert retry_after({}, NOW) is None
    assert retry_after({"retry-after": "3"}, NOW) == 3


@pytest.mark.parametrize("value", ["job_abc", "a", "A-1.b:c", "1" * 200])
def test_ids(value):
    assert an_id(value) == value


@pytest.mark.parametrize("value", ["", None, 5, "a/b", "..", "a b", "a?b", "1" * 201, "é", "a\n", "-a"])
def test_what_is_no_id(value):
    assert an_id(value) is None


def test_shapes_are_what_they_are_said_to_be_or_empty():
    assert (table(None), table([1]), table({"a": 1})) == ({}, {}, {"a": 1})
    assert (rows(None), rows([1, {"a": 1}, None]), rows({"a": 1})) == ([], [{"a": 1}], [])
    assert (text(""), text(1), text("a")) == (None, None, "a")


def test_a_message_is_one_short_line_without_addresses():
    assert said("see\nhttps://x.example/a?sig=1 now") == "see (address) now"
    assert said("bad data:image/png;base64,AAAA here") == "bad (address) here"
    assert len(said("x" * 999)) == 200
    assert said("") == "it gave no reason"


def test_a_message_that_repeats_the_prompt_is_not_told():
    prompt = "A lighthouse keeper counts the waves aloud"
    assert "lighthouse" not in said(f"the prompt '{prompt}' is unsafe", prompt)
    assert "keeper" not in said("near 'keeper counts the waves al'", prompt)
    assert said("the prompt is unsafe", prompt) == "the prompt is unsafe"
    assert said("Rain?", "Rain") == "(its message repeats the prompt)"


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        ("2026-11-22T10:00:00Z", 1_795_341_600.0),
        ("2026-11-22T10:00:00", 1_795_341_600.0),
        (5, 5.0),
        ("x", None),
        (None, None),
        (True, None),
    ],
)
def test_times(when, seconds):
    assert seconds_of(when) == seconds


def test_kinds_become_errors_of_ours():
    assert [by_status(status) for status in (400, 401, 402, 403, 422)] == [
        "provider_refused", "credentials_missing", "insufficient_funds", "credentials_missing", "provider_refused",
    ]  # fmt: skip
    for kind, error in {
        "provider_filtered": ProviderFiltered, "insufficient_funds": InsufficientFunds,
        "credentials_missing": CredentialsMissing, "provider_refused": ProviderRefused, "x": ProviderRefused,
    }.items():  # fmt: skip
        assert type(refusal("ltx", kind, "no")) is error
