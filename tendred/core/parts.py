"""What a studio is made of."""

from __future__ import annotations

from tendred.backend import Residency
from tendred.bus import Bus
from tendred.clock import Clock
from tendred.core.again import Recipes
from tendred.core.cache import Cache
from tendred.core.characters import Cast
from tendred.core.clips import Quoting
from tendred.core.cloud import Cloud
from tendred.core.credentials import Credentials
from tendred.core.erasing import Eraser
from tendred.core.expansions import Expander
from tendred.core.grids import Grids
from tendred.core.history import History
from tendred.core.pauses import Pauses
from tendred.core.presets import Presets
from tendred.core.previews import Previews
from tendred.core.progress import Watch
from tendred.core.pulls import Pulls
from tendred.core.refusals import Refusals
from tendred.core.retry import Retries
from tendred.core.roster import StoredRoster
from tendred.core.run import Runner
from tendred.core.settings import Settings
from tendred.core.sheets import Sheets
from tendred.core.shots import Shots
from tendred.core.spend import Spend
from tendred.core.submit import Submitter
from tendred.core.telling import Teller
from tendred.core.tokens import TokenRoom
from tendred.core.upscale import Upscaling
from tendred.core.verifying import Verifier
from tendred.core.waiting import Waiting
from tendred.core.wildcards import Wildcards
from tendred.hooks.manager import Plugins
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.models.catalog import Catalog
from tendred.queue.store import Queue
from tendred.schema.base import Record
from tendred.store.database import Database


class Parts(Record, frozen=True):
    """What a studio is made of; `app.daemon` builds them."""

    database: Database
    bus: Bus
    queue: Queue
    submitter: Submitter
    retries: Retries
    upscaling: Upscaling
    runner: Runner
    residency: Residency
    pauses: Pauses
    watch: Watch
    previews: Previews
    recipes: Recipes
    waiting: Waiting
    index: Index
    receipts: Receipts
    catalog: Catalog
    cache: Cache
    pulls: Pulls
    credentials: Credentials
    cast: Cast
    roster: StoredRoster
    wildcards: Wildcards
    presets: Presets
    expander: Expander
    grids: Grids
    sheets: Sheets
    cloud: Cloud
    clips: Quoting
    spend: Spend
    tokens: TokenRoom
    shots: Shots
    refusals: Refusals
    plugins: Plugins
    history: History
    settings: Settings
    teller: Teller
    verifier: Verifier
    eraser: Eraser
    clock: Clock
