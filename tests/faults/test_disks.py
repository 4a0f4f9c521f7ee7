"""Full and read-only disks: the daemon answers, says why the queue stands still, loses nothing, and goes on by itself."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tendred.core.pauses import RETRY_S
from tendred.core.studio import Search
from tendred.errors import DiskFull
from tendred.testing.daemon import TestDaemon, quiet
from tendred.testing.disks import BALLAST, fill, lockable, relieve, small_disk
from tendred.testing.invariants import moment, settled

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(120)]

STILL = {"width": 64, "height": 64, "steps": 1}
HILLS = [f"hills {number}" for number in range(3)]


@asynccontextmanager
async def running(home, *overrides):
    daemon = await TestDaemon.start(home, [*quiet(), "hotfolder.rescan_s=0.5", *overrides])
    try:
        yield daemon
    finally:
        await daemon.stop()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


async def paused(daemon, reason):
    """Wait until the queue stands still for this reason. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while (status := await daemon.studio.queue_status()).reason != reason:
            await asyncio.sleep(0.02)
    assert status.paused == (reason is not None)


async def answers(daemon, reason):
    """It can still be asked everything."""
    status = await daemon.studio.status()
    assert status.queue.reason == reason
    assert (await daemon.studio.search(Search(query=""))).assets is not None
    assert (
        await daemon.studio.check("hills", "", character=None, loras=[], kind="still", lang="en")
    ).verdict == "allow"


async def hot_folder_is(daemon, state):
    """Wait until the hot folder tells this of itself. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while (await daemon.studio.hotfolders.list())[0].state != state:
            await asyncio.sleep(0.02)


def delivered(hot, name):
    """Done and let go of."""
    return (hot / "done" / name).exists() and not list((hot / ".tendred").iterdir())


async def states(daemon, jobs):
    return [(await daemon.studio.job(job.id)).state for job in jobs]


async def all_done(daemon, jobs):
    for job in jobs:
        done = await daemon.studio.wait(job.id, 30)
        assert done.state == "succeeded", done.error
    await paused(daemon, None)


async def test_a_full_pictures_disk(home):
    with small_disk(home / "pictures", "400k") as disk:
        async with running(home) as daemon:
            assert (await daemon.still("before", **STILL)).state == "succeeded"
            fill(disk)
            jobs = [await daemon.submit(prompt, **STILL) for prompt in HILLS]
            await paused(daemon, "disk_full")
            await answers(daemon, "disk_full")
            await asyncio.sleep(2 * RETRY_S)  # it has tried again meanwhile, and didn't say in between that it moves
            events = await daemon.studio.events_since(1, ["queue."], 50)
            assert [event.topic for event in events.events] == ["queue.paused"]
            assert "failed" not in await states(daemon, jobs)
            assert [fault for fault in moment(home) if BALLAST not in fault] == []
            relieve(disk)
            await all_done(daemon, jobs)
            events = await daemon.studio.events_since(1, ["queue."], 50)
            assert [event.topic for event in events.events] == ["queue.paused", "queue.resumed"]
        assert settled(home, ["before", *HILLS], {}) == []


async def test_a_pictures_disk_below_its_reserve_starts_nothing(home):
    with small_disk(home / "pictures", "400k") as disk:
        async with running(home, "library.reserve_bytes=200000") as daemon:
            fill(disk, leave=100_000)
            jobs = [await daemon.submit(prompt, **STILL) for prompt in HILLS]
            await paused(daemon, "disk_full")
            assert (await daemon.studio.status()).disk.reserve_bytes == 200_000
            assert await states(daemon, jobs) == ["queued"] * 3
            relieve(disk)
            await all_done(daemon, jobs)
            assert [(await daemon.studio.job(job.id)).attempts for job in jobs] == [1] * 3


async def test_a_full_data_disk(home):
    with small_disk(home / "data", "2m") as disk:
        async with running(home) as daemon:
            daemon.script(step_s=0.2)
            job = await daemon.submit("hills", **{**STILL, "steps": 5})
            await daemon.state_of(job.id, "running")
            fill(disk)
            with pytest.raises(DiskFull):
                for _ in range(100):
                    await daemon.submit("one too many", **STILL)
            await paused(daemon, "disk_full")
            await answers(daemon, "disk_full")
            relieve(disk)
            await all_done(daemon, [job])
            assert (await daemon.still("after", **STILL)).state == "succeeded"
        assert moment(home) == []


async def test_a_full_hot_folder(home):
    with small_disk(home / "hot", "200k") as disk:
        async with running(home) as daemon:
            fill(disk, leave=4096)
            (disk / "hills.txt").write_text("hills")
            await hot_folder_is(daemon, "unwritable")
            await answers(daemon, None)
            assert not (disk / "failed" / "hills.txt").exists()
            relieve(disk)
            assert await daemon.eventually(lambda: delivered(disk, "hills.txt"), timeout_s=60)
            await hot_folder_is(daemon, "ok")
        assert settled(home, ["hills"], {"hills.txt": b"hills"}) == []


async def test_a_read_only_pictures_folder(home):
    with lockable(home / "pictures") as folder:
        async with running(home) as daemon:
            daemon.script(step_s=0.2)
            running_job = await daemon.submit("hills", **{**STILL, "steps": 5})
            await daemon.state_of(running_job.id, "running")
            folder.lock()
            jobs = [running_job, *[await daemon.submit(prompt, **STILL) for prompt in HILLS]]
            await paused(daemon, "folder_unwritable")
            await answers(daemon, "folder_unwritable")
            assert "failed" not in await states(daemon, jobs)
            folder.unlock()
            await all_done(daemon, jobs)
        assert settled(home, ["hills", *HILLS], {}) == []


async def test_a_start_on_a_read_only_pictures_folder(home):
    with lockable(home / "pictures") as folder:
        folder.lock()
        async with running(home) as daemon:
            job = await daemon.submit("hills", **STILL)
            await paused(daemon, "folder_unwritable")
            await answers(daemon, "folder_unwritable")
            folder.unlock()
            await all_done(daemon, [job])
        assert settled(home, ["hills"], {}) == []


async def test_a_read_only_hot_folder(home):
    with lockable(home / "hot") as folder:
        (home / "hot" / "hills.txt").write_text("hills")
        folder.lock()
        async with running(home) as daemon:
            await hot_folder_is(daemon, "unwritable")
            await answers(daemon, None)
            folder.unlock()
            assert await daemon.eventually(lambda: delivered(home / "hot", "hills.txt"), timeout_s=60)
        assert settled(home, ["hills"], {"hills.txt": b"hills"}) == []
