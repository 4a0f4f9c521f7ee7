"""Codes that somebody has to type in again where they are shown: good once, for one quote and one token, for a minute.

They live in memory only. A daemon that was started anew asks again.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from tendred.clock import Clock, Rng
from tendred.errors import ConsentRequired, SlowDown

GOOD_S: Final = 60.0
TRIES: Final = 3
MOST: Final = 256
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No two of them look alike."""
_LENGTH: Final = 6


@dataclass
class _Asked:
    """A code that was shown, the offer it stands for, and when it stops being good on the monotonic clock."""

    code: str
    digest: str
    until: float
    tries: int = 0


class Consent:
    """Codes that were shown and not typed in yet."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._rng = rng
        self._asked: dict[tuple[str, str], _Asked] = {}

    def ask(self, quote_id: str, digest: str, token_id: str) -> str:
        """A code for this offer; the one before it is good no more. Raises SlowDown where too many are waiting."""
        now = self._clock.mono()
        self._asked = {key: asked for key, asked in self._asked.items() if asked.until > now}
        if len(self._asked) >= MOST:
            raise SlowDown(retry_after_s=GOOD_S)
        code = "".join(_LETTERS[self._rng.below(len(_LETTERS))] for _ in range(_LENGTH))
        self._asked[quote_id, token_id] = _Asked(code, digest, now + GOOD_S)
        return code

    def take(self, quote_id: str, digest: str, token_id: str, code: str | None) -> None:
        """Use a code up. Raises ConsentRequired for one that is missing, wrong, old, used, or of another offer."""
        key = (quote_id, token_id)
        asked = self._asked.get(key)
        if code is None or asked is None:
            raise ConsentRequired("" if code is None else "none", quote_id=quote_id)
        if asked.until <= self._clock.mono():
            del self._asked[key]
            raise ConsentRequired("old", quote_id=quote_id)
        asked.tries += 1
        right = hmac.compare_digest(asked.code, code.strip().upper().encode("ascii", "replace").decode())
        if right or asked.tries >= TRIES:
            del self._asked[key]
        if not right or asked.digest != digest:
            raise ConsentRequired("wrong", quote_id=quote_id)
