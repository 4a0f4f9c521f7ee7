"""The Protocols that `app` fills in for `core`: everything with a side effect outside SQLite.

Each has a real one and a fake that behaves (in `tendred.testing`). `core` holds these and never learns which.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from tendred.schema.asset import Identity
from tendred.schema.model import LoadedModel
from tendred.schema.pull import Fetched, Listed, Plan
from tendred.schema.system import EngineState, HotFolder
from tendred.schema.work import Encode, Encoded, Report, Shrink, Shrunk, WorkOrder


class Backend(Protocol):
    """Makes the outputs of a job."""

    def run(self, order: WorkOrder) -> AsyncGenerator[Report]:
        """Work through an order.

        Ends when every index was reported. Raises Cancelled after `cancel`, EngineDied when the process is
        gone (the caller may try again), EngineMissing, OutOfMemory, ModelRefused, UnsupportedParameter.
        """
        ...

    def together(self, orders: list[WorkOrder]) -> list[AsyncGenerator[Report]]:
        """Work through several orders in one go: a stream for each, as `run` has it, and every one of them is read.

        Only for orders that differ in nothing but words, seeds and count (`schema.still.common`).
        """
        ...

    async def cancel(self, job_id: str) -> None:
        """Stop a job soon; unknown jobs are none of its business. `run` raises Cancelled once nothing runs."""
        ...

    async def previews(self, job_id: str, *, wanted: bool) -> None:
        """Somebody looks on at this job from now on, or nobody does. A remark: whoever can't show anything ignores it."""
        ...


class Residency(Protocol):
    """What sits in the engine's memory."""

    async def identity(self) -> Identity:
        """What would draw now. Starts the process (seconds) if it doesn't run. Raises EngineMissing, EngineDied."""
        ...

    def state(self) -> EngineState:
        """The process, in words."""
        ...

    def loaded(self) -> list[LoadedModel]:
        """Models in memory."""
        ...

    async def unload(self, model: str | None) -> list[str]:
        """Let a model go, or all of them (then the process ends too). Returns the names; busy ones go when done."""
        ...


class Media(Protocol):
    """Makes files of pictures, in a process of its own."""

    async def encode(self, work: Encode) -> Encoded:
        """Encode, mark and write. Raises DiskFull, FolderUnwritable, Internal, or ShuttingDown while it closes."""
        ...

    async def shrink(self, work: Shrink) -> Shrunk:
        """Make a small file of a raw picture. Raises Internal, or ShuttingDown while it closes."""
        ...

    async def prewarm(self) -> None:
        """A file will be wanted soon: get ready, or stay so. Returns at once; cheap enough for every step report."""
        ...


class HotFolders(Protocol):
    """The watched folders, as the RPC door shows them."""

    async def list(self) -> list[HotFolder]:
        """Every folder with its counts."""
        ...

    async def add(self, path: str) -> HotFolder:
        """Watch one more (absolute path of an existing folder). Raises InvalidParams."""
        ...

    async def remove(self, hotfolder_id: str) -> None:
        """Stop watching; files stay. Raises NotFound."""
        ...

    async def rescan(self, hotfolder_id: str | None) -> None:
        """Look through one or all now. Raises NotFound."""
        ...


class Hub(Protocol):
    """Where models are pulled from. Cancelling a call stops it at once; what was fetched stays.

    Raises ProviderUnavailable (another try may help), CredentialsMissing, ProviderRefused, NotFound, ModelRefused for
    what arrived damaged, DiskFull, FolderUnwritable, EngineMissing where the hub's library isn't installed.
    """

    @property
    def host(self) -> str:
        """Its name, as people know it."""
        ...

    async def look(self, repo: str, revision: str) -> Listed:
        """What a repository holds at this revision."""
        ...

    async def fetch(self, repo: str, plan: Plan, folder: Path, told: Callable[[Fetched], None]) -> None:
        """Bring a folder to what the plan says, each file checked and fsynced; goes on where an earlier call stopped."""
        ...


class Fs(Protocol):
    """Every change to files that must survive a crash. Blocking; called from threads.

    A write, a rename or a removal is durable only after `sync` of the file, or `sync_dir` of the directory.
    """

    def mkdir(self, path: Path) -> None:
        """Make a directory (0700) and its parents; one that exists is fine."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Write a whole file (0600), replacing what was there."""
        ...

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file's bytes to a new one, as a reflink where the file system has them, never as a hard link."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move atomically within a file system, replacing a file that stands there."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; a missing one is fine."""
        ...

    def rmdir(self, path: Path) -> None:
        """Remove an empty directory; a missing or filled one is left alone."""
        ...

    def sync(self, path: Path) -> None:
        """Fsync a file."""
        ...

    def sync_dir(self, path: Path) -> None:
        """Fsync a directory, making renames and removals in it durable."""
        ...

    def committed(self, database: Path) -> None:
        """SQLite has just made a transaction durable. Nothing to do; simulations count and copy here."""
        ...


class Spawn(Protocol):
    """Starts child processes."""

    async def __call__(self, module: str, env: Mapping[str, str], stderr: Path) -> asyncio.subprocess.Process:
        """Run `python -m module` with pipes on stdin and stdout, its stderr appended to a file, in a session of its own.

        The child's environment is an allow-list plus `env`.
        """
        ...
