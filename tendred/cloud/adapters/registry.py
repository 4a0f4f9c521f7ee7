"""Every adapter by its provider's name: ours, and those of plugins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from tendred.backend import Adapter, Secrets
from tendred.clock import Clock
from tendred.cloud.adapters.fal import Fal
from tendred.cloud.adapters.hosts import HostNotAllowed
from tendred.cloud.adapters.ltx import Ltx
from tendred.cloud.adapters.openai_videos import OpenaiVideos
from tendred.cloud.adapters.replicate import Replicate
from tendred.cloud.adapters.table import PACKAGED, Table, load
from tendred.cloud.adapters.wire import Net, Wire
from tendred.config.secret import Secret
from tendred.errors import ConfigBroken

MAKERS: Final[dict[str, Callable[[Table, Wire], Adapter]]] = {
    "ltx": Ltx,
    "fal": Fal,
    "replicate": Replicate,
    "openai-videos": OpenaiVideos,
}
assert tuple(MAKERS) == PACKAGED


def build(user: Path, secrets: Secrets, clock: Clock, net: Net) -> dict[str, Adapter]:
    """Ours, each with its table (`user`: the folder of files that override them). Opens no connection.

    One whose table names no address (openai-videos, until a user's file does) is left out. Raises ConfigBroken.
    """
    made: dict[str, Adapter] = {}
    for provider, maker in MAKERS.items():
        table = load(provider, user)
        if not table.endpoint:
            continue
        try:
            wire = Wire(table, partial(_key, secrets, provider), clock, net)
        except HostNotAllowed as problem:
            raise ConfigBroken(where=str(user / f"{provider}.toml"), problem=f"endpoint: {problem}") from problem
        made[provider] = maker(table, wire)
    return made


def _key(secrets: Secrets, provider: str) -> Awaitable[Secret | None]:
    return secrets.get(provider)
