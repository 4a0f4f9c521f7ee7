"""A secret never shows by accident."""

from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest

from tendred.config.secret import Secret

TOKEN = "tok-very-secret"


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(TOKEN)
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        f"{secret:>9}",
        str([secret]),
    ):
        assert TOKEN not in text
        assert "***" in text
    assert secret.reveal() == TOKEN


@pytest.mark.parametrize("dump", [json.dumps, msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps, copy.copy])
def test_nothing_serialises_it(dump) -> None:
    with pytest.raises((TypeError, NotImplementedError)):
        dump({"token": Secret(TOKEN)} if dump is not copy.copy else Secret(TOKEN))


def test_it_can_be_compared() -> None:
    assert Secret(TOKEN).matches(TOKEN)
    assert not Secret(TOKEN).matches(TOKEN[:-1])
    assert not Secret(TOKEN).matches("é\ud800")
    assert Secret(TOKEN) == Secret(TOKEN)
    assert Secret(TOKEN) != TOKEN
    assert len({Secret(TOKEN), Secret(TOKEN)}) == 1
