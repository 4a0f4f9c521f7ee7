"""Price tables: dated data with their source, and what a clip costs by them. A file of the user's replaces ours."""

from __future__ import annotations

import datetime as dt
import tomllib
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from tendred.clock import Clock
from tendred.errors import PricesMissing, PricesStale
from tendred.schema.base import Asked, Record
from tendred.schema.money import MCR, Refund

STALE_DAYS: Final = 90
"""An older table has to be accepted for each quote."""
DEAD_DAYS: Final = 365
"""By an older table nothing is quoted at all."""
AHEAD_DAYS: Final = 2
"""So far in the future a table's date may lie: somebody else's time zone, and a clock that is a little off."""
_CURRENCY: Final = "USD"
_CENTS: Final = 100
_MOST: Final = Decimal(10_000)


class Refunds(Asked, frozen=True):
    """Whether jobs that fail, or that a filter stops, are billed."""

    failed: Refund = "unknown"
    filtered: Refund = "unknown"


class Rate(Asked, frozen=True):
    """A model's price for a second, by the shorter side of its pictures; `*` stands for every size."""

    model: Annotated[str, Meta(min_length=1, max_length=128)]
    usd_per_second: Annotated[dict[str, str], Meta(min_length=1)]
    note: str = ""


class Table(Asked, frozen=True):
    """One provider's prices."""

    provider: Annotated[str, Meta(min_length=1, max_length=64)]
    date: dt.date
    currency: str
    source: Annotated[str, Meta(min_length=1)]
    rates: tuple[Rate, ...] = ()
    refunds: Refunds = Refunds()
    unpriced: Annotated[
        Literal["unpublished", "own"] | None, Meta(description="Why there is no price: that is data, too.")
    ] = None


class Price(Record, frozen=True):
    """What one clip costs. `rate_mcr` is rounded by itself, to be shown; `total_mcr` was rounded up once, at the end."""

    rate_mcr: int
    total_mcr: int
    table_date: str
    table_source: str
    stale: bool
    refunds: Refunds


class Prices:
    """The tables: those of the package, and over them those in the user's `folder`. Read anew for every quote."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def table(self, provider: str) -> Table:
        """One provider's. Raises PricesMissing. Blocking: small files."""
        file = self._folder / f"{provider}.toml"
        if "/" in provider or "\\" in provider or provider.startswith("."):
            raise PricesMissing(provider=provider, file=str(file))
        try:
            text = file.read_text("utf-8")
        except FileNotFoundError:
            return self._packaged(provider, file)
        except (OSError, UnicodeDecodeError) as problem:
            raise PricesMissing("broken", provider=provider, file=str(file), problem=str(problem)) from None
        return read(text, provider, str(file))

    def _packaged(self, provider: str, file: Path) -> Table:
        ours = resources.files("tendred.money") / "data" / "prices" / f"{provider}.toml"
        if not ours.is_file():
            raise PricesMissing(provider=provider, file=str(file))
        try:
            return read(ours.read_text("utf-8"), provider, str(ours))
        except PricesMissing as problem:
            problem.detail["file"] = str(file)  # the one to write: ours says that it can't know
            raise

    def price(self, provider: str, model: str, sides: tuple[int, int], seconds: int, *, accept_stale: bool) -> Price:
        """What so many seconds cost. Raises PricesMissing, PricesStale."""
        table = self.table(provider)
        days = (dt.datetime.fromtimestamp(self._clock.now(), dt.UTC).date() - table.date).days
        told: dict[str, Any] = {"provider": provider, "days": days, "date": table.date.isoformat()}
        if days > DEAD_DAYS:
            raise PricesStale("dead", **told)
        if days < -AHEAD_DAYS:
            raise PricesStale("ahead", **told)
        if days > STALE_DAYS and not accept_stale:
            raise PricesStale(**told)
        rate = _rate(table, model, min(sides))
        if rate is None:
            raise PricesMissing("size", provider=provider, model=model, size=f"{sides[0]} x {sides[1]}")
        return Price(
            rate_mcr=mcr(rate),
            total_mcr=mcr(rate * seconds),
            table_date=table.date.isoformat(),
            table_source=table.source,
            stale=days > STALE_DAYS,
            refunds=table.refunds,
        )


def read(text: str, provider: str, file: str) -> Table:
    """A table from its text. Raises PricesMissing, which names the file and what is wrong with it."""

    def broken(problem: object) -> PricesMissing:
        return PricesMissing("broken", provider=provider, file=file, problem=str(problem))

    try:
        table = msgspec.convert(tomllib.loads(text), Table)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise broken(problem) from None
    if table.unpriced is not None and not table.rates:
        raise PricesMissing(
            "own" if table.unpriced == "own" else "unpublished",
            provider=provider,
            file=file,
            source=table.source,
            date=table.date.isoformat(),
        )
    if not table.rates:
        raise broken("it holds no rates")
    if table.provider != provider:
        raise broken(f"it is the table of {table.provider}")
    if table.currency != _CURRENCY:
        raise broken(f"the currency {table.currency} is not known; only {_CURRENCY} is")
    for rate in table.rates:
        for side, text_of in rate.usd_per_second.items():
            if side != "*" and not (side.isascii() and side.isdecimal()):
                raise broken(f"{rate.model}: {side!r} is no size")
            if (amount := _decimal(text_of)) is None:
                raise broken(f"{rate.model}: {text_of!r} is no price of 0 or more")
            if amount > _MOST:
                raise broken(f"{rate.model}: {text_of} USD a second can't be meant")
    return table


def mcr(usd: Decimal) -> int:
    """US dollars as thousandths of a credit, rounded up."""
    return int((usd * _CENTS * MCR).to_integral_value(ROUND_CEILING))


def credits_of(amount: int) -> str:
    """Thousandths as credits, in words for people: 18, 7.5, 0.001."""
    whole, rest = divmod(abs(amount), MCR)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}" + (f".{rest:03d}".rstrip("0") if rest else "")


def _rate(table: Table, model: str, side: int) -> Decimal | None:
    for rate in table.rates:
        if rate.model == model:
            text = rate.usd_per_second.get(str(side), rate.usd_per_second.get("*"))
            return None if text is None else _decimal(text)
    return None


def _decimal(text: str) -> Decimal | None:
    """A finite number of 0 or more, written plainly."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and not value.is_signed() else None
