from __future__ import annotations

import pytest

from tendred.clock import SystemRng
from tendred.core.tokens import TokenRoom
from tendred.errors import NotFound, NotPermitted
from tendred.schema.token import LOCAL, LOCAL_GRANT, OWNER_GRANT

ALL = OWNER_GRANT.scopes


@pytest.fixture
async def tokens(database, ids):
    room = TokenRoom(database, ids, SystemRng())
    await room.load("own_secret")
    return room


async def test_a_token_opens_what_it_was_made_for(tokens, database, ids):
    made = await tokens.create("editor", ["read", "spend"], 500, ALL)
    grant = tokens.grant(made.secret)
    assert (grant.token_id, grant.scopes) == (made.token.id, {"read", "spend"})
    assert (made.token.cap_mcr, tokens.scopes(made.token.id)) == (500, {"read", "spend"})
    later = TokenRoom(database, ids, SystemRng())
    await later.load("own_secret")
    assert later.grant(made.secret) == grant


async def test_its_secret_is_kept_nowhere(tokens, rows):
    made = await tokens.create("editor", ["read"], 0, ALL)
    assert made.secret not in str(await rows("SELECT * FROM token"))
    assert made.secret.encode().hex() not in str(await rows("SELECT hex(sha256) FROM token")).lower()


async def test_nobody_gives_away_what_they_do_not_have(tokens):
    with pytest.raises(NotPermitted):
        await tokens.create("me", ["spend"], 0, LOCAL_GRANT.scopes)
    assert (await tokens.list()).tokens == []


async def test_a_revoked_token_opens_nothing(tokens, database, ids):
    made = await tokens.create("editor", ["read"], 0, ALL)
    first = await tokens.revoke(made.token.id)
    assert (await tokens.revoke(made.token.id)).revoked_at == first.revoked_at
    assert tokens.grant(made.secret) is None
    assert tokens.scopes(made.token.id) == frozenset()
    later = TokenRoom(database, ids, SystemRng())
    await later.load("own_secret")
    assert later.grant(made.secret) is None
    [listed] = (await later.list()).tokens
    assert listed.revoked_at == first.revoked_at


async def test_the_owners_token_and_the_local_one(tokens):
    assert tokens.grant("own_secret") == OWNER_GRANT
    assert tokens.grant("own_secreu") is None
    assert tokens.grant("\ud800") is None
    assert "spend" not in tokens.scopes(LOCAL)
    with pytest.raises(NotFound):
        await tokens.revoke("tok_nope")
