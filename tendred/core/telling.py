"""Failures in words."""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from typing import Final

from tendred.clock import Rng
from tendred.errors import Internal, TendredError
from tendred.schema.error import ErrorInfo, tell

_REF_BYTES: Final = 5
_log = logging.getLogger(__name__)

spoken: ContextVar[str | None] = ContextVar("spoken", default=None)
"""The language of whoever is asking just now, set by a door; None is the daemon's own."""


class Teller:
    """Turns any failure into words, in the asker's language or the daemon's, and logs it once under its reference."""

    def __init__(self, language: str, rng: Rng) -> None:
        self._language = language
        self._rng = rng

    @property
    def language(self) -> str:
        """What messages are told in."""
        return spoken.get() or self._language

    def __call__(self, error: BaseException) -> ErrorInfo:
        """What isn't one of our kinds is a fault of ours: told as `internal`, logged in full."""
        ref = self._rng.bytes(_REF_BYTES).hex()
        if isinstance(error, Internal):
            # What happened in a child stands in its own log too; the ref is found here.
            _log.error("fault [%s]: %s", ref, error.detail)
            return tell(error, ref, self.language)
        if isinstance(error, TendredError):
            _log.info("%s [%s]", error, ref)
            return tell(error, ref, self.language)
        _log.error("fault [%s]", ref, exc_info=error)
        return tell(Internal(), ref, self.language)


def language_of(configured: str) -> str:
    """The language of messages: as configured, or what the environment's locale begins with."""
    if configured != "auto":
        return configured
    setting = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "fr" if setting.lower().startswith("fr") else "en"
