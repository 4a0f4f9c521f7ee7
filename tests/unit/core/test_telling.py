import logging

import pytest

from tendred.clock import SystemRng
from tendred.core.telling import Teller, language_of
from tendred.errors import NotFound


def test_a_failure_is_told_in_the_language_and_found_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    info = Teller("fr", SystemRng())(NotFound(noun="job", name="job_1", near=[]))
    assert (info.kind, info.path) == ("not_found", None)
    assert "n'y a pas" in info.message or "existe" in info.message or "introuvable" in info.message
    [record] = caplog.records
    assert info.ref in record.getMessage()
    assert record.exc_info is None


def test_what_is_not_ours_is_told_without_its_words_and_logged_in_full(caplog):
    info = Teller("en", SystemRng())(KeyError("a secret place"))
    assert info.kind == "internal"
    assert "secret" not in repr(info)
    assert info.ref in info.next
    [record] = caplog.records
    assert info.ref in record.getMessage()
    assert record.exc_info[0] is KeyError


def test_references_differ():
    teller = Teller("en", SystemRng())
    assert len({teller(NotFound(noun="x", name="y", near=[])).ref for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("configured", "env", "spoken"),
    [
        ("fr", {"LANG": "en_GB.UTF-8"}, "fr"),
        ("en", {"LANG": "fr_FR.UTF-8"}, "en"),
        ("auto", {"LANG": "fr_CH.UTF-8"}, "fr"),
        ("auto", {"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ("auto", {"LANG": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"}, "fr"),
        ("auto", {}, "en"),
    ],
)
def test_auto_follows_the_environment(monkeypatch, configured, env, spoken):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert language_of(configured) == spoken
