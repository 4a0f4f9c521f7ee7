import pytest

from tendred.clock import SystemClock
from tendred.fs import SystemFs
from tendred.store.database import Database


@pytest.fixture
def published():
    return []


@pytest.fixture
def clock():
    return SystemClock()


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
