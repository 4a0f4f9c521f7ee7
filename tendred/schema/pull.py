"""Pulling a model from a hub: what clients see of it, and what passes between the daemon and the child that pulls."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tendred.schema.base import Record
from tendred.schema.error import ErrorInfo

PullState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
PullPhase = Literal["looking", "fetching", "verifying"]
ENDED: Final[frozenset[PullState]] = frozenset({"succeeded", "cancelled"})
"""A pull that failed isn't over: what has arrived is kept, and it can be resumed."""

Repo = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*(--|\.\.|\.git$))([A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$(?!\n)",
        max_length=193,
        description="A model on the hub: OWNER/NAME.",
    ),
]
Revision = Annotated[
    str,
    Meta(pattern=r"^[^\s\x00-\x1f\x7f]{1,128}$(?!\n)", description="A branch, a tag or a commit of its repository."),
]
Variant = Annotated[
    str, Meta(pattern=r"^[a-z0-9]{1,16}$(?!\n)", description="Weights of this kind where there are any, such as fp16.")
]


class Pull(Record, frozen=True):
    """A model on its way here.

    `host` is the hub's, `commit` what `revision` meant when it was looked up: null until then, as are `licence`,
    `gated`, `files` and `total_bytes`. `rate_bytes` (a second), `eta_s` and `phase` are null unless it runs. `name` is
    what the model is called here. `retry_at`: when it is tried again by itself; `error` then says what was in the way.
    """

    id: str
    state: PullState
    repo: str
    revision: str
    variant: str | None
    host: str
    name: str
    commit: str | None
    licence: str | None
    gated: bool | None
    files: int | None
    phase: PullPhase | None
    done_bytes: int
    total_bytes: int | None
    rate_bytes: int | None
    eta_s: float | None
    created_at: str
    finished_at: str | None
    retry_at: str | None
    error: ErrorInfo | None


class PullPage(Record, frozen=True):
    """Some pulls, newest first."""

    pulls: list[Pull]
    next: str | None


class RemoteFile(Record, frozen=True):
    """A file of a repository. Large ones are known by their SHA-256, the others by the SHA-1 that git gives a blob."""

    name: str
    bytes: int
    sha256: str | None
    blob_sha1: str | None


class Wanted(Record, frozen=True):
    """A file to be fetched, and what it is called here (relative, with `/`)."""

    source: RemoteFile
    target: str


class Plan(Record, frozen=True):
    """What a pull fetches, settled before its first byte."""

    commit: str
    files: list[Wanted]

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(file.source.bytes for file in self.files)


class HubAccess(Record, frozen=True):
    """Where the hub is, and the token for it (null: none). Never logged, never stored."""

    endpoint: str
    token: str | None

    def __repr__(self) -> str:
        return f"HubAccess({self.endpoint!r})"


# Frames, daemon to child.
class Look(Record, frozen=True, tag="look"):
    """Asks what is in a repository."""

    repo: str
    revision: str
    hub: HubAccess


class Fetch(Record, frozen=True, tag="fetch"):
    """Fetch these files into the folder; what stands there already is taken as it is, and half a file is gone on with."""

    repo: str
    plan: Plan
    folder: str
    hub: HubAccess


# Frames, child to daemon.
class Listed(Record, frozen=True, tag="listed"):
    """The answer to Look. `index` is the text of model_index.json, null where there is none."""

    commit: str
    files: list[RemoteFile]
    index: str | None
    licence: str | None
    gated: bool


class Fetched(Record, frozen=True, tag="fetched"):
    """How many bytes of the plan stand in the folder. Sent a few times a second."""

    phase: PullPhase
    done_bytes: int


class FetchDone(Record, frozen=True, tag="fetch_done"):
    """Every file stands in the folder, compared with its checksum and fsynced."""


class PullFailed(Record, frozen=True, tag="pull_failed"):
    """It went wrong. `kind`, `variant`, `path` and `detail` rebuild the error."""

    kind: str
    variant: str
    path: str | None
    detail: dict[str, str | int | list[str]]
