"""Loads the plugins that the configuration names, one by one, and calls their hooks, each on its own."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, cast

import pluggy
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tendred.backend import Adapter, Secrets
from tendred.config.schema import PluginsSection
from tendred.config.secret import Secret
from tendred.hooks.context import Context
from tendred.hooks.spec import GROUP, Hooks
from tendred.schema.asset import Asset, Receipt
from tendred.schema.still import Amendment, StillRequest
from tendred.schema.system import PluginStatus

API: Final = "1.0"
_PROVIDER: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_log = logging.getLogger(__name__)


class PluginError(Exception):
    """A plugin did not do what its contract says. The text goes into its status."""


@dataclass
class _Plugin:
    name: str
    version: str | None
    context: Context
    state: Literal["enabled", "disabled", "broken"] = "disabled"
    reason: str | None = None


class Plugins:
    """The loaded plugins. `disabled(status)` is called when one is switched off while the daemon runs."""

    def __init__(self, section: PluginsSection, data: Path, disabled: Callable[[PluginStatus], None]) -> None:
        self._section = section
        self._data = data
        self._disabled = disabled
        self._plugins: dict[str, _Plugin] = {}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(Hooks)

    def load(self) -> None:
        """Import and register each enabled plugin. Whatever is wrong with one ends up in its status."""
        found = {point.name: point for point in metadata.entry_points(group=GROUP)}
        for name in self._section.enabled:
            point = found.get(name)
            version = point.dist.version if point is not None and point.dist is not None else None
            context = Context(
                name,
                deepcopy(self._section.settings.get(name, {})),
                self._data / name,
                logging.getLogger(f"tendred.plugin.{name}"),
            )
            plugin = self._plugins[name] = _Plugin(name, version, context)
            try:
                if point is None:
                    raise PluginError("no installed distribution has a plugin of this name")  # noqa: TRY301 - one record for all
                self._register(name, point.load())
                plugin.state = "enabled"
            except Exception as problem:  # noqa: BLE001 - foreign code may raise anything
                plugin.state, plugin.reason = "broken", f"{type(problem).__name__}: {problem}"
                _log.exception("plugin %s can't be used", name)

    def _register(self, name: str, thing: Any) -> None:
        wanted = getattr(thing, "requires_api", None)
        try:
            fits = API in SpecifierSet(str(wanted or ""))
        except InvalidSpecifier as problem:
            raise PluginError(f"requires_api {wanted!r} is no version range") from problem
        if wanted is None or not fits:
            raise PluginError(f"written for API {wanted}, and this is {API}")
        if inspect.isclass(thing):
            thing = thing()
        self._manager.register(thing, name)
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError:
            # Otherwise the next plugin would be refused for this one's hook.
            self._manager.unregister(thing)
            raise

    def status(self) -> list[PluginStatus]:
        """One record per named plugin."""
        return [
            PluginStatus(name=p.name, version=p.version, state=p.state, reason=p.reason) for p in self._plugins.values()
        ]

    def having(self, hook: str) -> list[str]:
        """Names of the enabled plugins that implement a hook, in the order of the configuration."""
        names = {impl.plugin_name for impl in getattr(self._manager.hook, hook).get_hookimpls()}
        return [name for name, plugin in self._plugins.items() if name in names and plugin.state == "enabled"]

    def adapters(self, secrets: Secrets, taken: Collection[str]) -> dict[str, Adapter]:
        """The providers that enabled plugins add, by name. One that fails, or wants a name that is taken, is switched off."""
        found: dict[str, Adapter] = {}
        for name in self.having("clip_provider"):
            try:
                adapter = self._adapter(name, secrets)
                provider = adapter.features.provider
                if not _PROVIDER.fullmatch(provider) or provider in {*taken, *found}:
                    raise PluginError(f"{provider!r} can't be the name of its provider")  # noqa: TRY301 - one record for all
                found[provider] = adapter
            except Exception as problem:  # noqa: BLE001 - foreign code may raise anything
                _log.exception("plugin %s failed in clip_provider", name)
                self._switch_off(name, f"clip_provider: {type(problem).__name__}: {problem}")
        return found

    def _adapter(self, name: str, secrets: Secrets) -> Adapter:
        made: list[Adapter] = []

        async def key() -> Secret | None:
            return await secrets.get(made[0].features.provider) if made else None

        values: dict[str, Any] = {"key": key, "context": self._plugins[name].context}
        [impl] = [one for one in self._manager.hook.clip_provider.get_hookimpls() if one.plugin_name == name]
        made.append(cast("Adapter", impl.function(**{argument: values[argument] for argument in impl.argnames})))
        return made[0]

    async def amend_request(self, name: str, request: StillRequest) -> Amendment | None:
        """Ask one plugin. Failures switch it off and count as None."""
        answer = await self._call("amend_request", name, request=deepcopy(request))
        if answer is not None and type(answer) is not Amendment:  # a subclass may have fields of its own
            self._switch_off(name, "amend_request returned no Amendment")
            return None
        return answer

    async def media_finished(self, name: str, asset: Asset, receipt: Receipt) -> None:
        """Tell one plugin. Failures switch it off."""
        await self._call("media_finished", name, asset=deepcopy(asset), receipt=deepcopy(receipt))

    async def export_media(self, name: str, asset: Asset, receipt: Receipt) -> str | None:
        """Have one plugin deliver. What it raises is raised here: the delivery's own retries decide."""
        answer = await self._run("export_media", name, asset=deepcopy(asset), receipt=deepcopy(receipt))
        return None if answer is None else str(answer)

    async def _call(self, hook: str, name: str, **values: Any) -> Any:
        try:
            return await self._run(hook, name, **values)
        except Exception as problem:  # noqa: BLE001 - foreign code may raise anything
            _log.exception("plugin %s failed in %s", name, hook)
            self._switch_off(name, f"{hook}: {type(problem).__name__}: {problem}")
            return None

    async def _run(self, hook: str, name: str, **values: Any) -> Any:
        plugin = self._plugins[name]
        values["context"] = plugin.context
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            if impl.plugin_name == name:
                given = {argument: values[argument] for argument in impl.argnames}
                return await in_daemon_thread(partial(impl.function, **given), self._section.timeout_s)
        return None

    def _switch_off(self, name: str, reason: str) -> None:
        plugin = self._plugins[name]
        plugin.state, plugin.reason = "disabled", reason
        self._disabled(PluginStatus(name=name, version=plugin.version, state="disabled", reason=reason))


async def in_daemon_thread(function: Callable[[], Any], timeout_s: float) -> Any:
    """Run foreign code in a thread of its own that can't hold up the daemon's end. Raises TimeoutError.

    Not the shared thread pool: a hook that never returns would take one of its few threads for good.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, problem: BaseException | None) -> None:
        if not future.done():
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)

    def work() -> None:
        try:
            value, problem = function(), None
        except BaseException as caught:  # noqa: BLE001 - foreign code: even SystemExit is only its failure
            value, problem = None, caught if isinstance(caught, Exception) else PluginError(repr(caught))
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=work, daemon=True, name="tendred-plugin").start()
    return await asyncio.wait_for(future, timeout_s)
