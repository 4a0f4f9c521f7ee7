"""Who may do what."""

from __future__ import annotations

from typing import Final, Literal

from tendred.schema.base import Record

Scope = Literal["read", "generate", "manage", "spend"]
LOCAL: Final = "local"
"""The token of the discovery file: every local program can read it, so it can't spend."""
OWNER: Final = "owner"
"""The token in the state folder: the person's own, which makes others."""


class Grant(Record, frozen=True):
    """What a token lets its holder do."""

    token_id: str
    scopes: frozenset[Scope]


LOCAL_GRANT: Final = Grant(token_id=LOCAL, scopes=frozenset({"read", "generate", "manage"}))
OWNER_GRANT: Final = Grant(token_id=OWNER, scopes=frozenset({"read", "generate", "manage", "spend"}))
