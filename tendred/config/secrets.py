"""Keys of providers: a file that the user named, a systemd credential, or the keyring, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from tendred.clock import Clock
from tendred.config import key_file
from tendred.config.keyring_call import Answer, Order
from tendred.config.schema import CloudSection
from tendred.config.secret import Secret
from tendred.errors import CredentialsMissing, KeyringUnavailable, WrongState
from tendred.schema.credentials import KeyPlace
from tendred.tasks import offload

GET_S: Final = 10.0
CHANGE_S: Final = 25.0
"""A person may be asked for a password in a window, and RPC clients wait for 30 s."""
KEEP_S: Final = 60.0
"""A key that was read is used again for this long: a running clip asks every few seconds, and a child costs a third of one."""
ENV_ALLOWED: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "PYTHONPATH", "VIRTUAL_ENV", "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR", "XDG_CURRENT_DESKTOP", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SYSTEMROOT", "USERPROFILE",
    "APPDATA", "LOCALAPPDATA",
)  # fmt: skip
"""What the child may know: where the desktop's keyring is. Neither another backend's name nor anybody's key."""
MODULE: Final = "tendred.config.keyring_call"


class Keys:
    """See backend.Secrets. `hide` is told of every key, so that the log never holds one."""

    def __init__(
        self,
        section: CloudSection,
        clock: Clock,
        hide: Callable[[Secret], None] = lambda _: None,
        env: Mapping[str, str] | None = None,
        get_s: float = GET_S,
        change_s: float = CHANGE_S,
    ) -> None:
        self._section, self._clock, self._hide = section, clock, hide
        self._env = os.environ if env is None else env
        self._get_s, self._change_s = get_s, change_s
        self._kept: dict[str, tuple[float, Secret]] = {}

    def where(self, provider: str) -> KeyPlace:
        if named := self._section.key_files.get(provider):
            return KeyPlace(source="file", place=str(Path(named).expanduser()))
        if (given := self._credential(provider)) is not None and given.exists():
            return KeyPlace(source="systemd", place=given.name)
        return KeyPlace(source="keyring", place="keyring")

    async def get(self, provider: str) -> Secret | None:
        place = self.where(provider)
        if place.source != "keyring":
            return await offload(self._read, provider, place)
        until, kept = self._kept.get(provider, (0.0, None))
        if kept is not None and self._clock.mono() < until:
            return kept
        found = (await self._call(Order(do="get", provider=provider, key=""), self._get_s))["key"]
        if not found:
            return None
        key = Secret(found)
        self._hide(key)
        self._kept[provider] = (self._clock.mono() + KEEP_S, key)
        return key

    async def set(self, provider: str, key: Secret) -> None:
        self._must_be_ours(provider)
        self._hide(key)
        self._kept.pop(provider, None)
        await self._call(Order(do="set", provider=provider, key=key.reveal()), self._change_s)

    async def remove(self, provider: str) -> bool:
        self._must_be_ours(provider)
        self._kept.pop(provider, None)
        return (await self._call(Order(do="remove", provider=provider, key=""), self._change_s))["found"]

    def _credential(self, provider: str) -> Path | None:
        folder = self._env.get("CREDENTIALS_DIRECTORY")
        return Path(folder) / f"tendred-{provider}" if folder else None

    def _read(self, provider: str, place: KeyPlace) -> Secret:
        named = place.source == "file"
        file = Path(place.place) if named else self._credential(provider)
        assert file is not None
        try:
            # systemd gives its own files to nobody but the unit, whatever their mode looks like.
            key = key_file.read(file, private=named)
        except key_file.UnfitError as problem:
            raise CredentialsMissing("key_file", provider=provider, file=str(file), problem=str(problem)) from problem
        self._hide(key)
        return key

    def _must_be_ours(self, provider: str) -> None:
        place = self.where(provider)
        if place.source != "keyring":
            raise WrongState(
                "key_elsewhere", path="provider", provider=provider, place=place.place, name=provider, state=""
            )

    async def _call(self, order: Order, deadline_s: float) -> Answer:
        """One child for one call, ended at the deadline: a locked keyring may wait for its password for ever."""
        allowed = {name: self._env[name] for name in ENV_ALLOWED if name in self._env}
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", MODULE,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=allowed, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(deadline_s):
                told, _ = await child.communicate(json.dumps(order).encode())
        except TimeoutError as problem:
            raise KeyringUnavailable("slow", seconds=round(deadline_s)) from problem
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await child.wait()
        answer = _answer(told)
        if answer["failed"]:
            _raise(answer, order["provider"])
        return answer


def _answer(told: bytes) -> Answer:
    with contextlib.suppress(ValueError):
        said: Any = json.loads(told)
        if isinstance(said, dict) and set(cast("dict[str, Any]", said)) == set(Answer.__annotations__):
            return cast("Answer", said)
    return Answer(failed="broken", problem="its process ended without an answer", key=None, found=False)


def _raise(answer: Answer, provider: str) -> NoReturn:
    if answer["failed"] == "locked":
        raise KeyringUnavailable("locked", problem=answer["problem"])
    if answer["failed"] == "missing":
        raise KeyringUnavailable("missing", problem=answer["problem"], credential=f"tendred-{provider}")
    raise KeyringUnavailable(problem=answer["problem"])
