from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tendred.errors import PricesMissing, PricesStale
from tendred.money.prices import Prices, credits_of, mcr
from tendred.schema.error import tell
from tendred.testing.clock import ManualClock

DAY = 86400.0
TABLE = """
provider = "mine"
date = {date}
currency = "{currency}"
source = "me"
[[rates]]
model = "m"
usd_per_second = {{ 1080 = "{price}" }}
"""


@pytest.fixture
def clock():
    return ManualClock(dt.datetime(2026, 11, 22, tzinfo=dt.UTC).timestamp())


@pytest.fixture
def prices(tmp_path, clock):
    return Prices(tmp_path, clock)


def write(tmp_path, price="0.06", date="2026-11-01", currency="USD"):
    (tmp_path / "mine.toml").write_text(TABLE.format(price=price, date=date, currency=currency))


def priced(prices, **more):
    asked = {"provider": "mine", "model": "m", "sides": (1920, 1080), "seconds": 6, "accept_stale": False, **more}
    accept = asked.pop("accept_stale")
    return prices.price(*asked.values(), accept_stale=accept)


def test_the_tables_of_the_package_are_whole_and_dated(prices):
    for provider, model in (("ltx", "ltx-2-3-fast"), ("ltx", "ltx-2-5-pro"), ("fal", "ltx-2-3-pro")):
        table = prices.table(provider)
        assert table.source
        assert model in [rate.model for rate in table.rates]
    # 6 s of 720p at 3 cents: 18 credits, as the reference has it.
    price = prices.price("ltx", "ltx-2-3-fast", (1280, 720), 6, accept_stale=False)
    assert (price.total_mcr, price.table_date, price.stale) == (18_000, "2026-10-07", False)
    assert prices.price("ltx", "ltx-2-3-fast", (720, 1280), 6, accept_stale=False).total_mcr == 18_000


@pytest.mark.parametrize(
    ("price", "seconds", "total"),
    [("0.06", 6, 36_000), ("0.000001", 1, 1), ("0.0000033", 10, 4), ("0", 10, 0), ("0.00001", 3, 3)],
)
def test_a_total_is_rounded_up_once_at_the_end(tmp_path, prices, price, seconds, total):
    write(tmp_path, price)
    assert priced(prices, seconds=seconds).total_mcr == total
    assert total == mcr(Decimal(price) * seconds)


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "-0.06"}, {"price": "nan"}, {"price": "Infinity"}, {"price": "six"}, {"price": "-0"},
        {"price": "99999"}, {"currency": "EUR"}, {"date": '"soon"'},
    ],
)  # fmt: skip
def test_a_broken_table_is_refused_with_its_file_and_reason(tmp_path, prices, changes):
    write(tmp_path, **changes)
    with pytest.raises(PricesMissing) as caught:
        priced(prices)
    assert caught.value.variant == "broken"
    assert caught.value.detail["file"] == str(tmp_path / "mine.toml")
    assert caught.value.detail["problem"]


@pytest.mark.parametrize(("provider", "why"), [("replicate", "unpublished"), ("openai-videos", "own")])
def test_where_no_price_can_be_known_it_is_said_why_and_a_list_of_ones_own_counts(tmp_path, prices, provider, why):
    with pytest.raises(PricesMissing) as caught:
        priced(prices, provider=provider)
    assert caught.value.variant == why
    assert str(tmp_path / f"{provider}.toml") in tell(caught.value, "").next
    text = TABLE.format(price="0", date="2026-11-01", currency="USD").replace("mine", provider)
    (tmp_path / f"{provider}.toml").write_text(text)
    assert priced(prices, provider=provider).total_mcr == 0


def test_a_table_without_rates_is_none(tmp_path, prices):
    (tmp_path / "mine.toml").write_text('provider = "mine"\ndate = 2026-11-01\ncurrency = "USD"\nsource = "me"\n')
    with pytest.raises(PricesMissing) as caught:
        priced(prices)
    assert (caught.value.variant, caught.value.detail["problem"]) == ("broken", "it holds no rates")


def test_without_a_table_or_a_price_nothing_is_quoted(tmp_path, prices):
    for provider in ("mine", "../ltx", ".."):
        with pytest.raises(PricesMissing):
            priced(prices, provider=provider)
    write(tmp_path)
    for more in ({"model": "other"}, {"sides": (3840, 2160)}):
        with pytest.raises(PricesMissing) as caught:
            priced(prices, **more)
        assert caught.value.variant == "size"


def test_a_users_table_stands_in_place_of_ours(tmp_path, prices):
    ours = prices.table("ltx").source
    (tmp_path / "ltx.toml").write_text(
        TABLE.format(price="1", date="2026-11-01", currency="USD").replace("mine", "ltx")
    )
    assert prices.table("ltx").source == "me" != ours


def test_old_tables_have_to_be_accepted_and_very_old_ones_never_are(tmp_path, clock, prices):
    write(tmp_path)
    assert not priced(prices).stale
    clock.advance(90 * DAY)
    with pytest.raises(PricesStale) as caught:
        priced(prices)
    assert caught.value.detail["days"] == 111
    assert priced(prices, accept_stale=True).stale
    clock.advance(280 * DAY)
    with pytest.raises(PricesStale) as caught:
        priced(prices, accept_stale=True)
    assert caught.value.variant == "dead"


def test_a_table_of_the_future_is_refused(tmp_path, prices):
    write(tmp_path, date="2027-01-01")
    with pytest.raises(PricesStale) as caught:
        priced(prices, accept_stale=True)
    assert caught.value.variant == "ahead"


def test_credits_in_words():
    assert [credits_of(amount) for amount in (18_000, 7_500, 1, 0, -1_250)] == ["18", "7.5", "0.001", "0", "-1.25"]
