"""Every adapter by its provider's name: ours, and those of plugins."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
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
from tendred.config.schema import CloudSection
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


def net(section: CloudSection, env: Mapping[str, str] | None = None) -> Net:
    """The way out by the settings, then by the environment. Raises ConfigBroken for certificates that can't be read."""
    env = os.environ if env is None else env
    proxy = section.proxy or env.get("HTTPS_PROXY") or env.get("https_proxy") or ""
    ca_file = str(Path(section.ca_file).expanduser()) if section.ca_file else env.get("SSL_CERT_FILE", "")
    if section.ca_file and not os.access(ca_file, os.R_OK):
        raise ConfigBroken(where="cloud.ca_file", problem=f"{ca_file} can't be read")
    return Net(proxy=proxy, ca_file=ca_file)


def _key(secrets: Secrets, provider: str) -> Awaitable[Secret | None]:
    return secrets.get(provider)
