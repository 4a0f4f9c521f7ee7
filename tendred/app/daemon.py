"""The composition root: builds the rooms in order, and takes them down in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import asdict

from tendred import __version__
from tendred.app import instance
from tendred.backend import Backend, Fs, Media, Residency, Spawn
from tendred.boundary.judge import Boundary
from tendred.bus import Bus
from tendred.children import spawn_child
from tendred.clock import Clock, Ids, Rng, SystemClock, SystemRng
from tendred.config.paths import Paths
from tendred.config.schema import Config
from tendred.config.secret import Secret
from tendred.core.deliver import Deliveries
from tendred.core.history import History
from tendred.core.indexing import Indexing
from tendred.core.keep import Keeper
from tendred.core.pauses import Pauses
from tendred.core.progress import Watch
from tendred.core.refusals import Refusals
from tendred.core.run import Runner
from tendred.core.settings import Settings
from tendred.core.studio import API, Parts, Studio
from tendred.core.submit import Submitter
from tendred.core.telling import Teller, language_of
from tendred.core.waiting import Waiting
from tendred.engine.supervisor import Engine
from tendred.errors import DiskFull, FolderUnwritable, TendredError
from tendred.fs import SystemFs
from tendred.hooks.manager import Plugins
from tendred.hotfolder.folder import HotFolderDoor
from tendred.library.files import Files
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.media.supervisor import MediaProcess
from tendred.models.catalog import Catalog
from tendred.queue.store import Queue
from tendred.rpc.server import RpcServer
from tendred.schema.asset import Receipt
from tendred.schema.job import Job
from tendred.schema.system import Discovery, PluginStatus
from tendred.store.database import Database
from tendred.tasks import Tasks, offload

_log = logging.getLogger(__name__)
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class Machine:
    """What a daemon stands on. Tests and simulations bring their own."""

    clock: Clock = field(default_factory=SystemClock)
    rng: Rng = field(default_factory=SystemRng)
    fs: Fs = field(default_factory=SystemFs)
    spawn: Spawn = spawn_child
    inline: bool = False
    """Run database writes on the loop's thread (simulations)."""


class Daemon:
    """One running daemon. Build with `start`, end with `stop`; `finished` is set when somebody asked it to end."""

    def __init__(self, config: Config, paths: Paths, machine: Machine) -> None:
        self.config = config
        self.paths = paths
        self.machine = machine
        self.boot_id = Ids(machine.clock, machine.rng).new("boot")
        self.token = Secret(machine.rng.bytes(_TOKEN_BYTES).hex())
        self.finished = asyncio.Event()
        self.url = ""
        self._drain = True
        self._tasks = Tasks()
        self._exit = contextlib.AsyncExitStack()

    @classmethod
    async def start(cls, config: Config, paths: Paths, machine: Machine | None = None) -> Daemon:
        """Bring everything up. Raises AlreadyRunning, PortInUse, StoreBroken, FolderUnwritable."""
        daemon = cls(config, paths, machine or Machine())
        try:
            await daemon._build()
        except BaseException:
            await daemon._exit.aclose()
            raise
        return daemon

    async def stop(self) -> None:
        """Take everything down, last built first. A running job gets `daemon.drain_s` to finish, then waits again."""
        with contextlib.suppress(TendredError):
            await self.studio.announce("system.stopping", {"system": {"boot_id": self.boot_id}})
        await self._exit.aclose()

    def ask_to_stop(self, drain: bool) -> None:  # noqa: FBT001 - the Studio's callback
        """Set `finished`; `stop` then does the work."""
        self._drain = drain
        self.finished.set()

    async def _build(self) -> None:
        config, paths, machine = self.config, self.paths, self.machine
        ids = Ids(machine.clock, machine.rng)
        for problem in await offload(instance.prepare, paths):
            _log.warning("%s", problem)
        lock = instance.acquire(paths)
        self._exit.callback(lock.release)
        bus = Bus()
        database = Database(
            paths.database,
            clock=machine.clock,
            committed=machine.fs.committed,
            boot_id=self.boot_id,
            publish=bus.publish,
            inline=machine.inline,
        )
        database.open()
        self._exit.callback(database.close)
        key = await offload(instance.boundary_key, paths.boundary_key, machine.rng, machine.fs)
        boundary = Boundary(key, year=lambda: dt.datetime.fromtimestamp(machine.clock.now(), dt.UTC).year)
        tell = Teller(language_of(config.daemon.language), machine.rng)
        files = Files(paths.pictures, paths.staging, machine.fs)
        try:
            await offload(files.prepare)
        except (DiskFull, FolderUnwritable) as problem:
            # An external disk may come back: the queue waits for it, everything else works.
            _log.warning("%s", problem)
        self._exit.push_async_callback(self._tasks.stop)
        announcer = _Announcer(database, self._tasks)
        engine, media = self._children(announcer, boundary)
        plugins = Plugins(config.plugins, paths.data / "plugins", announcer.plugin_disabled)
        plugins.load()
        self._core(database, bus, boundary, tell, files, engine, engine, media, plugins, ids)
        await self._begin()
        await self._doors(ids)

    def _children(self, announcer: _Announcer, boundary: Boundary) -> tuple[Engine, MediaProcess]:
        logs = self.paths.logs
        engine = Engine(
            config=self.config.engine,
            spawn=self.machine.spawn,
            clock=self.machine.clock,
            tasks=self._tasks,
            reseal=boundary.reseal,
            rng=self.machine.rng,
            announce=announcer.announce,
            stderr=logs / "engine.log",
        )
        media = MediaProcess(
            config=self.config.media,
            spawn=self.machine.spawn,
            clock=self.machine.clock,
            tasks=self._tasks,
            stderr=logs / "media.log",
        )
        self._exit.push_async_callback(media.close)
        self._exit.push_async_callback(engine.close)
        return engine, media

    def _core(
        self,
        database: Database,
        bus: Bus,
        boundary: Boundary,
        tell: Teller,
        files: Files,
        backend: Backend,
        residency: Residency,
        media: Media,
        plugins: Plugins,
        ids: Ids,
    ) -> None:
        config, paths, machine = self.config, self.paths, self.machine
        clock = machine.clock
        queue = Queue(database, config.queue.limit)
        index, receipts = Index(database, paths.pictures), Receipts(database)
        catalog, settings = Catalog(database), Settings(database)
        history = History(database, self.boot_id, config.library.events_kept)
        watch = Watch(bus, clock, self.boot_id)
        pauses = Pauses(
            database=database,
            settings=settings,
            residency=residency,
            clock=clock,
            pictures=paths.pictures,
            reserve_bytes=config.library.reserve_bytes,
        )
        deliveries = Deliveries(
            database=database, plugins=plugins, index=index, receipts=receipts, ids=ids, clock=clock, tell=tell
        )
        submitter = Submitter(
            plugins=plugins,
            catalog=catalog,
            boundary=boundary,
            queue=queue,
            refusals=Refusals(database, ids, machine.rng),
            residency=residency,
            ids=ids,
            rng=machine.rng,
            language=tell.language,
            keep_alive_s=config.engine.keep_alive_s,
        )
        keeper = Keeper(
            database=database,
            queue=queue,
            boundary=boundary,
            catalog=catalog,
            media=media,
            files=files,
            index=index,
            receipts=receipts,
            deliveries=deliveries,
            thumbnails=paths.thumbnails,
            clock=clock,
        )
        indexing = Indexing(index, history, clock)

        def closed(job: Job, receipt: Receipt | None) -> None:
            indexing.wake()
            deliveries.wake()
            if receipt is not None and (names := plugins.having("media_finished")):
                self._tasks.spawn("media-finished", _tell_plugins(plugins, names, index, job, receipt))

        runner = Runner(
            database=database,
            queue=queue,
            boundary=boundary,
            catalog=catalog,
            submitter=submitter,
            backend=backend,
            keeper=keeper,
            watch=watch,
            pauses=pauses,
            tell=tell,
            closed=closed,
        )
        self.studio = Studio(
            Parts(
                database=database, bus=bus, queue=queue, submitter=submitter, runner=runner, backend=backend,
                residency=residency, pauses=pauses, watch=watch, waiting=Waiting(bus), index=index, receipts=receipts,
                catalog=catalog, boundary=boundary, plugins=plugins, history=history, settings=settings, teller=tell,
                clock=clock,
            ),
            boot_id=self.boot_id,
            queue_limit=config.queue.limit,
            stop=self.ask_to_stop,
        )  # fmt: skip
        self._runner, self._pauses, self._deliveries, self._indexing, self._database = (
            runner, pauses, deliveries, indexing, database,
        )  # fmt: skip

    async def _begin(self) -> None:
        """Recover what was interrupted, then let the rooms work."""
        await self._pauses.load()
        await self._runner.recover()
        self._tasks.spawn("indexing", self._indexing.run())
        self._tasks.spawn("deliveries", self._deliveries.run())
        self._tasks.spawn("runner", self._runner.run())
        self._exit.push_async_callback(self._settle_running)

    async def _doors(self, ids: Ids) -> None:
        machine = self.machine
        hot = HotFolderDoor(
            self.studio,
            config=self.config.hotfolder,
            default=self.paths.hot,
            fs=machine.fs,
            clock=machine.clock,
            ids=ids,
            tasks=self._tasks,
        )
        self.studio.hotfolders = hot
        server = RpcServer(
            self.studio,
            token=self.token.reveal(),
            config=self.config.rpc,
            tasks=self._tasks,
            clock=machine.clock,
            ids=ids,
        )
        socket = instance.socket_path(self.paths) if hasattr(asyncio, "open_unix_connection") else None
        if socket is not None:
            self._exit.callback(instance.remove_socket, socket)
        self.url = await server.start(socket)
        self._exit.push_async_callback(server.stop)
        discovery = Discovery(
            url=self.url,
            socket=None if socket is None else str(socket),
            token=self.token.reveal(),
            pid=os.getpid(),
            version=__version__,
            api=API,
            boot_id=self.boot_id,
        )
        await self.studio.announce("system.started", {"system": {"boot_id": self.boot_id, "version": __version__}})
        instance.write_discovery(self.paths.discovery, discovery)
        self._exit.callback(instance.remove_discovery, self.paths.discovery, self.boot_id)
        await hot.start()
        self._exit.push_async_callback(hot.stop)

    async def _settle_running(self) -> None:
        """At the end: nothing new starts, and what runs gets its time or waits again."""
        self.studio.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.daemon.drain_s + self.config.engine.cancel_grace_s + 5):
                await self._runner.finish(self.config.daemon.drain_s if self._drain else 0)


class _Announcer:
    """Lets rooms that work on callbacks record events."""

    def __init__(self, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks

    def announce(self, topic: str, data: dict[str, Any]) -> None:
        self._tasks.spawn(f"announce {topic}", self._write(topic, data))

    def plugin_disabled(self, status: PluginStatus) -> None:
        self.announce("plugin.disabled", {"plugin": asdict(status)})

    async def _write(self, topic: str, data: dict[str, Any]) -> None:
        await self._database.write(lambda tx: tx.emit(topic, data))


async def _tell_plugins(plugins: Plugins, names: list[str], index: Index, job: Job, receipt: Receipt) -> None:
    for asset in await index.of_job(job.id):
        for name in names:
            await plugins.media_finished(name, asset, receipt)


async def serve(config: Config, paths: Paths, hide: Callable[[Secret], None]) -> None:
    """Run a daemon until it is asked to end, by RPC or by a signal. `hide` keeps its token out of the log."""
    daemon = await Daemon.start(config, paths)
    hide(daemon.token)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _signalled, daemon)
    print(f"tendred {__version__} listens on {daemon.url} (hot folder: {paths.hot})", flush=True)  # noqa: T201 - the foreground's one line
    await daemon.finished.wait()
    _log.info("stopping")
    await daemon.stop()


def _signalled(daemon: Daemon) -> None:
    if daemon.finished.is_set():
        # A second signal: the user means it. Everything on disk is ready for that.
        os._exit(1)
    daemon.ask_to_stop(drain=True)
