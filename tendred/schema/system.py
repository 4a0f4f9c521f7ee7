"""What the daemon says of itself."""

from __future__ import annotations

from typing import Final, Literal

from tendred.schema.base import Record
from tendred.schema.cache import Budgets
from tendred.schema.job import QueueStatus

EngineStateName = Literal["off", "starting", "idle", "busy", "unstable", "missing"]


BODY_BYTES: Final = 1024 * 1024
"""The largest body of a request, and the largest WebSocket message."""
BATCH: Final = 32
"""Calls in one batch at most."""
DEPTH: Final = 32
"""Levels of a JSON document at most."""


class Limits(Record, frozen=True):
    """What a client may send at most."""

    body_bytes: int
    batch: int
    depth: int
    prompt_bytes: int
    queue: int


class Hello(Record, frozen=True):
    """Who answers, and what it can do."""

    api: str
    version: str
    boot_id: str
    features: list[str]
    limits: Limits


class EngineState(Record, frozen=True):
    """The engine process; `pid` is null while it is off."""

    state: EngineStateName
    device: str | None
    model: str | None
    pid: int | None


class CloudState(Record, frozen=True):
    """Whether clips can be had, and if not, why."""

    enabled: bool
    reason: str | None


class DiskState(Record, frozen=True):
    """Bytes free where pictures go, and the reserve that is kept free."""

    free_bytes: int
    reserve_bytes: int


class PluginStatus(Record, frozen=True):
    """One plugin that was named in `plugins.enabled`; `reason` says why it is broken or disabled."""

    name: str
    version: str | None
    state: Literal["enabled", "disabled", "broken"]
    reason: str | None


class Status(Record, frozen=True):
    """The whole of it."""

    version: str
    api: str
    boot_id: str
    pid: int
    started_at: str
    engine: EngineState
    queue: QueueStatus
    cloud: CloudState
    disk: DiskState
    budgets: Budgets
    plugins: list[PluginStatus]


class Discovery(Record, frozen=True):
    """`runtime/tendred.json`: how a local program finds the daemon. 0600; the token is new at every start."""

    url: str
    socket: str | None
    token: str
    pid: int
    version: str
    api: str
    boot_id: str


class HotFolder(Record, frozen=True):
    """A watched folder and how many prompt files stand where."""

    id: str
    path: str
    watch: Literal["events", "poll"]
    state: Literal["ok", "missing", "unwritable"]
    waiting: int
    claimed: int
    done: int
    failed: int


class HotFolders(Record, frozen=True):
    """Every watched folder."""

    hotfolders: list[HotFolder]
