"""The Protocols that `app` fills in for `core`: everything with a side effect outside SQLite.

Each has a real one and a fake that behaves (in `tendred.testing`). `core` holds these and never learns which.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from tendred.config.secret import Secret
from tendred.schema.asset import Identity
from tendred.schema.credentials import KeyPlace
from tendred.schema.footage import Enlarge, Enlarged, Footage, Look, Plain, Shown
from tendred.schema.marks import Sign, Verified, Verify
from tendred.schema.model import LoadedModel
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, Features, RemoteState
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
        """Have it looked at, encode, mark, sign and write.

        Raises OutputWithheld, SignerBroken, DiskFull, FolderUnwritable, Internal, or ShuttingDown while it closes; then
        there is no file.
        """
        ...

    async def sign(self, work: Sign) -> Encoded:
        """Mark and sign a finished file (a provider's clip) as it is. Raises as `encode`."""
        ...

    async def verify(self, work: Verify) -> Verified:
        """Say what a file is. Raises Internal where it can't be read, or ShuttingDown while it closes."""
        ...

    async def shrink(self, work: Shrink) -> Shrunk:
        """Make a small file of a raw picture. Raises OutputWithheld, Internal, or ShuttingDown while it closes."""
        ...

    async def prewarm(self) -> None:
        """A file will be wanted soon: get ready, or stay so. Returns at once; cheap enough for every step report."""
        ...


class ClipMedia(Protocol):
    """Looks into clips and makes files of them, in a process of its own beside the one for stills.

    Every call raises EngineMissing("clips") where PyAV isn't installed, and ShuttingDown while it closes.
    """

    async def probe(self, path: str) -> Footage:
        """What a file holds that may hold anything. Raises ClipUnreadable."""
        ...

    async def enlarge(self, work: Enlarge, told: Callable[[int, int], None]) -> Enlarged:
        """Make a clip larger; `told` hears how many pictures of all are done. Cancelling the call stops it soon.

        Raises ClipUnreadable, DiskFull, FolderUnwritable, Internal.
        """
        ...

    async def look(self, work: Look) -> Shown:
        """Make a picture of a clip or two. Raises ClipUnreadable, DiskFull, FolderUnwritable, Internal."""
        ...

    async def plain(self, work: Plain) -> Shown:
        """Make a file of a still that holds its pixels and nothing else. Raises StillNotOurs, DiskFull, FolderUnwritable."""
        ...


class Adapter(Protocol):
    """A provider of clips. No call tries again by itself, none follows a redirect with the key; `submit` opens a connection of its own."""

    features: Features

    async def upload(self, picture: Path, media_type: str) -> str:
        """Send a picture of ours, or make it a data URI. Returns what `ClipOrder.first` takes. Safe to repeat."""
        ...

    async def submit(self, order: ClipOrder) -> Accepted:
        """Send it, once.

        Raises NotSent where certainly no byte of it left, KeyringUnavailable where that is why; SlowDown,
        ProviderRefused, ProviderFiltered, InsufficientFunds, CredentialsMissing where the provider certainly did not
        take it (its own error, whole and well-formed); and OutcomeUnknown for everything else, with what there is of evidence in `detail`.
        """
        ...

    async def poll(self, remote_id: str) -> RemoteState:
        """Ask. Raises ProviderUnavailable (try later), SlowDown, CredentialsMissing."""
        ...

    async def cancel(self, remote_id: str) -> CancelTruth:
        """Ask for an end, and tell the truth of it. Raises as `poll`."""
        ...

    async def find(self, order: ClipOrder, since: float) -> list[Accepted] | None:
        """Jobs that may be this order, by the provider's own list; None where it has none. Raises as `poll`."""
        ...

    def download(self, state: RemoteState, offset: int, etag: str | None) -> AbstractAsyncContextManager[Download]:
        """The result from `offset`, without the key where another host serves it. Raises as `poll`, and ResultExpired."""
        ...


class Download(Protocol):
    """A result on its way. `offset` is where it really begins: 0 where the provider can't go on in the middle, or it changed."""

    offset: int
    total: int | None
    etag: str | None

    def pieces(self) -> AsyncGenerator[bytes]:
        """Its bytes. Raises ProviderUnavailable when the connection ends early."""
        ...


class Secrets(Protocol):
    """Keys of providers, outside of everything that is written. Every call ends within its deadline.

    Raises KeyringUnavailable (locked, missing, slow; says what to do) and CredentialsMissing for a named file that is unfit.
    """

    async def get(self, provider: str) -> Secret | None:
        """The key, for this one call."""
        ...

    async def set(self, provider: str, key: Secret) -> None:
        """Keep it, and see that it was kept. Raises WrongState where a file or a credential of the user's stands before it."""
        ...

    async def remove(self, provider: str) -> bool:
        """Really remove it, and see that it is gone; whether there was one. Raises WrongState as `set`."""
        ...

    def where(self, provider: str) -> KeyPlace:
        """Where it comes from, or would go. Looks at no key."""
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

    async def standing(self, path: str, *, spends: bool = True) -> str:
        """The path of a watched folder in which a standing cap may be, if it `spends`. Raises NotFound, InvalidParams."""
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
