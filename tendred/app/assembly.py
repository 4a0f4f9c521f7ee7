"""How core is put together: every room is handed what it uses, and makes nothing of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tendred.app.cloudwork import Outside, cloud_rooms
from tendred.backend import Backend, ClipMedia, Fs, Hub, Media, Residency, Spawn
from tendred.boundary.judge import Boundary
from tendred.bus import Bus
from tendred.children import spawn_child
from tendred.clock import Clock, Ids, Rng, SystemClock, SystemRng
from tendred.cloud.broker import Broker
from tendred.config.marks import looked_at
from tendred.config.paths import Paths
from tendred.config.schema import Config
from tendred.core.again import Recipes
from tendred.core.budgets import Accounts
from tendred.core.cache import Cache
from tendred.core.characters import Cast
from tendred.core.deliver import Deliveries
from tendred.core.erasing import Eraser
from tendred.core.expansions import Expander
from tendred.core.finals import Finals
from tendred.core.grids import Grids
from tendred.core.history import History
from tendred.core.indexing import Indexing
from tendred.core.keep import Keeper
from tendred.core.looks import Looks
from tendred.core.opening import Opener
from tendred.core.parts import Parts
from tendred.core.pauses import Pauses
from tendred.core.presets import Presets
from tendred.core.previews import Previews
from tendred.core.progress import Watch
from tendred.core.pull_rows import PullRows
from tendred.core.pulling import Pulling
from tendred.core.pulls import Pulls
from tendred.core.refusals import Refusals
from tendred.core.retention import Retention
from tendred.core.retry import Retries
from tendred.core.roster import StoredRoster
from tendred.core.run import Runner
from tendred.core.script import Reader
from tendred.core.settings import Settings
from tendred.core.sheets import Sheets
from tendred.core.shot_rows import ShotRows
from tendred.core.shot_view import ShotView
from tendred.core.shots import Shots
from tendred.core.sources import Finder
from tendred.core.studio import Studio
from tendred.core.submit import Submitter
from tendred.core.surveys import Surveys
from tendred.core.telling import Teller
from tendred.core.upscale import Upscaling
from tendred.core.verifying import Verifier
from tendred.core.waiting import Waiting
from tendred.core.wildcards import Wildcards
from tendred.core.wording import Writer
from tendred.fs import SystemFs
from tendred.hooks.manager import Plugins
from tendred.library.files import Files
from tendred.library.index import Index
from tendred.library.own import OwnStills
from tendred.library.receipts import Receipts
from tendred.library.strokes import Strokes
from tendred.library.usage import Usage
from tendred.models.catalog import STARTER, Catalog
from tendred.models.hashes import Hashes
from tendred.models.places import Spot, well_known
from tendred.models.shelf import PACKAGED, Shelf
from tendred.queue.claim import claim
from tendred.queue.store import Claim, Queue
from tendred.schema.asset import Receipt
from tendred.schema.job import Job
from tendred.schema.model import ModelInfo
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
    well_known: Callable[[], list[Spot]] = lambda: well_known(Path.home(), os.environ)
    """Where other programs keep their models by default."""
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
    retention: Retention
    pulls: Pulls
    sheets: Sheets
    broker: Broker
    own: OwnStills


def assemble(
    ground: Ground,
    *,
    backend: Backend,
    residency: Residency,
    media: Media,
    clips: ClipMedia,
    hub: Hub,
    plugins: Plugins,
    outside: Outside,
    stop: Callable[[bool], None],
) -> Core:
    """Build core on its ground. Nothing runs yet."""
    config, paths, database = ground.config, ground.paths, ground.database
    boundary, tell, ids = ground.boundary, ground.tell, ground.ids
    clock, rng = ground.machine.clock, ground.machine.rng
    rules = config.queue
    queue = Queue(database, rules.limit, client_limit=rules.client_limit, warm_s=rules.warm_s)
    index, receipts = Index(database, paths.pictures), Receipts(database)
    catalog, settings = Catalog(database), Settings(database)
    shelf = Shelf(database, [ground.machine.packaged, paths.models])
    refusals = Refusals(database, ids, rng, clock)
    own = OwnStills(database, index, boundary.vouch)
    roster = StoredRoster(
        settings=settings, shelf=shelf, index=index, boundary=boundary, refusals=refusals,
        language=lambda: tell.language,
    )  # fmt: skip
    cast = Cast(shelf, roster)
    pulls = _pulls(ground, hub, catalog)
    cache = _cache(ground, residency, catalog, shelf, cast)
    wildcards, presets = Wildcards(paths.wildcards, ground.machine.fs), Presets(settings)
    writer = Writer(presets, wildcards, cast)
    finder = Finder(own, shelf, Strokes(ground.machine.fs, paths.strokes))
    history = History(database, ground.boot_id, config.library.events_kept)
    watch = Watch(ground.bus, clock, ground.boot_id)
    indexing = Indexing(index, history, clock)
    pauses = Pauses(
        database=database, queue=queue, settings=settings, residency=residency, clock=clock,
        pictures=paths.pictures, reserve_bytes=config.library.reserve_bytes,
    )  # fmt: skip
    deliveries = Deliveries(
        database=database, plugins=plugins, index=index, receipts=receipts, ids=ids, clock=clock, tell=tell,
        media=media, plain=config.plugins.plain, copies=paths.cache / "exports",
    )  # fmt: skip
    submitter = Submitter(
        plugins=plugins, catalog=catalog, writer=writer, finder=finder, boundary=boundary, queue=queue,
        refusals=refusals, residency=residency, ids=ids, rng=rng, language=lambda: tell.language,
        keep_alive_s=config.engine.keep_alive_s,
    )  # fmt: skip
    upscaling = Upscaling(
        index=index, finder=finder, boundary=boundary, queue=queue, refusals=refusals,
        residency=residency, ids=ids, language=lambda: tell.language, keep_alive_s=config.engine.keep_alive_s,
    )  # fmt: skip
    keeper = Keeper(
        database=database, queue=queue, boundary=boundary, catalog=catalog, shelf=shelf, media=media,
        files=ground.files, index=index, receipts=receipts, own=own, deliveries=deliveries, thumbnails=paths.thumbnails, clock=clock,
    )  # fmt: skip
    previews = Previews(bus=ground.bus, media=media, tasks=ground.tasks, clock=clock, boot_id=ground.boot_id)
    recipes = Recipes(
        index=index, receipts=receipts, catalog=catalog, shelf=shelf, residency=residency, submitter=submitter, rng=rng
    )

    def closed(job: Job, receipt: Receipt | None) -> None:
        indexing.wake()
        deliveries.wake()
        if receipt is not None and (names := plugins.having("media_finished")):
            ground.tasks.spawn("media-finished", _tell_plugins(plugins, names, index, job, receipt))

    sheets = Sheets(
        queue=queue, boundary=boundary, index=index, keeper=keeper, pauses=pauses, watch=watch, bus=ground.bus,
        clock=clock, own=own, tell=tell, closed=closed,
    )  # fmt: skip
    finals = Finals(
        finder=finder, boundary=boundary, queue=queue, refusals=refusals, keeper=keeper, backend=backend, clips=clips,
        watch=watch, ids=ids, clock=clock, language=lambda: tell.language, keep_alive_s=config.engine.keep_alive_s,
    )  # fmt: skip
    opener = Opener(
        queue=queue, boundary=boundary, catalog=catalog, submitter=submitter, finder=finder, upscaling=upscaling,
        finals=finals, recipes=recipes,
    )  # fmt: skip

    async def claimed() -> Claim | None:
        return await claim(database, queue, [model.model for model in residency.loaded()])

    rows = ShotRows(database)
    rooms = cloud_rooms(
        ground, outside, queue=queue, settings=settings, writer=writer, finder=finder, refusals=refusals,
        keeper=keeper, shots=rows, pauses=pauses, watch=watch, closed=closed,
    )  # fmt: skip
    runner = Runner(
        claim=claimed, queue=queue, opener=opener, backend=backend, keeper=keeper, watch=watch, previews=previews,
        pauses=pauses, tell=tell, closed=closed, sheet=sheets.take, finals=finals,
    )  # fmt: skip
    reader = Reader(finder=finder, index=index, cast=cast, writer=writer, judge=rooms.judge, rng=rng)
    looks = Looks(clips, paths.thumbnails)
    shots = Shots(
        rows=rows, quoting=rooms.quoting, finals=finals, looks=looks, clips=clips, reader=reader, ids=ids, clock=clock,
        view=ShotView(rows=rows, queue=queue, index=index, looks=looks, cloud=rooms.cloud, language=lambda: tell.language),
        language=lambda: tell.language, wake=runner.wake,
    )  # fmt: skip
    retention = Retention(database, clock, days=rules.history_days, jobs=rules.history_jobs)
    grids = Grids(
        submitter=submitter, writer=writer, queue=queue, index=index, boundary=boundary,
        refusals=refusals, ids=ids, rng=rng, language=lambda: tell.language,
    )  # fmt: skip
    retries = Retries(
        queue=queue, catalog=catalog, finder=finder, submitter=submitter, grids=grids, upscaling=upscaling,
        finals=finals, ids=ids,
    )  # fmt: skip
    verifier = Verifier(index, media, lambda path, deep: looked_at(config.marks, paths, path, deep=deep))
    expander = Expander(writer=writer, submitter=submitter, rng=rng)
    parts = Parts(
        database=database, bus=ground.bus, queue=queue, submitter=submitter, retries=retries, upscaling=upscaling,
        runner=runner, residency=residency, pauses=pauses, watch=watch, previews=previews, recipes=recipes,
        waiting=Waiting(ground.bus), index=index, receipts=receipts,
        catalog=catalog, cache=cache, pulls=pulls, cast=cast, roster=roster, wildcards=wildcards, presets=presets,
        expander=expander, grids=grids, sheets=sheets, refusals=refusals, credentials=rooms.credentials,
        cloud=rooms.cloud, clips=rooms.quoting, spend=rooms.spend, tokens=rooms.tokens, shots=shots, plugins=plugins,
        history=history, settings=settings, teller=tell, verifier=verifier,
        eraser=Eraser(database=database, index=index, receipts=receipts, files=ground.files, shots=rows), clock=clock,
    )  # fmt: skip
    studio = Studio(parts, boot_id=ground.boot_id, queue_limit=config.queue.limit, stop=stop)
    return Core(studio, runner, pauses, deliveries, indexing, retention, pulls, sheets, rooms.broker, own)


def _pulls(ground: Ground, hub: Hub, catalog: Catalog) -> Pulls:
    rows = PullRows(ground.database)
    pulling = Pulling(
        hub=hub, rows=rows, catalog=catalog, fs=ground.machine.fs, models=ground.paths.models,
        reserve_bytes=ground.config.library.reserve_bytes,
    )  # fmt: skip
    return Pulls(
        hub=hub, rows=rows, pulling=pulling, catalog=catalog, bus=ground.bus, clock=ground.machine.clock,
        ids=ground.ids, tasks=ground.tasks, boot_id=ground.boot_id, tell=ground.tell,
    )  # fmt: skip


def _cache(ground: Ground, residency: Residency, catalog: Catalog, shelf: Shelf, cast: Cast) -> Cache:
    database, clock, own = ground.database, ground.machine.clock, ground.paths.models
    surveys = Surveys(
        catalog=catalog, shelf=shelf, hashes=Hashes(database), bus=ground.bus, clock=clock, boot_id=ground.boot_id,
        own=own, well_known=ground.machine.well_known,
    )  # fmt: skip

    def ships(model: ModelInfo) -> bool:
        return model.name == STARTER or Path(model.path).is_relative_to(ground.machine.packaged)

    async def everything() -> list[ModelInfo]:
        return [*await catalog.list(), *await shelf.list()]

    accounts = Accounts(
        models=everything, ships=ships, usage=Usage(database), clock=clock,
        models_limit=ground.config.models.budget_bytes, pictures_limit=ground.config.library.budget_bytes,
    )  # fmt: skip
    return Cache(
        database=database, catalog=catalog, shelf=shelf, cast=cast, residency=residency, surveys=surveys,
        accounts=accounts, own=own,
    )  # fmt: skip


async def _tell_plugins(plugins: Plugins, names: list[str], index: Index, job: Job, receipt: Receipt) -> None:
    for asset in await index.of_job(job.id):
        for name in names:
            await plugins.media_finished(name, asset, receipt)
