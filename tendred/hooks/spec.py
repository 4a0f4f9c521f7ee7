"""Every hook, typed. The first page that a plugin's author reads.

A plugin is a Python object (a module or an instance) named by an entry point of the group `tendred`. It
imports `tendred.api` and nothing else of ours, marks its hooks with `@hookimpl` and says which API it was
written for: `requires_api = ">=1.0,<2"`. It runs only when `plugins.enabled` names it. Hooks are plain
functions (not coroutines), run in a thread, and have `plugins.timeout_s` to return. A hook that raises or
takes too long switches its plugin off until the next start; the daemon and the other plugins go on.
"""

from __future__ import annotations

from typing import Final

import pluggy

from tendred.backend import Adapter
from tendred.hooks.context import AskKey, Context
from tendred.schema.asset import Asset, Receipt
from tendred.schema.still import Amendment, StillRequest

GROUP: Final = "tendred"
hookspec: Final = pluggy.HookspecMarker(GROUP)
hookimpl: Final = pluggy.HookimplMarker(GROUP)


class Hooks:
    """The hooks. An implementation may leave out arguments that it doesn't need."""

    @hookspec
    def amend_request(self, request: StillRequest, context: Context) -> Amendment | None:
        """Change a request before it is judged; None leaves it as it is.

        The request is a copy. What comes back is checked like any request and judged by the boundary
        afterwards: a plugin can narrow what is allowed, never widen it.
        """
        raise NotImplementedError

    @hookspec
    def clip_provider(self, key: AskKey, context: Context) -> Adapter:
        """Add a provider of clips: an object that is a `tendred.api.Adapter`, named by its `features.provider`.

        Called once, at the start, and only if the plugin is enabled. `await key()` is this provider's key (None where
        the user gave none), and no other's. The broker decides whether and when anything is sent: an adapter sends an
        order once, and raises OutcomeUnknown whenever it can't be certain that it wasn't taken.
        """
        raise NotImplementedError

    @hookspec
    def media_finished(self, asset: Asset, receipt: Receipt, context: Context) -> None:
        """An asset was kept and its receipt written. Nothing that happens here changes the job."""
        raise NotImplementedError

    @hookspec
    def export_media(self, asset: Asset, receipt: Receipt, context: Context) -> str | None:
        """Deliver an asset somewhere (`asset.path` is the file) and return where, or None if it isn't wanted.

        Raise to be asked again later: five tries, further and further apart. Being asked twice for one
        asset must do no harm. The daemon does nothing else with what is returned but log it.
        """
        raise NotImplementedError
