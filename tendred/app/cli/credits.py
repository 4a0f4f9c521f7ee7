"""Credits as people type and read them: 1 credit is 1 US cent, 1000 thousandths are a credit."""

from __future__ import annotations

from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Final

_MCR: Final = 1000
_MOST: Final = 2**53 - 1


def credit(text: str) -> int:
    """`7.5` as thousandths; at most three decimals."""
    try:
        exact = Decimal(text) * _MCR
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or exact != exact.to_integral_value() or abs(exact) > _MOST:
        raise ArgumentTypeError(f"{text!r} is no number of credits (7 or 7.5, at most three decimals)")
    return int(exact)


def amount(text: str) -> int:
    """As `credit`, from 0 on."""
    value = credit(text)
    if value < 0:
        raise ArgumentTypeError(f"{text!r} is less than nothing")
    return value


def named(text: str) -> tuple[str, int]:
    """`NAME=CREDITS`."""
    name, equals, value = text.rpartition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=CREDITS")
    return name, amount(value)


def told(mcr: int | None) -> str:
    """Thousandths for people: `18`, `7.5`, `-0.001`; `-` where nothing is set."""
    if mcr is None:
        return "-"
    whole, rest = divmod(abs(mcr), _MCR)
    return f"{'-' if mcr < 0 else ''}{whole}" + (f".{rest:03d}".rstrip("0") if rest else "")
