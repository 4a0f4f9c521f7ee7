"""The disk of the database is full, and the one of the pictures isn't."""

import asyncio
import threading

import pytest

from tendred.errors import DiskFull
from tendred.testing.hub import FakeHub, Fault


async def fill(database):
    """Let SQLite believe that no page more can be had, and use up what is left."""

    def limit(tx):
        (pages,) = tx.one("PRAGMA page_count")
        tx.run(f"PRAGMA max_page_count={pages}")

    await database.write(limit)
    for size in (2000, 200, 1):
        with pytest.raises(DiskFull):
            while True:
                await database.write(lambda tx, text="x" * size: tx.emit("queue.paused", {"queue": text}))


async def test_a_job_that_cannot_be_claimed_waits_until_there_is_room(daemon):
    pictures, away = daemon.home / "pictures", daemon.home / "away"
    pictures.rename(away)
    job = await daemon.submit("hills")
    await daemon.eventually(lambda: daemon.studio._p.pauses.reason == "folder_unwritable")
    database = daemon.studio._p.database
    await fill(database)
    with pytest.raises(DiskFull):
        await daemon.submit("more hills")
    away.rename(pictures)
    await daemon.eventually(lambda: daemon.studio._p.pauses.reason == "disk_full")
    assert (await daemon.studio.job(job.id)).state == "queued"
    await database.write(lambda tx: tx.run("PRAGMA max_page_count=4294967294"))
    assert (await daemon.studio.wait(job.id, 20)).state == "succeeded"
    assert (await daemon.studio.queue_status()).paused is False


@pytest.mark.timeout(120)
async def test_a_pull_that_cannot_be_written_down_waits_until_there_is_room(make_daemon):
    with FakeHub() as hub:
        daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
        database = daemon.studio._p.database
        loop, reached, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def hold():
            loop.call_soon_threadsafe(reached.set)
            go.wait(60)

        hub.faults.append(Fault("vae/config.json", 1, "call", call=hold))
        pull = await daemon.studio.pulls.start("maker/tiny", None, None, None)
        await reached.wait()
        await fill(database)
        go.set()
        async with asyncio.timeout(60):
            while (seen := await daemon.studio.pulls.get(pull.id)).error is None:
                await asyncio.sleep(0.02)
        assert (seen.state, seen.error.kind, seen.retry_at is None) == ("running", "disk_full", False)
        assert {it.name for it in (await daemon.studio.models("model")).models} == {"starter"}
        await database.write(lambda tx: tx.run("PRAGMA max_page_count=4294967294"))
        assert (await daemon.studio.pulls.wait(pull.id, 60)).state == "succeeded"
