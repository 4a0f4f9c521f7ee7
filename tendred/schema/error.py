"""An error as it is told."""

from __future__ import annotations

from typing import Any

import msgspec

from tendred.errors import TendredError, describe
from tendred.schema.base import Record


class ErrorInfo(Record, frozen=True):
    """`job.error`, and `error.data` on the wire. Clients switch on `kind`; `next` says what to do; `ref` finds the log line."""

    kind: str
    message: str
    path: str | None
    next: str
    detail: dict[str, Any]
    ref: str


def tell(error: TendredError, ref: str, lang: str = "en") -> ErrorInfo:
    """An error in words."""
    # What has no form in JSON is told as text: an error must never fail while it is told.
    detail: dict[str, Any] = msgspec.to_builtins(error.detail, enc_hook=str)
    message, step = describe(type(error)(error.variant, path=error.path, **{**detail, "ref": ref}), lang)
    return ErrorInfo(kind=error.kind, message=message, path=error.path, next=step, detail=detail, ref=ref)
