"""Keys in memory."""

from __future__ import annotations

from collections.abc import Mapping

from tendred.config.secret import Secret
from tendred.errors import TendredError
from tendred.schema.credentials import KeyPlace


class MemorySecrets:
    """See backend.Secrets. `failing` is raised by every call; `asked` are the providers whose keys were wanted."""

    def __init__(self, keys: Mapping[str, str] | None = None) -> None:
        self.keys = {name: Secret(key) for name, key in (keys or {}).items()}
        self.asked: list[str] = []
        self.failing: TendredError | None = None

    def where(self, provider: str) -> KeyPlace:
        del provider
        return KeyPlace(source="keyring", place="keyring")

    async def get(self, provider: str) -> Secret | None:
        self.asked.append(provider)
        self._fail()
        return self.keys.get(provider)

    async def set(self, provider: str, key: Secret) -> None:
        self._fail()
        self.keys[provider] = key

    async def remove(self, provider: str) -> bool:
        self._fail()
        return self.keys.pop(provider, None) is not None

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing
