import pytest

from tendred.clock import SystemRng
from tendred.config.secret import Secret
from tendred.core.credentials import Credentials
from tendred.core.telling import Teller
from tendred.errors import InvalidParams, KeyringUnavailable, NotFound
from tendred.testing.credentials import MemorySecrets


@pytest.fixture
def secrets():
    return MemorySecrets({"fal": "f"})


@pytest.fixture
def credentials(secrets):
    return Credentials(secrets, lambda: ["ltx", "fal"], Teller("fr", SystemRng()))


async def test_a_key_comes_and_goes_and_is_never_told(credentials, secrets):
    state = await credentials.login("ltx", Secret("canary"))
    assert (state.provider, state.present, state.source) == ("ltx", True, "keyring")
    assert secrets.keys["ltx"].reveal() == "canary"
    assert [(one.provider, one.present) for one in await credentials.states()] == [
        ("fal", True),
        ("ltx", True),
    ]
    assert "canary" not in repr(await credentials.states())
    assert (await credentials.logout("ltx")).removed is True
    assert (await credentials.logout("ltx")).removed is False


async def test_an_unknown_provider_is_told_with_what_is_near(credentials):
    for call in (credentials.login("lxt", Secret("k")), credentials.logout("lxt")):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.detail["near"] == ["ltx"]


@pytest.mark.parametrize("key", ["", "two words", "clé", "a\nb"])
async def test_what_is_no_key_is_refused_without_being_repeated(credentials, secrets, key):
    with pytest.raises(InvalidParams) as caught:
        await credentials.login("ltx", Secret(key))
    assert not key or key not in str(caught.value)
    assert "ltx" not in secrets.keys


async def test_a_keyring_that_fails_is_told_in_the_askers_language(credentials, secrets):
    secrets.failing = KeyringUnavailable("locked", problem="x")
    [fal, _] = await credentials.states()
    assert (fal.present, "verrouillé" in fal.problem) == (None, True)
    with pytest.raises(KeyringUnavailable):
        await credentials.login("ltx", Secret("k"))
