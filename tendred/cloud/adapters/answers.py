"""What providers say, read with care: pauses, ids, words, failures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

from tendred.errors import (
    CredentialsMissing,
    InsufficientFunds,
    ProviderFiltered,
    ProviderRefused,
    TendredError,
)

LONGEST_PAUSE_S: Final = 3600.0
CERTAIN: Final = frozenset({400, 401, 402, 403, 404, 413, 422, 429})
"""Statuses with which a provider says, in its own words, that it didn't take a job."""
WORDS: Final = 200
_ECHO: Final = 24
"""Letters in a row that a message may share with the prompt; one that shares more repeats it."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")
_ADDRESS: Final = re.compile(r"(?:\b[a-z][a-z0-9+.-]*://|\bdata:)\S+", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\s*[0-9]{1,9}(?:\.[0-9]{1,9})?\s*")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the Retry-After header, as a number or as a date; None where there is none that makes sense."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    if text is None:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_PAUSE_S)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)
    return min(max(0.0, when.timestamp() - now), LONGEST_PAUSE_S)


def an_id(value: Any) -> str | None:
    """An id that can stand in a path; None for anything else."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def text(value: Any) -> str | None:
    """A text that isn't empty."""
    return value if isinstance(value, str) and value else None


def table(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON list."""
    return [table(one) for one in cast("list[Any]", value) if isinstance(one, dict)] if isinstance(value, list) else []


def said(words: Any, prompt: str = "") -> str:
    """A provider's message fit for logs and rows: one line, short, without addresses, and without the prompt."""
    line = " ".join(_ADDRESS.sub("(address)", str(words)).split())
    if any(prompt[at : at + _ECHO] in line for at in range(max(1, len(prompt) - _ECHO + 1)) if prompt):
        return "(its message repeats the prompt)"
    return line[:WORDS] or "it gave no reason"


def seconds_of(when: Any) -> float | None:
    """A time of a provider's, RFC 3339 or Unix seconds, as seconds since 1970."""
    if isinstance(when, int | float) and not isinstance(when, bool):
        return float(when)
    try:
        found = dt.datetime.fromisoformat(str(when))
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)).timestamp()


def refusal(provider: str, kind: str, words: str) -> TendredError:
    """The error of ours that a kind stands for."""
    match kind:
        case "provider_filtered":
            return ProviderFiltered(provider=provider, problem=words)
        case "insufficient_funds":
            return InsufficientFunds(provider=provider, problem=words)
        case "credentials_missing":
            return CredentialsMissing("refused", provider=provider, problem=words)
        case _:
            return ProviderRefused(provider=provider, problem=words)


def by_status(status: int) -> str:
    """The kind that a status alone stands for."""
    return {401: "credentials_missing", 402: "insufficient_funds", 403: "credentials_missing"}.get(
        status, "provider_refused"
    )
