"""Rooms of the core over a real database and a clock that stands still."""

from __future__ import annotations

import pytest

from tendred.clock import Ids, SystemRng
from tendred.fs import SystemFs
from tendred.store.database import Database
from tendred.testing.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def ids(clock):
    return Ids(clock, SystemRng())


@pytest.fixture
def database(tmp_path, published, clock):
    database = Database(
        tmp_path / "tendred.db",
        clock=clock,
        committed=SystemFs().committed,
        boot_id="boot_1",
        publish=published.append,
    )
    database.open()
    yield database
    database.close()


@pytest.fixture
def rows(database):
    """`await rows(sql)`: what stands in the database, as tuples."""

    async def read(sql):
        return await database.read(lambda connection: [tuple(row) for row in connection.execute(sql)])

    return read
