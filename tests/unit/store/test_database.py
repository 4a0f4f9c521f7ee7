import asyncio
import sqlite3
import subprocess

import pytest

from tendred.clock import SystemClock
from tendred.errors import DiskFull, StoreBroken
from tendred.fs import SystemFs
from tendred.store.database import Database


def opened(path, published=None, **more):
    told = published if published is not None else []
    database = Database(
        path, clock=SystemClock(), committed=SystemFs().committed, boot_id="boot_1", publish=told.append, **more
    )
    database.open()
    return database


async def test_a_transaction_that_raises_leaves_nothing_and_its_neighbours_stay(database, published):
    def good(tx):
        tx.run("INSERT INTO setting VALUES ('good', x'31')")
        tx.emit("queue.paused", {"queue": {}})

    def bad(tx):
        tx.run("INSERT INTO setting VALUES ('bad', x'31')")
        tx.emit("queue.paused", {"queue": {}})
        raise KeyError("mine")

    outcomes = await asyncio.gather(*(database.write(work) for work in (good, bad)), return_exceptions=True)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], KeyError)
    names = await database.read(lambda c: [row[0] for row in c.execute("SELECT name FROM setting")])
    assert names == ["good"]
    assert [event.seq for event in published] == [1]


async def test_events_are_numbered_without_gaps_and_published_in_order(database, published):
    await asyncio.gather(*(database.write(lambda tx, n=n: tx.emit("queue.paused", {"n": n})) for n in range(200)))
    assert [event.seq for event in published] == list(range(1, 201))
    rows = await database.read(lambda c: [row[0] for row in c.execute("SELECT seq FROM event ORDER BY seq")])
    assert rows == list(range(1, 201))


async def test_reads_cannot_write(database):
    with pytest.raises(sqlite3.OperationalError):
        await database.read(lambda c: c.execute("DELETE FROM setting"))


async def test_inline_writes_on_the_callers_thread(tmp_path):
    import threading

    database = opened(tmp_path / "x.db", inline=True)
    assert await database.write(lambda _: threading.current_thread()) is threading.current_thread()
    database.close()


def test_a_newer_database_is_refused(tmp_path):
    path = tmp_path / "x.db"
    database = opened(path)
    database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migration VALUES ('9999-future', 0)")
    connection.close()
    with pytest.raises(StoreBroken) as caught:
        opened(path)
    assert caught.value.variant == "newer"


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreBroken):
        opened(path)


@pytest.mark.heavy
async def test_a_full_disk_is_typed_and_nothing_is_half_done(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)], check=False)
    if made.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        database = opened(mount / "x.db")
        with pytest.raises(DiskFull):
            for number in range(100):
                await database.write(
                    lambda tx, number=number: tx.run("INSERT INTO setting VALUES (?, ?)", f"k{number}", b"x" * 100_000)
                )
        rows = await database.read(lambda c: c.execute("SELECT count(*) FROM setting").fetchone()[0])
        assert rows > 1
        assert await database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"
        database.close()
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)
