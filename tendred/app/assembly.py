"""How core is put together: every room is handed what it uses, and makes nothing of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tendred.backend import Backend, Fs, Media, Residency, Spawn
from tendred.boundary.judge import Boundary
from tendred.bus import Bus
from tendred.children import spawn_child
from tendred.clock import Clock, Ids, Rng, SystemClock, SystemRng
from tendred.config.paths import Paths
from tendred.config.schema import Config
from tendred.core.characters import Cast
from tendred.core.deliver import Deliveries
from tendred.core.history import History
from tendred.core.indexing import Indexing
from tendred.core.keep import Keeper
from tendred.core.opening import Opener
from tendred.core.pauses import Pauses
from tendred.core.progress import Watch
from tendred.core.refusals import Refusals
from tendred.core.run import Runner
from tendred.core.settings import Settings
from tendred.core.sources import Finder
from tendred.core.studio import Parts, Studio
from tendred.core.submit import Submitter
from tendred.core.telling import Teller
from tendred.core.upscale import Upscaling
from tendred.core.waiting import Waiting
from tendred.fs import SystemFs
from tendred.hooks.manager import Plugins
from tendred.library.files import Files
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.models.catalog import Catalog
from tendred.models.shelf import PACKAGED, Shelf
from tendred.queue.store import Queue
from tendred.schema.asset import Receipt
from tendred.schema.job import Job
from tendred.store.database import Database
from tendred.tasks import Tasks


@dataclass(frozen=True)
class Machine:
    """What a daemon stands on. Tests and simulations bring their own."""

    clock: Clock = field(default_factory=SystemClock)
    rng: Rng = field(default_factory=SystemRng)
    fs: Fs = field(default_factory=SystemFs)
    spawn: Spawn = spawn_child
    packaged: Path = PACKAGED
    """The folder of models that came with the package."""
    inline: bool = False
    """Run database writes on the loop's thread (simulations)."""


@dataclass(frozen=True)
class Ground:
    """What stands before core is built."""

    config: Config
    paths: Paths
    machine: Machine
    tasks: Tasks
    ids: Ids
    boot_id: str
    bus: Bus
    database: Database
    boundary: Boundary
    tell: Teller
    files: Files


@dataclass(frozen=True)
class Core:
    """What the daemon keeps hold of: the doors' way in, and what has to be started."""

    studio: Studio
    runner: Runner
    pauses: Pauses
    deliveries: Deliveries
    indexing: Indexing


def assemble(
    ground: Ground,
    *,
    backend: Backend,
    residency: Residency,
    media: Media,
    plugins: Plugins,
    stop: Callable[[bool], None],
) -> Core:
    """Build core on its ground. Nothing runs yet."""
    config, paths, database = ground.config, ground.paths, ground.database
    boundary, tell, ids = ground.boundary, ground.tell, ground.ids
    clock, rng = ground.machine.clock, ground.machine.rng
    queue = Queue(database, config.queue.limit)
    index, receipts = Index(database, paths.pictures), Receipts(database)
    catalog, settings = Catalog(database), Settings(database)
    shelf = Shelf(database, [ground.machine.packaged, paths.models])
    cast = Cast(shelf)
    finder = Finder(index, receipts, shelf)
    refusals = Refusals(database, ids, rng)
    history = History(database, ground.boot_id, config.library.events_kept)
    watch = Watch(ground.bus, clock, ground.boot_id)
    indexing = Indexing(index, history, clock)
    pauses = Pauses(
        database=database, settings=settings, residency=residency, clock=clock, pictures=paths.pictures,
        reserve_bytes=config.library.reserve_bytes,
    )  # fmt: skip
    deliveries = Deliveries(
        database=database, plugins=plugins, index=index, receipts=receipts, ids=ids, clock=clock, tell=tell
    )
    submitter = Submitter(
        plugins=plugins, catalog=catalog, cast=cast, finder=finder, boundary=boundary, queue=queue,
        refusals=refusals, residency=residency, ids=ids, rng=rng, language=lambda: tell.language,
        keep_alive_s=config.engine.keep_alive_s,
    )  # fmt: skip
    upscaling = Upscaling(
        index=index, finder=finder, boundary=boundary, queue=queue, refusals=refusals,
        residency=residency, ids=ids, language=lambda: tell.language, keep_alive_s=config.engine.keep_alive_s,
    )  # fmt: skip
    keeper = Keeper(
        database=database, queue=queue, boundary=boundary, catalog=catalog, media=media, files=ground.files,
        index=index, receipts=receipts, deliveries=deliveries, thumbnails=paths.thumbnails, clock=clock,
    )  # fmt: skip

    def closed(job: Job, receipt: Receipt | None) -> None:
        indexing.wake()
        deliveries.wake()
        if receipt is not None and (names := plugins.having("media_finished")):
            ground.tasks.spawn("media-finished", _tell_plugins(plugins, names, index, job, receipt))

    opener = Opener(
        queue=queue, boundary=boundary, catalog=catalog, submitter=submitter, finder=finder, upscaling=upscaling
    )
    runner = Runner(
        database=database, queue=queue, opener=opener, backend=backend, keeper=keeper, watch=watch, pauses=pauses,
        tell=tell, closed=closed,
    )  # fmt: skip
    parts = Parts(
        database=database, bus=ground.bus, queue=queue, submitter=submitter, upscaling=upscaling, runner=runner,
        residency=residency, pauses=pauses, watch=watch, waiting=Waiting(ground.bus), index=index, receipts=receipts,
        catalog=catalog, shelf=shelf, cast=cast, plugins=plugins, history=history, settings=settings, teller=tell,
        clock=clock,
    )  # fmt: skip
    studio = Studio(parts, boot_id=ground.boot_id, queue_limit=config.queue.limit, stop=stop)
    return Core(studio, runner, pauses, deliveries, indexing)


async def _tell_plugins(plugins: Plugins, names: list[str], index: Index, job: Job, receipt: Receipt) -> None:
    for asset in await index.of_job(job.id):
        for name in names:
            await plugins.media_finished(name, asset, receipt)
