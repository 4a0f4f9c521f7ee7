"""Tokens of clients: made, listed and revoked by whoever may spend. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from typing import Any, Final

import msgspec

from tendred.clock import Ids, Rng, rfc3339
from tendred.errors import NotFound, NotPermitted, TooLarge
from tendred.money import caps
from tendred.schema.money import CapChanges, TokenInfo, TokenMade, Tokens
from tendred.schema.token import LOCAL_GRANT, OWNER_GRANT, Grant, Scope
from tendred.store.database import Database, Tx

INSERT: Final = "INSERT INTO token(id, name, scopes, sha256, created_at) VALUES (?, ?, ?, ?, ?)"
VALID: Final = "SELECT id, scopes, sha256 FROM token WHERE revoked_at IS NULL"
ALL: Final = (
    "SELECT token.id, token.name, scopes, created_at, revoked_at, cap.mcr FROM token "
    "LEFT JOIN cap ON cap.name = 'token:' || token.id ORDER BY token.id DESC"
)
REVOKE: Final = "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
COUNT: Final = "SELECT count(*) FROM token WHERE revoked_at IS NULL"
MOST: Final = 1_000
_BYTES: Final = 32
_PREFIX: Final = "tdr_"


class TokenRoom:
    """The tokens of one daemon. `load` first; after that who a token belongs to is told without asking the disk."""

    def __init__(self, database: Database, ids: Ids, rng: Rng) -> None:
        self._database = database
        self._ids = ids
        self._rng = rng
        self._known: dict[bytes, Grant] = {}
        self._fixed: dict[bytes, Grant] = {}

    async def load(self, owner: str) -> None:
        """At start. `owner` is the token in the state folder."""
        self._fixed[_hash(owner)] = OWNER_GRANT
        self._known = await self._database.read(_valid)

    def grant(self, token: str) -> Grant | None:
        """What a token allows; None for one that isn't known, or not any more. Compared in constant time."""
        wanted, found = _hash(token), None
        for digest, grant in (*self._fixed.items(), *self._known.items()):
            if hmac.compare_digest(digest, wanted):
                found = grant
        return found

    def scopes(self, token_id: str) -> frozenset[Scope]:
        """What the holder of a token may do now: nothing once it was revoked."""
        if token_id == LOCAL_GRANT.token_id:
            return LOCAL_GRANT.scopes
        grants = [*self._fixed.values(), *self._known.values()]
        return next((grant.scopes for grant in grants if grant.token_id == token_id), frozenset[Scope]())

    async def create(self, name: str, scopes: list[Scope], cap_mcr: int, by: frozenset[Scope]) -> TokenMade:
        """Make one. Nobody gives away what they don't have. Raises NotPermitted, TooLarge."""
        for scope in scopes:
            if scope not in by:
                raise NotPermitted(scope=scope)
        secret = _PREFIX + self._rng.bytes(_BYTES).hex()
        token_id = self._ids.new("tok")

        def work(tx: Tx) -> TokenInfo:
            if int(tx.run(COUNT).fetchone()[0]) >= MOST:
                raise TooLarge("stored", limit=MOST)
            tx.run(INSERT, token_id, name, msgspec.json.encode(sorted(set(scopes))), _hash(secret), tx.now)
            caps.set_in(tx, CapChanges(tokens={token_id: cap_mcr}))
            return next(one for one in _all(tx.connection) if one.id == token_id)

        token = await self._database.write(work)
        self._known[_hash(secret)] = Grant(token_id=token_id, scopes=frozenset(scopes))
        return TokenMade(token=token, secret=secret)

    async def list(self) -> Tokens:
        """Every one that was ever made, newest first."""
        return Tokens(tokens=await self._database.read(_all))

    async def revoke(self, token_id: str) -> TokenInfo:
        """From now on it opens nothing. Twice is fine. Raises NotFound."""

        def work(tx: Tx) -> TokenInfo:
            tx.run(REVOKE, tx.now, token_id)
            everyone = _all(tx.connection)
            found = next((one for one in everyone if one.id == token_id), None)
            if found is None:
                near = [one.id for one in everyone if one.revoked_at is None][:3]
                raise NotFound(path="token_id", noun="token", name=token_id, near=near)
            return found

        revoked = await self._database.write(work)
        self._known = {digest: grant for digest, grant in self._known.items() if grant.token_id != token_id}
        return revoked


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _valid(connection: sqlite3.Connection) -> dict[bytes, Grant]:
    return {
        bytes(row["sha256"]): Grant(
            token_id=row["id"], scopes=msgspec.json.decode(row["scopes"], type=frozenset[Scope])
        )
        for row in connection.execute(VALID)
    }


def _all(connection: sqlite3.Connection) -> list[TokenInfo]:
    def told(row: Any) -> TokenInfo:
        revoked = row["revoked_at"]
        return TokenInfo(
            id=row["id"],
            name=row["name"],
            scopes=msgspec.json.decode(row["scopes"], type=list[str]),
            created_at=rfc3339(row["created_at"]),
            revoked_at=None if revoked is None else rfc3339(revoked),
            cap_mcr=row["mcr"],
        )

    return [told(row) for row in connection.execute(ALL)]
