from __future__ import annotations

import pytest

from tendred.clock import SystemRng
from tendred.core.consent import GOOD_S, MOST, TRIES, Consent
from tendred.errors import ConsentRequired, SlowDown


@pytest.fixture
def consent(clock):
    return Consent(clock, SystemRng())


def refused(consent, *asked):
    with pytest.raises(ConsentRequired) as caught:
        consent.take(*asked)
    return caught.value.variant


def test_a_code_is_good_once_however_it_is_typed(consent):
    code = consent.ask("quo_1", "d", "tok_1")
    assert len(code) == 6
    consent.take("quo_1", "d", "tok_1", f" {code.lower()}\n")
    assert refused(consent, "quo_1", "d", "tok_1", code) == "none"


def test_without_a_code_nothing_is_confirmed(consent):
    assert refused(consent, "quo_1", "d", "tok_1", None) == ""
    assert refused(consent, "quo_1", "d", "tok_1", "AAAAAA") == "none"


def test_it_is_bound_to_quote_token_and_amount(consent):
    code = consent.ask("quo_1", "d", "tok_1")
    assert refused(consent, "quo_2", "d", "tok_1", code) == "none"
    assert refused(consent, "quo_1", "d", "tok_2", code) == "none"
    assert refused(consent, "quo_1", "another amount", "tok_1", code) == "wrong"
    assert refused(consent, "quo_1", "d", "tok_1", code) == "none"


def test_it_lives_for_a_minute(consent, clock):
    code = consent.ask("quo_1", "d", "tok_1")
    clock.advance(GOOD_S - 1)
    consent.take("quo_1", "d", "tok_1", code)
    code = consent.ask("quo_1", "d", "tok_1")
    clock.advance(GOOD_S)
    assert refused(consent, "quo_1", "d", "tok_1", code) == "old"


def test_it_cannot_be_guessed(consent):
    code = consent.ask("quo_1", "d", "tok_1")
    for guess in ("AAAAAA", "\u0131\ud800", "")[:TRIES]:
        assert refused(consent, "quo_1", "d", "tok_1", guess) == "wrong"
    assert refused(consent, "quo_1", "d", "tok_1", code) == "none"


def test_a_new_code_ends_the_one_before(consent):
    old = consent.ask("quo_1", "d", "tok_1")
    new = consent.ask("quo_1", "d", "tok_1")
    if old != new:
        assert refused(consent, "quo_1", "d", "tok_1", old) == "wrong"
    consent.take("quo_1", "d", "tok_1", new)


def test_there_is_a_limit_of_open_ones(consent, clock):
    for number in range(MOST):
        consent.ask(f"quo_{number}", "d", "tok_1")
    with pytest.raises(SlowDown):
        consent.ask("quo_more", "d", "tok_1")
    clock.advance(GOOD_S)
    consent.ask("quo_more", "d", "tok_1")
