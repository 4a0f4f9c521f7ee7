"""The switch: which providers clips may be sent to. While one is off, nothing can reach its adapter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tendred.backend import Adapter
from tendred.core.credentials import Credentials
from tendred.core.settings import Settings
from tendred.errors import CloudOff, ConsentRequired, InvalidParams, NotFound, PricesMissing
from tendred.money import caps
from tendred.money.caps import PERIODS
from tendred.money.prices import Prices, Refunds
from tendred.schema.credentials import KeyState
from tendred.schema.money import CapChanges, CloudStatus, ProviderState, Refund
from tendred.schema.provider import Features
from tendred.schema.system import CloudState
from tendred.store.database import Tx
from tendred.tasks import offload

SETTING: Final = "cloud_enabled"
LEAVES: Final = ("prompt", "first_frame", "last_frame", "size", "key")
"""What leaves this machine with a clip, by name; the words for it are the client's."""


class Cloud:
    """The switch. `stopped(provider)` is told of every provider that was switched off."""

    def __init__(
        self,
        *,
        adapters: Mapping[str, Adapter],
        credentials: Credentials,
        settings: Settings,
        prices: Prices,
        stopped: Callable[[str], None],
        woken: Callable[[], None],
    ) -> None:
        self._adapters = adapters
        self._credentials = credentials
        self._settings = settings
        self._prices = prices
        self._stopped = stopped
        self._woken = woken
        self._on: frozenset[str] = frozenset()

    async def load(self) -> None:
        """At start: as a person left it."""
        self._on = frozenset(await self._settings.get(SETTING) or ())

    def adapter(self, provider: str) -> Adapter:
        """The way to a provider. Raises NotFound, CloudOff: the one gate of every connection."""
        if provider not in self._adapters:
            near = difflib.get_close_matches(provider, self._adapters, 3, 0.4) or sorted(self._adapters)
            raise NotFound(path="provider", noun="provider", name=provider, near=near)
        if provider not in self._on:
            raise CloudOff(path="provider", provider=provider)
        return self._adapters[provider]

    def offered(self) -> list[Features]:
        """What the providers that are switched on declare, the preferred one first."""
        return [adapter.features for name, adapter in self._adapters.items() if name in self._on]

    def state(self) -> CloudState:
        """In one line."""
        on = sorted(self._on & set(self._adapters))
        return CloudState(enabled=bool(on), reason=None if on else "no provider is enabled")

    async def enable(self, provider: str, changes: CapChanges) -> CloudStatus:
        """Let clips go to a provider, under caps that are set with it or were set before.

        Raises NotFound, InvalidParams, ConsentRequired where a cap of a job, a day or a month is missing.
        """
        if provider not in self._adapters:
            self.adapter(provider)
        if changes.doors:
            raise InvalidParams(path="caps.doors", problem="caps of doors are set by spend.caps")

        def work(tx: Tx) -> None:
            caps.set_in(tx, changes)
            unset = [name for name in PERIODS if tx.one(caps.GET, name) is None]
            if unset:
                raise ConsentRequired("caps", path=f"caps.{unset[0]}_mcr", missing=", ".join(unset))
            on = set(Settings.get_in(tx.connection, SETTING) or ()) | {provider}
            Settings.set_in(tx, SETTING, sorted(on))

        await self._settings.change(work)
        self._on = self._on | {provider}
        self._woken()
        return await self.status()

    async def disable(self, provider: str | None) -> CloudStatus:
        """Off at once, one provider or all; what is rendering there waits until it is on again."""
        gone = self._on if provider is None else self._on & {provider}
        if provider is not None and provider not in self._adapters:
            self.adapter(provider)
        self._on = self._on - gone
        for name in gone:
            self._stopped(name)
        await self._settings.set(SETTING, sorted(self._on))
        return await self.status()

    def refunds(self, provider: str) -> tuple[Refund, Refund]:
        """A provider's terms for jobs that failed, and for filtered ones. Unknown where its table can't be read."""
        try:
            terms = self._prices.table(provider).refunds
        except PricesMissing:
            terms = Refunds()
        return terms.failed, terms.filtered

    async def status(self) -> CloudStatus:
        """The switch in full, with where each key is."""
        state = self.state()
        providers = [await self._told(key) for key in await self._credentials.states()]
        return CloudStatus(
            enabled=state.enabled, reason=state.reason, providers=providers, leaves=list(LEAVES), withheld="full"
        )

    async def _told(self, key: KeyState) -> ProviderState:
        name = key.provider
        features = self._adapters[name].features
        try:
            table = await offload(self._prices.table, name)
            date, source = table.date.isoformat(), table.source
        except PricesMissing:
            date = source = None
        failed, filtered = await offload(self.refunds, name)
        detail: dict[str, Any] = msgspec.to_builtins(features)
        return ProviderState(
            name=name, enabled=name in self._on, key=key, table_date=date, source=source, failed=failed, filtered=filtered,
            detail={key: value for key, value in detail.items() if key != "models"}
            | {"models": [model.name for model in features.models if model.replaced_by is None]},
        )  # fmt: skip
