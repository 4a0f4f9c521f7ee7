"""Jobs that are drawn in one go, over the whole road. tests/engine/test_together.py draws them with a real model."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tendred.core.studio import Wish
from tendred.schema.asset import Receipt
from tendred.schema.job import Origin
from tendred.schema.work import Finding
from tendred.testing.daemon import TestDaemon, quiet

FREE = {"width": 64, "height": 64, "steps": 4, "reproducible": False}


async def waiting(daemon, *requests):
    """Jobs that wait, by their words: the queue is paused until they are all there."""
    await daemon.studio.pause(mode="drain", unload=False)
    jobs = [await daemon.submit(f"{number} hills", **{**FREE, **one}) for number, one in enumerate(requests)]
    await daemon.studio.resume()
    return jobs


async def ended(daemon, jobs):
    return await asyncio.gather(*(daemon.studio.wait(job.id, 40) for job in jobs))


async def assets(daemon, jobs):
    return [[await daemon.studio.asset(asset_id) for asset_id in job.asset_ids] for job in jobs]


async def sizes(daemon, jobs):
    return [[asset.engine.batch_size for asset in of_one] for of_one in await assets(daemon, jobs)]


async def test_each_has_its_own_pictures_receipt_and_events(daemon):
    jobs = await waiting(daemon, {"seed": 1}, {"seed": 5, "count": 2, "tags": ["b"], "format": "webp"}, {"seed": 9})
    done = await ended(daemon, jobs)
    assert [job.state for job in done] == ["succeeded"] * 3
    assert await sizes(daemon, done) == [[4], [4, 4], [4]]
    for job, of_one in zip(done, await assets(daemon, done), strict=True):
        assert [asset.job_id for asset in of_one] == [job.id] * len(of_one)
        assert [asset.seed for asset in of_one] == [job.request["seed"] + at for at in range(len(of_one))]
        receipt = await daemon.studio.receipt(of_one[0].receipt_id)
        assert (receipt.job_id, receipt.engine.batch_size) == (job.id, 4)
        assert receipt.settings["reproducible"] is False
        file = Path(of_one[0].path).with_name(Path(of_one[0].path).stem.removesuffix("-001") + ".receipt.json")
        assert msgspec.json.decode(file.read_bytes(), type=Receipt).id == receipt.id
    assert len({asset.pixels_sha256 for of_one in await assets(daemon, done) for asset in of_one}) == 4
    page = await daemon.studio.events_since(0, ["job.succeeded", "job.started"], 100)
    told = [(event.topic, event.job_id) for event in page.events]
    assert sorted(told) == sorted((topic, job.id) for job in jobs for topic in ("job.started", "job.succeeded"))
    assert [topic for topic, _ in told[:3]] == ["job.started"] * 3


async def test_who_wants_it_once_more_is_drawn_alone_and_gets_it(daemon):
    jobs = await waiting(daemon, {"reproducible": True}, {"reproducible": True}, {})
    done = await ended(daemon, jobs)
    assert await sizes(daemon, done) == [[1], [1], [1]]
    wish = Wish(origin=Origin(door="rpc"), asked={}, key=None)
    [[first], _, [alone]] = await assets(daemon, done)
    # One that might have had company and had none can be promised as well.
    for asset in (first, alone):
        assert (await daemon.studio.again(asset.id, wish, dry_run=True, insist=False)).promised


async def test_once_more_cant_be_promised_and_is_said_before(daemon):
    done = await ended(daemon, await waiting(daemon, {}, {}))
    [[asset], _] = await assets(daemon, done)
    wish = Wish(origin=Origin(door="rpc"), asked={"again": 1}, key=None)
    answer = await daemon.studio.again(asset.id, wish, dry_run=False, insist=False)
    assert (answer.promised, answer.job) == (False, None)
    assert [(one.what, one.then, one.now) for one in answer.differences] == [("batch_size", 2, 1)]
    made = await daemon.studio.again(asset.id, wish, dry_run=False, insist=True)
    job = await daemon.studio.wait(made.job.id, 20)
    assert (job.state, job.again.promised, job.again.equal) == ("succeeded", False, False)
    assert job.request["reproducible"] is True


async def test_one_is_cancelled_and_the_others_go_on(daemon):
    daemon.script(step_s=0.1)
    jobs = await waiting(daemon, *[{"steps": 30}] * 3)
    for job in jobs:
        await daemon.state_of(job.id, "running")
    await daemon.studio.cancel(jobs[1].id)
    cancelled = await daemon.studio.wait(jobs[1].id, 20)
    assert (cancelled.state, cancelled.asset_ids) == ("cancelled", [])
    assert [(await daemon.studio.job(job.id)).state for job in (jobs[0], jobs[2])] == ["running"] * 2
    done = await ended(daemon, [jobs[0], jobs[2]])
    assert [job.state for job in done] == ["succeeded"] * 2


async def test_progress_and_previews_are_told_of_each(daemon):
    daemon.script(step_s=0.05)
    told = daemon.studio.subscribe(["job.progress", "job.preview"])
    jobs = await waiting(daemon, *[{"steps": 20}] * 2)
    wanted = {(topic, job.id) for topic in ("job.progress", "job.preview") for job in jobs}
    async with asyncio.timeout(30):
        while wanted:
            event = await told.get()
            wanted.discard((event.topic, event.job_id))
    told.close()
    await ended(daemon, jobs)


async def test_an_engine_that_dies_of_them_gets_them_one_by_one(daemon):
    daemon.script(die_together=True)
    done = await ended(daemon, await waiting(daemon, {"count": 2}, {}, {}))
    assert [(job.state, job.attempts, job.engine_deaths) for job in done] == [("succeeded", 2, 1)] * 3
    # Not even the pictures of one job go together then.
    assert await sizes(daemon, done) == [[1, 1], [1], [1]]
    assert len((await daemon.studio.events_since(0, ["engine.died"], 100)).events) == 1


async def test_without_memory_for_all_of_them_each_is_drawn_by_itself(daemon):
    daemon.script(alone=True)
    done = await ended(daemon, await waiting(daemon, {}, {}))
    assert [(job.state, job.attempts) for job in done] == [("succeeded", 1)] * 2
    assert await sizes(daemon, done) == [[1], [1]]


async def test_what_is_wrong_with_one_is_its_own_affair(daemon):
    """A picture that is withheld fails its job, and only that."""
    daemon.script(findings=[], step_s=0.1)
    jobs = await waiting(daemon, *[{"steps": 10}] * 2)
    done = await ended(daemon, jobs)
    assert [job.state for job in done] == ["succeeded"] * 2
    daemon.script(findings=[msgspec.to_builtins(Finding(check="c", rule="r", refuse=True))])
    withheld = await ended(daemon, await waiting(daemon, {"seed": 1}, {"seed": 2}))
    assert [(job.state, job.error.kind) for job in withheld] == [("failed", "output_withheld")] * 2


async def test_a_pause_puts_all_of_them_back(daemon):
    daemon.script(step_s=0.1)
    jobs = await waiting(daemon, *[{"steps": 30}] * 2)
    for job in jobs:
        await daemon.state_of(job.id, "running")
    await daemon.studio.pause(mode="now", unload=False)
    assert [((one := await daemon.studio.job(job.id)).state, one.attempts) for job in jobs] == [("queued", 0)] * 2
    daemon.script()
    await daemon.studio.resume()
    done = await ended(daemon, jobs)
    assert await sizes(daemon, done) == [[2], [2]]


@pytest.mark.parametrize("pictures_before", [0, 1])
async def test_a_daemon_that_goes_away_loses_and_doubles_none(tmp_path, pictures_before):
    home = tmp_path / "home"
    first = await TestDaemon.start(home, [*quiet(), "daemon.drain_s=0"])
    first.script(step_s=0.05)
    jobs = await waiting(first, *[{"steps": 20, "count": 10 if pictures_before else 1}] * (1 if pictures_before else 3))
    async with asyncio.timeout(30):
        while len((await first.studio.job(jobs[0].id)).asset_ids) < pictures_before:
            await asyncio.sleep(0.01)
        for job in jobs:
            await first.state_of(job.id, "running")
    await first.stop()
    other = await TestDaemon.start(home, quiet())
    try:
        other.script()
        done = await ended(other, jobs)
        assert [job.state for job in done] == ["succeeded"] * len(jobs)
        assert [len(job.asset_ids) for job in done] == [job.request["count"] for job in jobs]
        pictures = [asset for of_one in await assets(other, done) for asset in of_one]
        assert len({asset.path for asset in pictures}) == len(pictures)
        files = {str(file) for file in other.daemon.paths.pictures.rglob("*.png")}
        assert files == {asset.path for asset in pictures}
    finally:
        await other.stop()
