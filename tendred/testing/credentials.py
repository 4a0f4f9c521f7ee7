"""Keys in memory, and the cloud switch without a provider behind it."""

from __future__ import annotations

from collections.abc import Mapping

from tendred.config.secret import Secret
from tendred.core.credentials import Credentials
from tendred.errors import ConsentRequired, TendredError
from tendred.schema.credentials import KeyPlace
from tendred.schema.money import CapChanges, CloudStatus, ProviderState


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


class FakeCloud:
    """See core.cloud.Cloud: what is on, and nothing that could be sent there."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials, self._on, self._capped = credentials, set[str](), False

    async def status(self) -> CloudStatus:
        providers = [
            ProviderState(
                name=key.provider, enabled=key.provider in self._on, key=key, table_date="2026-10-07", source="a fake",
                failed="unknown", filtered="unknown", detail={},
            )
            for key in await self._credentials.states()
        ]  # fmt: skip
        reason = None if self._on else "no provider is enabled"
        return CloudStatus(
            enabled=bool(self._on), reason=reason, providers=providers, leaves=["prompt"], withheld="full"
        )

    async def enable(self, provider: str, changes: CapChanges) -> CloudStatus:
        self._capped = self._capped or changes != CapChanges()
        if not self._capped:
            raise ConsentRequired("caps", path="caps.job_mcr", missing="job, day, month")
        self._on.add(provider)
        return await self.status()

    async def disable(self, provider: str | None) -> CloudStatus:
        self._on -= {provider} if provider else set(self._on)
        return await self.status()
