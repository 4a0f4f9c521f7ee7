"""A daemon's RPC door on a thread, with a studio behind it that only pretends: for programs that call the daemon.

The door is the real one, on loopback and on a Unix socket. What a job does depends on its prompt: `child` is refused,
`explode` fails, `parked` and `stuck` do what they say; anything else becomes a picture of one pixel, a step further
each time somebody waits for it. A prompt file in the hot folder lands each time somebody asks for events.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from struct import pack
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from tendred.app import instance
from tendred.app.owner import owner_token
from tendred.clock import Ids, SystemClock, SystemRng
from tendred.config.paths import Paths, resolve
from tendred.config.schema import Config, PathsSection
from tendred.core.studio import Submission
from tendred.errors import BoundaryRefused, EngineDied, InvalidParams
from tendred.fs import SystemFs
from tendred.rpc.door import NoTokens
from tendred.rpc.server import RpcServer
from tendred.schema.error import tell
from tendred.schema.event import EventPage
from tendred.schema.job import TERMINAL, Job, Origin, Progress, Submitted
from tendred.schema.system import Discovery, EngineState, HotFolder, PluginStatus, Status
from tendred.schema.token import OWNER_GRANT, Grant, Scope
from tendred.tasks import Tasks
from tendred.testing.studio import FakeStudio

_T = TypeVar("_T")

TOKEN: Final = "peer-token-0123456789"
STEPS: Final = (
    Progress(phase="loading", done=0, total=None, eta_s=None),
    Progress(phase="sampling", done=10, total=20, eta_s=0.5),
)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))


PIXEL: Final = b"".join((
    b"\x89PNG\r\n\x1a\n",
    _chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
    _chunk(b"IDAT", zlib.compress(b"\0\xff\x80\0")),
    _chunk(b"IEND", b""),
))  # fmt: skip
"""A whole PNG file."""


class PeerStudio(FakeStudio):
    """See the module. `engine` and `plugins` are what the status shows."""

    def __init__(self, paths: Paths) -> None:
        super().__init__()
        self._paths = paths
        self.engine = EngineState(state="off", device=None, model=None, pid=None)
        self.plugins: list[PluginStatus] = []
        self.origins: list[Origin] = []
        self.on_stop: Callable[[], object] = lambda: None
        self._at: dict[str, int] = {}

    def stop(self, *, drain: bool) -> None:
        super().stop(drain=drain)
        self.on_stop()

    async def status(self) -> Status:
        return replace(await super().status(), engine=self.engine, plugins=self.plugins, pid=os.getpid())

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        self.origins.append(origin)
        for submission in submissions:
            if "child" in submission.request.prompt:
                raise BoundaryRefused(
                    rule="minor.words", reason="a minor", span=[0, 5], policy="fake", passes="Say adult"
                )
        return await super().submit(submissions, origin)

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        job = await self.job(job_id)
        if job.state in TERMINAL or "stuck" in job.request["prompt"]:
            return await super().wait(job_id, timeout_s)
        at = self._at[job_id] = self._at.get(job_id, -1) + 1
        if at < len(STEPS):
            return self._put(replace(job, state="running", progress=STEPS[at], started_at=job.created_at))
        return self._end(replace(job, progress=None, finished_at=job.created_at))

    def _end(self, job: Job) -> Job:
        prompt = job.request["prompt"]
        if "parked" in prompt:
            return self._put(replace(job, state="parked", engine_deaths=2))
        if "explode" in prompt:
            error = tell(EngineDied(problem="signal 9"), "ref1", self.language)
            return self._put(replace(job, state="failed", error=error))
        made = [self._draw(job, index) for index in range(job.request["count"])]
        return self._put(replace(job, state="succeeded", asset_ids=made))

    def _draw(self, job: Job, index: int) -> str:
        self._paths.pictures.mkdir(parents=True, exist_ok=True)
        file = self._paths.pictures / f"{job.id}-{index + 1:03d}.png"
        file.write_bytes(PIXEL)
        asset = replace(self.add_asset(file), job_id=job.id, index=index, settings={"prompt": job.request["prompt"]})
        self._assets[asset.id] = asset
        return asset.id

    def _put(self, job: Job) -> Job:
        self._jobs[job.id] = replace(job, rev=job.rev + 1)
        return self._jobs[job.id]

    async def events_since(self, seq: int, topics: list[str], limit: int) -> EventPage:
        for folder in await self.hotfolders.list():
            self._look(folder)
        return await super().events_since(seq, topics, limit)

    def _look(self, folder: HotFolder) -> None:
        for file in sorted(Path(folder.path).glob("[!.]*.*")):
            self._land(folder, file)

    def _land(self, folder: HotFolder, file: Path) -> None:
        """What the hot folder does in the end: prompt file and results side by side, then an event."""
        failed = "child" in file.read_text("utf-8")
        target = file.parent / ("failed" if failed else "done")
        target.mkdir(exist_ok=True)
        file.replace(target / file.name)
        if failed:
            error = tell(InvalidParams("empty_prompt", path="prompt"), "ref1", self.language)
            (target / f"{file.name}.reason.json").write_bytes(msgspec.json.encode(error))
        else:
            (target / f"{file.stem}.png").write_bytes(PIXEL)
            (target / f"{file.stem}.receipt.json").write_text('{"receipt":1}')
        data: dict[str, Any] = {"hotfolder_id": folder.id, "file": file.name, "claim": "", "job_ids": []}
        self.happen("hotfolder.failed" if failed else "hotfolder.done", data)


class OwnerAlone(NoTokens):
    """The owner has a token as well; nobody was given one."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def grant(self, token: str) -> Grant | None:
        return OWNER_GRANT if token == self._owner else None

    def scopes(self, token_id: str) -> frozenset[Scope]:
        return OWNER_GRANT.scopes if token_id == OWNER_GRANT.token_id else super().scopes(token_id)


class RpcPeer:
    """A daemon of `home` that can be called until `close`. `pid` is what its discovery file names."""

    def __init__(self, home: Path, *, socket: bool = False, pid: int | None = None, token: str = TOKEN) -> None:
        self.paths = resolve(PathsSection(), {"TENDRED_HOME": str(home)})
        self.studio = PeerStudio(self.paths)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rpc-peer", daemon=True)
        self._thread.start()
        self._tasks = Tasks()
        self.studio.on_stop = lambda: self._loop.call_soon_threadsafe(self._vanish)
        self.url, self.socket = self.run(self._start(socket=socket))
        instance.write_discovery(
            self.paths.discovery,
            Discovery(
                url=self.url,
                socket=self.socket,
                token=token,
                pid=os.getpid() if pid is None else pid,
                version="0.0",
                api="1.0",
                boot_id=self.studio.boot_id,
            ),
        )

    def run(self, coro: Coroutine[Any, Any, _T]) -> _T:
        """Do something on the daemon's own thread."""
        done: concurrent.futures.Future[_T] = asyncio.run_coroutine_threadsafe(coro, self._loop)
        return done.result(20)

    def close(self) -> None:
        """Stop answering. The discovery file stays, as after a crash."""
        if self._loop.is_closed():
            return
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, *, socket: bool) -> tuple[str, str | None]:
        instance.prepare(self.paths)
        clock = SystemClock()
        owner = owner_token(self.paths.owner_token, SystemRng(), SystemFs())
        self._server = RpcServer(
            self.studio,  # pyright: ignore[reportArgumentType] # it behaves like one
            token=TOKEN,
            config=Config().rpc,
            tasks=self._tasks,
            clock=clock,
            ids=Ids(clock, SystemRng()),
            tokens=OwnerAlone(owner.reveal()),
        )
        path = instance.socket_path(self.paths) if socket else None
        url = await self._server.start(path)
        await self.studio.hotfolders.add(str(self.paths.hot))
        return url, None if path is None else str(path)

    async def _stop(self) -> None:
        await self._server.stop()
        await self._tasks.stop()

    def _vanish(self) -> None:
        self.paths.discovery.unlink(missing_ok=True)
