"""Results on their way here: written piece by piece into a file that an interrupted download goes on with.

They lie beside the library, on its disk, so that keeping one is a rename; and not in staging, which a start sweeps:
what was paid for and half fetched must be there after a crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Protocol

from tendred.backend import Download
from tendred.cloud import mp4
from tendred.errors import ProviderUnavailable, TooLarge
from tendred.library.files import typed
from tendred.schema.clip import Fetched
from tendred.tasks import offload

MOST_BYTES: Final = 8 * 1024 * 1024 * 1024


class NoClip(Exception):  # noqa: N818 - it says what was found, as the classes of errors.py do
    """All of it arrived, and it is no whole MP4."""


class Runs(Protocol):
    """How something blocking is run: in a thread, or at once where a simulation wants one order of things."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]: ...


class Vault:
    """A folder of half-fetched results."""

    def __init__(self, folder: Path, run: Runs = offload, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._run = run
        self._most = most_bytes

    async def at(self, job_id: str) -> tuple[int, str | None]:
        """How much of a result is here, and which version of it. Nothing where the version isn't known."""
        return await self._run(self._at, job_id)

    async def take(self, job_id: str, provider: str, download: Download) -> Fetched:
        """Write a download down and look at the whole; what has arrived stays for the next try.

        Raises ProviderUnavailable where its end is missing, NoClip, TooLarge, DiskFull, FolderUnwritable.
        """
        size = download.offset
        await self._run(self._begin, job_id, size, download.etag)
        async with aclosing(download.pieces()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > self._most:
                    raise TooLarge(size_bytes=size, limit_bytes=self._most)
                await self._run(self._append, job_id, piece)
        if download.total is not None and size != download.total:
            problem = f"{size} of {download.total} bytes arrived"
            if size > download.total:
                await self.drop(job_id)
            raise ProviderUnavailable("asked", provider=provider, problem=problem)
        return await self._run(self._whole, job_id)

    async def kept(self, job_id: str, sha256: str) -> Fetched | None:
        """A result that was verified before, if it still lies here unchanged."""
        return await self._run(self._kept, job_id, sha256)

    async def sweep(self, wanted: set[str]) -> None:
        """Throw away all but what these jobs have here: of what has ended, a crash may have left something."""
        await self._run(self._sweep, wanted)

    async def drop(self, job_id: str) -> None:
        """Throw away what there is of one."""
        await self._run(self._drop, job_id)

    # -- blocking ------------------------------------------------------------------------------------------

    def _part(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.part"

    def _tag(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.etag"

    def _at(self, job_id: str) -> tuple[int, str | None]:
        try:
            return self._part(job_id).stat().st_size, self._tag(job_id).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return 0, None

    def _begin(self, job_id: str, offset: int, etag: str | None) -> None:
        with typed(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._tag(job_id).unlink(missing_ok=True)
            with os.fdopen(os.open(self._part(job_id), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.truncate(offset)
            if etag is not None:
                self._tag(job_id).write_text(etag, "utf-8")

    def _append(self, job_id: str, piece: bytes) -> None:
        with typed(self._folder), self._part(job_id).open("ab") as file:
            file.write(piece)

    def _whole(self, job_id: str) -> Fetched:
        path = self._part(job_id)
        with typed(self._folder), path.open("rb") as file:
            os.fsync(file.fileno())
            if not mp4.whole(file):
                raise NoClip
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256")
            return Fetched(path=str(path), bytes=file.tell(), sha256=digest.hexdigest())

    def _kept(self, job_id: str, sha256: str) -> Fetched | None:
        if not self._part(job_id).is_file():
            return None  # it may have been published just before a crash
        try:
            fetched = self._whole(job_id)
        except NoClip:
            return None
        return fetched if fetched.sha256 == sha256 else None

    def _sweep(self, wanted: set[str]) -> None:
        with contextlib.suppress(OSError):  # tidying stops nobody
            for file in self._folder.iterdir():
                if file.suffix in {".part", ".etag"} and file.stem not in wanted:
                    file.unlink(missing_ok=True)

    def _drop(self, job_id: str) -> None:
        with typed(self._folder):
            self._tag(job_id).unlink(missing_ok=True)
            self._part(job_id).unlink(missing_ok=True)
