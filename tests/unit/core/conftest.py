"""Rooms of the core over a real database and a clock that stands still."""

from __future__ import annotations

import pytest

from tendred.clock import Ids, SystemRng
from tendred.testing.clock import ManualClock


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
