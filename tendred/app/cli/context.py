"""What every command gets: where this daemon is, how to speak with it, and how to speak with the person."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import cached_property
from typing import Any, Final

from tendred import __version__
from tendred.app.cli.exits import Exit
from tendred.app.cli.out import Out
from tendred.app.cli.words import say
from tendred.app.client import Client, RpcError, as_info
from tendred.app.owner import read_owner
from tendred.config.load import Loaded, load
from tendred.config.paths import Paths, resolve
from tendred.errors import ConfigBroken, NoDaemon, TendredError
from tendred.schema.error import ErrorInfo

LONG_S: Final = 12 * 3600.0


class Stop(Exception):  # noqa: N818 # not always an error: it carries an exit code
    """Ends the command with a code, after telling the error if there is one."""

    def __init__(self, code: Exit, info: ErrorInfo | None = None, **beside: Any) -> None:
        super().__init__(code)
        self.code = code
        self.info = info
        self.beside = beside


class Context:
    """One run of `tendre`. `env` is the environment with --home and the like applied."""

    def __init__(self, args: Namespace, out: Out, env: dict[str, str]) -> None:
        self.args = args
        self.out = out
        self.env = env
        self._client: Client | None = None

    @cached_property
    def loaded(self) -> Loaded:
        """The configuration and where each value came from. Raises ConfigBroken."""
        return load(getattr(self.args, "overrides", []), self.env)

    @cached_property
    def paths(self) -> Paths:
        return resolve(self.loaded.config.paths, self.env)

    @cached_property
    def lang(self) -> str:
        """--lang, else the configuration, else the environment."""
        if asked := getattr(self.args, "lang", None):
            return str(asked)
        try:
            chosen = self.loaded.config.daemon.language
        except ConfigBroken:
            chosen = "auto"
        if chosen != "auto":
            return chosen
        spoken = next((self.env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if self.env.get(name)), "")
        return "fr" if spoken.lower().startswith("fr") else "en"

    def say(self, key: str, /, **fields: object) -> str:
        return say(self.lang, key, **fields)

    def find(self, timeout_s: float = 30.0) -> Client:
        """The daemon as it is. Raises NoDaemon."""
        return Client.find(self.paths, lang=self.lang, timeout_s=timeout_s)

    def call_long(self, method: str, /, **params: Any) -> dict[str, Any]:
        """As `call`, for what may take as long as the disk does."""
        self.call("system.hello", client="tendre", version=__version__)
        assert self._client is not None
        given = {name: value for name, value in params.items() if value is not None}
        return self._client.patient(LONG_S).call(method, **given)

    def call(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Call the daemon; params that are None are left out.

        Where there is none, the person on the terminal is asked whether to start it.
        """
        return self.send(method, {name: value for name, value in params.items() if value is not None})

    def own(self, method: str, /, **params: Any) -> dict[str, Any]:
        """As `call`, with the owner's token, which may spend. Raises StoreBroken for a token file that isn't ours alone."""
        self.call("system.hello", client="tendre", version=__version__)
        assert self._client is not None
        owner = read_owner(self.paths.owner_token)
        client = self._client if owner is None else self._client.bearing(owner.reveal())
        return client.call(method, **{name: value for name, value in params.items() if value is not None})

    def send(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """As `call`, with the params as they are: null may mean something."""
        try:
            self._client = self._client or self.find()
            return self._client.call(method, **params)
        except NoDaemon as none:
            if none.variant or not (self.out.on_terminal and sys.stdin.isatty()):
                raise
            if not self.out.ask(self.say("start_it")):
                raise
        from tendred.app.cli.daemon import start  # noqa: PLC0415 # it needs this module

        self._client = start(self).client
        return self._client.call(method, **params)

    def info(self, error: TendredError | RpcError) -> ErrorInfo:
        return as_info(error, self.lang)

    def stop(self, code: Exit, kind: str, key: str, /, **fields: object) -> Stop:
        """To be raised, with words of our own: the phrase `key`, and `key_next` as what to do."""
        return Stop(
            code,
            ErrorInfo(
                kind=kind,
                message=self.say(key, **fields),
                path=None,
                next=self.say(f"{key}_next", **fields),
                detail={name: str(value) for name, value in fields.items()},
                ref="",
            ),
        )
