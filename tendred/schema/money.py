"""Money: quotes, caps and the books. All amounts are whole thousandths of a credit (`mcr`); 1 credit is 1 US cent."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from tendred.schema.base import Asked, Record
from tendred.schema.clip import Basis
from tendred.schema.credentials import KeyState
from tendred.schema.still import MAX_INT

MCR: Final = 1000
"""Thousandths in a credit."""
Amount = Annotated[int, Meta(ge=0, le=MAX_INT, description="Thousandths of a credit; 1 credit is 1 US cent.")]
Account = Literal["outside", "credit", "held", "unsure", "spent", "difference"]
"""`credit`: what should be left at the provider. `held`: reserved. `unsure`: perhaps billed, nobody knows.

`outside`: where top-ups come from. `difference`: what a provider's console said and our books didn't.
"""
Movement = Literal["hold", "settle", "excess", "release", "unsure", "clear", "opening", "topup", "difference"]
Refund = Literal["free", "billed", "unknown"]


class Quote(Record, frozen=True):
    """An offer for one clip. `rate_mcr` is for a second, rounded up to be shown; `total_mcr` is what counts.

    `digest` binds request, stills, provider, model, token and price; a confirmation is for this very digest.
    """

    id: str
    job_id: str
    provider: str
    model: str
    width: int
    height: int
    seconds: int
    fps: str
    rate_mcr: int
    total_mcr: int
    credits: str
    table_date: str
    table_source: str
    stale: bool
    failed: Refund
    filtered: Refund
    expires_at: str
    digest: str


class Confirmation(Record, frozen=True):
    """A code to be typed in again where it is shown. It is good once, for one quote and one token."""

    quote_id: str
    code: str
    total_mcr: int
    expires_at: str


class Entry(Record, frozen=True):
    """One movement from one account of a provider to another: it has two sides, so all of them sum to zero.

    `day` (UTC) is the one it counts for: a clip's movements all count for the day of its hold.
    """

    n: int
    at: str
    day: str
    kind: Movement
    debit: Account
    credit: Account
    mcr: int
    provider: str
    job_id: str | None
    token_id: str | None
    door: str | None
    basis: Basis | None
    note: str
    prev_sha256: str
    sha256: str


class LedgerPage(Record, frozen=True):
    """Movements, newest first."""

    entries: list[Entry]
    next: str | None


class Balance(Record, frozen=True):
    """The accounts of one provider. `known` is false until a balance was typed in: `credit_mcr` is only a count then."""

    provider: str
    known: bool
    credit_mcr: int
    held_mcr: int
    unsure_mcr: int
    spent_mcr: int
    difference_mcr: int


class CapState(Record, frozen=True):
    """One cap and what is used of it: `name` is job, day, month, token:ID or door:NAME. Null: none is set, so nothing may go."""

    name: str
    mcr: int | None
    used_mcr: int


class Caps(Record, frozen=True):
    """Every cap. `zone` is the time zone of days and months."""

    caps: list[CapState]
    zone: str


class CapChanges(Asked, frozen=True):
    """Caps to set; what is left out, or null, stays as it is. 0 lets nothing through."""

    job_mcr: Amount | None = None
    day_mcr: Amount | None = None
    month_mcr: Amount | None = None
    doors: dict[str, Amount] = {}
    tokens: dict[str, Amount] = {}


class Spending(Record, frozen=True):
    """What one group (a day, a provider, a shot) came to."""

    name: str
    clips: int
    held_mcr: int
    unsure_mcr: int
    spent_mcr: int


class SpendReport(Record, frozen=True):
    """What was spent, by day (UTC), provider or shot. `open` are clips whose outcome nobody knows."""

    by: str
    zone: str
    rows: list[Spending]
    balances: list[Balance]
    unknown: list[str]
    chain: Literal["whole", "broken"]


class Reconciled(Record, frozen=True):
    """What a typed-in balance did to the books. `difference_mcr`: positive where more is left than we thought."""

    provider: str
    first: bool
    expected_mcr: int
    balance_mcr: int
    difference_mcr: int
    held_mcr: int
    unsure_mcr: int


class TokenInfo(Record, frozen=True):
    """A client's token, without the token. `cap_mcr` is what it may spend in a month."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    revoked_at: str | None
    cap_mcr: int | None


class TokenMade(Record, frozen=True):
    """A new token: `secret` is shown this once and stored nowhere."""

    token: TokenInfo
    secret: str


class Tokens(Record, frozen=True):
    """Every token, newest first."""

    tokens: list[TokenInfo]


class ProviderState(Record, frozen=True):
    """One provider: whether clips may be sent to it, where its key is, and under which conditions."""

    name: str
    enabled: bool
    key: KeyState
    table_date: str | None
    source: str | None
    failed: Refund
    filtered: Refund
    detail: dict[str, Any]


class CloudStatus(Record, frozen=True):
    """The cloud switch in full. `leaves` says what leaves this machine with a clip, `withheld` what one costs that is not shown."""

    enabled: bool
    reason: str | None
    providers: list[ProviderState]
    leaves: list[str]
    withheld: str
