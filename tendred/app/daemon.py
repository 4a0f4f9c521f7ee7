"""The composition root: builds the rooms in order, and takes them down in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from tendred import __version__
from tendred.app import instance, signing
from tendred.app.assembly import Core, Ground, Machine, assemble
from tendred.app.cloudwork import Outside
from tendred.app.owner import owner_token
from tendred.backend import Backend, ClipMedia, Hub, Media, Residency, Secrets
from tendred.boundary.judge import Boundary
from tendred.bus import Bus
from tendred.clock import Ids
from tendred.cloud.adapters import registry
from tendred.cloud.adapters.registry import net as cloud_net
from tendred.config import hub as hubs
from tendred.config.marks import signing_of
from tendred.config.paths import Paths
from tendred.config.schema import Config
from tendred.config.secret import Secret
from tendred.config.secrets import Keys
from tendred.core.run import Runner
from tendred.core.studio import API
from tendred.core.telling import Teller, language_of
from tendred.engine.supervisor import Engine
from tendred.errors import DiskFull, FolderUnwritable, TendredError
from tendred.hooks.manager import Plugins
from tendred.hotfolder.folder import HotFolderDoor
from tendred.library.files import Files
from tendred.media.supervisor import MediaProcess
from tendred.pull.supervisor import HubProcess
from tendred.rpc.server import RpcServer
from tendred.schema.system import Discovery, PluginStatus
from tendred.store.database import Database
from tendred.tasks import Tasks, offload

_log = logging.getLogger(__name__)
_TOKEN_BYTES = 32
_LET_GO_S = 2.0


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
        self._runner: Runner | None = None
        self.hide: Callable[[Secret], None] | None = None
        """Told of every key, so that the log never holds one."""
        self._secrets: Secrets = Keys(config.cloud, machine.clock, self._hidden)
        self._tasks = Tasks()
        self._exit = contextlib.AsyncExitStack()

    @classmethod
    async def start(cls, config: Config, paths: Paths, machine: Machine | None = None) -> Daemon:
        """Bring everything up. Raises AlreadyRunning, PortInUse, StoreBroken, FolderUnwritable, SignerBroken."""
        daemon = cls(config, paths, machine or Machine())
        await daemon.open()
        return daemon

    async def open(self) -> None:
        """As `start`, for one that is built already."""
        try:
            await self._build()
        except BaseException:
            await self._exit.aclose()
            raise

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
        for problem in await offload(instance.prepare, paths, machine.fs):
            _log.warning("%s", problem)
        await offload(signing.check, signing_of(config.marks, paths))
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
        announcer = Announcer(database, self._tasks)
        backend, residency, media = self._children(announcer, boundary)
        plugins = Plugins(config.plugins, paths.data / "plugins", announcer.plugin_disabled)
        plugins.load()
        ground = Ground(config, paths, machine, self._tasks, ids, self.boot_id, bus, database, boundary, tell, files)
        core = assemble(
            ground,
            backend=backend,
            residency=residency,
            media=media,
            clips=self._footage("clips"),
            hub=self._hub(),
            plugins=plugins,
            outside=self._outside(plugins),
            stop=self.ask_to_stop,
        )
        self.studio = core.studio
        owner = await offload(owner_token, paths.owner_token, machine.rng, machine.fs)
        await core.studio.tokens.load(owner.reveal())
        await core.studio.cloud.load()
        await self._begin(core)
        await self._doors(ids)

    def _children(self, announcer: Announcer, boundary: Boundary) -> tuple[Backend, Residency, Media]:
        """The two processes. A simulation overrides this."""
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
            signing=signing_of(self.config.marks, self.paths),
            spawn=self.machine.spawn,
            clock=self.machine.clock,
            tasks=self._tasks,
            stderr=logs / "media.log",
        )
        self._exit.push_async_callback(media.close)
        self._exit.push_async_callback(self._put_back)
        self._exit.push_async_callback(engine.close)
        return engine, engine, media

    def _footage(self, name: str) -> ClipMedia:
        """A process of its own beside the one for stills: a clip takes minutes, and its file may be made to do harm.

        So it doesn't get the key that files are signed with.

        Two of them, each there only while it is used: what was paid for doesn't wait behind an enlargement.
        """
        clips = MediaProcess(
            config=self.config.media,
            signing=None,
            spawn=self.machine.spawn,
            clock=self.machine.clock,
            tasks=self._tasks,
            stderr=self.paths.logs / f"{name}.log",
        )
        self._exit.push_async_callback(clips.close)
        return clips

    def _hub(self) -> Hub:
        """What a pull is done with; its process lives no longer than the call. A simulation overrides this."""
        return HubProcess(
            place=hubs.place(self.config.hub),
            spawn=self.machine.spawn,
            stderr=self.paths.logs / "pull.log",
            home=self.paths.cache / "hub",
        )

    def _hidden(self, key: Secret) -> None:
        if self.hide is not None:
            self.hide(key)

    def _outside(self, plugins: Plugins) -> Outside:
        """The ways to providers, ours and those of plugins: nothing is connected to before somebody enables one.

        A simulation overrides this.
        """
        ours = registry.build(self.paths.providers, self._secrets, self.machine.clock, cloud_net(self.config.cloud))
        theirs = plugins.adapters(self._secrets, taken=ours.keys())
        return Outside(adapters={**ours, **theirs}, secrets=self._secrets, media=self._footage("results"))

    async def _begin(self, core: Core) -> None:
        """Recover what was interrupted, then let the rooms work."""
        await core.pauses.load(self.config.queue.start)
        await core.own.adopt()
        await core.runner.recover()
        await core.broker.recover()
        self._tasks.spawn("indexing", core.indexing.run())
        self._tasks.spawn("deliveries", core.deliveries.run())
        self._tasks.spawn("pulls", core.pulls.run())
        self._tasks.spawn("retention", core.retention.run())
        self._tasks.spawn("sheets", core.sheets.run())
        self._tasks.spawn("broker", core.broker.run())
        self._tasks.spawn("runner", core.runner.run())
        self._runner = core.runner
        self._exit.push_async_callback(core.broker.close)
        self._exit.push_async_callback(core.sheets.close)
        self._exit.push_async_callback(self._settle_running, core.runner)

    async def _doors(self, ids: Ids) -> None:
        machine = self.machine
        hot = HotFolderDoor(
            self.studio,
            config=self.config.hotfolder,
            default=self.paths.hot,
            private=self.paths.private,
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
            tokens=self.studio.tokens,
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

    async def _settle_running(self, runner: Runner) -> None:
        """At the end: nothing new starts, and what runs gets its time or waits again."""
        self.studio.stopping = True
        drain_s = self.config.daemon.drain_s if self._drain else 0
        with contextlib.suppress(TimeoutError):
            # A model that won't hear of it isn't given its usual grace: the machine may be going down.
            async with asyncio.timeout(drain_s + _LET_GO_S):
                await runner.finish(drain_s)

    async def _put_back(self) -> None:
        """The engine is gone by now; the job it was at is written down as waiting before the runner ends."""
        if self._runner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LET_GO_S):
                    await self._runner.idle()


class Announcer:
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


async def serve(config: Config, paths: Paths, hide: Callable[[Secret], None], machine: Machine | None = None) -> None:
    """Run a daemon until it is asked to end, by RPC or by a signal. `hide` keeps its token out of the log."""
    daemon = Daemon(config, paths, machine or Machine())
    daemon.hide = hide
    hide(daemon.token)
    loop = asyncio.get_running_loop()
    # Before the doors open: whoever finds the discovery file may send a signal at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _signalled, daemon)
    await daemon.open()
    print(f"tendred {__version__} listens on {daemon.url} (hot folder: {paths.hot})", flush=True)  # noqa: T201 - the foreground's one line
    await daemon.finished.wait()
    _log.info("stopping")
    await daemon.stop()


def _signalled(daemon: Daemon) -> None:
    if daemon.finished.is_set():
        # A second signal: the user means it. Everything on disk is ready for that.
        os._exit(1)
    daemon.ask_to_stop(drain=True)
