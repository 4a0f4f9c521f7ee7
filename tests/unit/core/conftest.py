"""Rooms of the core over a real database and a clock that stands still."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tendred.bus import Bus
from tendred.clock import Ids, SystemRng
from tendred.core.budgets import Accounts
from tendred.core.cache import Cache
from tendred.core.characters import Cast, Sheet
from tendred.core.surveys import Surveys
from tendred.library.usage import Usage
from tendred.models.catalog import Catalog
from tendred.models.hashes import Hashes
from tendred.models.shelf import Shelf
from tendred.queue.store import NewJob, Queue
from tendred.schema.character import CharacterLora
from tendred.schema.job import Origin
from tendred.schema.model import LoadedModel
from tendred.testing.clock import ManualClock
from tendred.testing.headers import folder
from tendred.testing.loras import layers
from tendred.testing.orders import STILL, review


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ids(clock):
    return Ids(clock, SystemRng())


@pytest.fixture
def rows(database):
    """`await rows(sql)`: what stands in the database, as tuples."""

    async def read(sql):
        return await database.read(lambda connection: [tuple(row) for row in connection.execute(sql)])

    return read


class Residency:
    """An engine that holds what a test says, and lets it go."""

    def __init__(self):
        self.held = []

    def loaded(self):
        return self.held

    async def unload(self, model):
        gone = [one.model for one in self.held if model in {None, one.model}]
        self.held = [one for one in self.held if one.model not in gone]
        return gone

    def hold(self, model, *, busy):
        self.held.append(LoadedModel(model=model, device="cpu", bytes=1, loaded_at="", expires_at=None, busy=busy))


class CacheRoom:
    """The model cache over a real database and real files. `well_known` is where other programs keep theirs."""

    def __init__(self, database, clock, ids, root):
        self.database, self.ids, self.root, self.own = database, ids, root, root / "models"
        self.bus, self.residency, self.well_known = Bus(), Residency(), []
        self.catalog, self.hashes = Catalog(database), Hashes(database)
        self.shelf = Shelf(database, [root / "package", self.own])
        sheet = Sheet(name="mira", version=1, fragment="mira", loras=[CharacterLora(name="mira", weight=1.0)])
        self.cast = Cast(self.shelf, everyone={"mira": sheet})
        self.queue = Queue(database, limit=1000)
        self.surveys = Surveys(
            catalog=self.catalog, shelf=self.shelf, hashes=self.hashes, bus=self.bus, clock=clock, boot_id="boot_1",
            own=self.own, well_known=lambda: self.well_known,
        )  # fmt: skip
        self.accounts = Accounts(
            models=self._models, ships=lambda model: model.name == "starter", usage=Usage(database), clock=clock,
            models_limit=0, pictures_limit=0,
        )  # fmt: skip
        self.cache = Cache(
            database=database, catalog=self.catalog, shelf=self.shelf, cast=self.cast, residency=self.residency,
            surveys=self.surveys, accounts=self.accounts, own=self.own,
        )  # fmt: skip

    async def _models(self):
        return [*await self.catalog.list(), *await self.shelf.list()]

    def folder(self, name):
        """A model folder somewhere else, which takes the LoRAs that the starter takes."""
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        return folder(self.root / "elsewhere" / name, shapes)

    async def waiting(self, **changes):
        """A job that waits."""
        still = replace(STILL, **changes)
        [(job, _)] = await self.queue.add([
            NewJob(
                id=self.ids.new("job"), kind="still", lane="normal", request=msgspec.structs.asdict(still), asked={},
                origin=Origin(door="rpc"), reviewed=review(still), removed=[], retry_of=None, key=None, key_hash=b"",
            )
        ])  # fmt: skip
        return job


@pytest.fixture
def stock(database, clock, ids, tmp_path):
    """The model cache, with everything around it."""
    return CacheRoom(database, clock, ids, tmp_path)
