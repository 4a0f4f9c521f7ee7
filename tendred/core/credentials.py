"""Keys of providers, as the doors see them: given, taken back, and where they are. Never shown."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Collection

from tendred.backend import Secrets
from tendred.config.key_file import is_key
from tendred.config.secret import Secret
from tendred.core.telling import Teller
from tendred.errors import CredentialsMissing, InvalidParams, KeyringUnavailable, NotFound, describe
from tendred.schema.credentials import KeyState, LoggedOut


class Credentials:
    """Opens no connection: whether a key is good shows when it is first used, and only once cloud is on."""

    def __init__(self, secrets: Secrets, providers: Callable[[], Collection[str]], tell: Teller) -> None:
        self._secrets, self._providers, self._tell = secrets, providers, tell

    async def login(self, provider: str, key: Secret) -> KeyState:
        """Keep a key. Raises NotFound, InvalidParams, KeyringUnavailable, WrongState."""
        self._known(provider)
        if not is_key(key.reveal()):
            raise InvalidParams(path="key", problem="a key is printable text without spaces")
        await self._secrets.set(provider, key)
        return self._state(provider, present=True)

    async def logout(self, provider: str) -> LoggedOut:
        """Remove a key, and see that it is gone. Raises NotFound, KeyringUnavailable, WrongState."""
        self._known(provider)
        return LoggedOut(provider=provider, removed=await self._secrets.remove(provider))

    async def states(self) -> list[KeyState]:
        """Every provider's, by name. What is wrong with a place is told, not raised."""
        # At once, so that a keyring that doesn't answer is waited for only once.
        return list(await asyncio.gather(*map(self._look, sorted(self._providers()))))

    async def _look(self, provider: str) -> KeyState:
        try:
            return self._state(provider, present=await self._secrets.get(provider) is not None)
        except (KeyringUnavailable, CredentialsMissing) as problem:
            words = " ".join(describe(problem, self._tell.language))
            return self._state(provider, present=None, problem=words)

    def _state(self, provider: str, *, present: bool | None, problem: str | None = None) -> KeyState:
        place = self._secrets.where(provider)
        return KeyState(provider=provider, source=place.source, place=place.place, present=present, problem=problem)

    def _known(self, provider: str) -> None:
        known = sorted(self._providers())
        if provider not in known:
            near = difflib.get_close_matches(provider, known, 3, 0.4) or known
            raise NotFound(path="provider", noun="provider", name=provider, near=near)
