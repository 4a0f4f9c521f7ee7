from __future__ import annotations

import pytest

from tendred.errors import NotFound, QuoteExpired, QuoteMismatch, QuoteUsed
from tendred.money import quotes
from tendred.schema.money import Quote
from tendred.testing.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


QUOTE = Quote(
    id="quo_1", job_id="job_1", provider="p", model="m", width=1920, height=1080, seconds=6, fps="24", rate_mcr=6000,
    total_mcr=36000, credits="36", table_date="2026-11-01", table_source="s", stale=False, failed="unknown",
    filtered="unknown", expires_at="", digest="d",
)  # fmt: skip


async def offered(database):
    await database.write(lambda tx: quotes.add_in(tx, QUOTE, "tok_1", {"words": "secret"}, tx.now + quotes.GOOD_S))


async def got(database, token="tok_1"):
    return await database.write(lambda tx: quotes.get_in(tx, "quo_1", token))


async def test_an_offer_is_good_once_for_its_token_and_for_ten_minutes(database, clock):
    with pytest.raises(NotFound):
        await got(database)
    await offered(database)
    assert (await got(database)).quote == QUOTE
    with pytest.raises(QuoteMismatch):
        await got(database, "tok_2")
    clock.advance(quotes.GOOD_S - 1)
    await database.write(lambda tx: quotes.use_in(tx, "quo_1", "job_1"))
    with pytest.raises(QuoteUsed) as caught:
        await got(database)
    assert caught.value.detail["job_id"] == "job_1"
    with pytest.raises(QuoteUsed):
        await database.write(lambda tx: quotes.use_in(tx, "quo_1", "job_1"))


async def test_an_offer_expires(database, clock):
    await offered(database)
    clock.advance(quotes.GOOD_S)
    with pytest.raises(QuoteExpired):
        await got(database)


async def test_the_words_in_a_quote_go_with_it(database, clock):
    await offered(database)
    await database.write(lambda tx: quotes.use_in(tx, "quo_1", "job_1"))
    assert await database.read(lambda c: c.execute("SELECT job FROM quote").fetchone()[0]) == b""
    await database.write(lambda tx: tx.run("UPDATE quote SET used_by = NULL").rowcount)
    clock.advance(quotes.GOOD_S + quotes.KEPT_S + 1)
    later = Quote(**{**{name: getattr(QUOTE, name) for name in QUOTE.__struct_fields__}, "id": "quo_2"})
    await database.write(lambda tx: quotes.add_in(tx, later, "tok_1", {}, tx.now + 1))
    assert await database.read(lambda c: [row[0] for row in c.execute("SELECT id FROM quote")]) == ["quo_2"]


def test_a_digest_is_of_all_its_parts():
    whole = (b"request", "tok_1", 36000, "2026-11-01")
    others = [
        (b"requesu", *whole[1:]),
        (whole[0], "tok_2", *whole[2:]),
        (*whole[:2], 36001, whole[3]),
        (*whole[:3], "2026-11-02"),
    ]
    assert len({quotes.digest(*whole), *(quotes.digest(*other) for other in others)}) == 5
