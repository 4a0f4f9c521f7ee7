"""One daemon, all rooms: the road from a request to an asset."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from tendred.core.studio import Search
from tendred.errors import BoundaryRefused, InvalidParams, ModelMissing, NotFound, ShuttingDown, TooLarge


async def test_a_request_becomes_a_picture_a_row_and_a_receipt(daemon):
    job = await daemon.still("red hills under a blue sky", seed=5, tags=["first"])
    assert (job.state, job.attempts, job.engine_deaths, job.error) == ("succeeded", 1, 0, None)
    assert job.request["width"] == 128
    assert job.request["model"] == "starter"
    asset = await daemon.studio.asset(job.asset_ids[0])
    with Image.open(asset.path) as picture:
        assert picture.size == (128, 128)
        assert "red hills" in picture.text["parameters"]
        assert json.loads(picture.text["tendred"])["asset_id"] == asset.id
    receipt = await daemon.studio.receipt(asset.receipt_id)
    beside = Path(asset.path).with_suffix(".receipt.json")
    assert json.loads(beside.read_text())["id"] == receipt.id
    assert receipt.asked == {"prompt": "red hills under a blue sky", "seed": 5, "tags": ["first"]}
    assert [made.sha256 for made in receipt.made] == [asset.sha256]
    assert asset.tags == ["first"]
    found = await daemon.eventually_search("red hi")
    assert [one.id for one in found] == [asset.id]


async def test_the_same_recipe_gives_the_same_pixels(daemon):
    one, two, other = [await daemon.still("hills", seed=seed) for seed in (1, 1, 2)]
    pixels = [(await daemon.studio.asset(job.asset_ids[0])).pixels_sha256 for job in (one, two, other)]
    assert pixels[0] == pixels[1]
    assert pixels[0] != pixels[2]


async def test_a_count_is_one_job_with_one_receipt(daemon):
    job = await daemon.still("hills", seed=10, count=3, format="webp")
    assets = [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]
    assert [asset.seed for asset in assets] == [10, 11, 12]
    assert [asset.index for asset in assets] == [0, 1, 2]
    assert [Path(asset.path).name[-9:] for asset in assets] == ["-001.webp", "-002.webp", "-003.webp"]
    assert len({asset.receipt_id for asset in assets}) == 1
    receipts = list(Path(assets[0].path).parent.glob("*.receipt.json"))
    assert len(receipts) == 1
    assert len(json.loads(receipts[0].read_text())["made"]) == 3


async def test_files_are_private_and_staging_is_empty_afterwards(daemon):
    await daemon.still("hills")
    for folder, _, names in os.walk(daemon.home):
        for name in set(names) - {"engine-script.json"}:
            mode = (Path(folder) / name).stat().st_mode & 0o077
            assert mode == 0, f"{name} has group or other bits"
    staging = daemon.home / "pictures" / ".staging"
    assert await daemon.eventually(lambda: not [*staging.iterdir()])


async def test_a_refusal_makes_no_job_and_keeps_no_words(daemon):
    with pytest.raises(BoundaryRefused) as caught:
        await daemon.submit("a 15 year old at school")
    assert caught.value.detail["rule"].startswith("minor.")
    assert (await daemon.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs == []
    with sqlite3.connect(daemon.home / "data" / "tendred.db") as connection:
        rows = connection.execute("SELECT * FROM refusal").fetchall()
    connection.close()
    assert len(rows) == 1
    assert b"school" not in repr(rows).encode()
    events = await daemon.studio.events_since(1, ["boundary."], 10)
    assert [event.topic for event in events.events] == ["boundary.refused"]
    assert "school" not in repr(events)


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"width": 100}, InvalidParams, "width"),
        ({"model": "nosuch"}, ModelMissing, None),
        ({"scheduler": "magic"}, InvalidParams, "scheduler"),
        ({"character": "nobody"}, NotFound, "character"),
        ({"negative_prompt": "x" * 9000}, TooLarge, "negative_prompt"),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(daemon, fields, kind, path):
    with pytest.raises(kind) as caught:
        await daemon.submit("hills", **fields)
    assert caught.value.path == path


async def test_an_idempotency_key_makes_one_job(daemon):
    one = await daemon.submit("hills", key="rpc:t:k")
    two = await daemon.submit("hills", key="rpc:t:k")
    assert one.id == two.id


async def test_cancel_in_any_state(daemon):
    daemon.script(step_s=0.05)
    running = await daemon.submit("hills", steps=100)
    waiting = await daemon.submit("hills")
    assert (await daemon.studio.cancel(waiting.id)).state == "cancelled"
    assert (await daemon.studio.cancel(waiting.id)).state == "cancelled"
    await daemon.state_of(running.id, "running")
    await daemon.studio.cancel(running.id)
    assert (await daemon.studio.wait(running.id, 20)).state == "cancelled"
    assert (await daemon.still("hills", steps=1)).state == "succeeded"


async def test_an_engine_that_dies_once_is_forgiven_twice_is_parked(daemon):
    daemon.script(die_at_step=1, die_times=1)
    once = await daemon.still("hills")
    assert (once.state, once.engine_deaths) == ("succeeded", 1)
    daemon.script(die_at_step=1)
    twice = await daemon.still("hills")
    assert (twice.state, twice.engine_deaths) == ("parked", 2)
    assert twice.error is not None
    assert twice.error.kind == "engine_died"
    assert (await daemon.studio.cancel(twice.id)).state == "cancelled"


async def test_out_of_memory_is_the_jobs_failure(daemon):
    daemon.script(oom=True)
    job = await daemon.still("hills")
    assert (job.state, job.error.kind) == ("failed", "out_of_memory")


async def test_a_withheld_output_is_never_published(daemon):
    daemon.script(findings=[{"check": "test", "rule": "output.test", "refuse": True}])
    job = await daemon.still("hills")
    assert (job.state, job.error.kind, job.asset_ids) == ("failed", "output_withheld", [])
    assert not [path for path in (daemon.home / "pictures").rglob("*") if path.is_file()]


async def test_pause_and_resume_survive_a_restart(make_daemon):
    daemon = await make_daemon()
    await daemon.studio.pause(mode="drain", unload=False)
    job = await daemon.submit("hills")
    await daemon.stop()
    again = await make_daemon(home=daemon.home)
    status = await again.studio.queue_status()
    assert (status.paused, status.reason) == (True, "user")
    assert (await again.studio.job(job.id)).state == "queued"
    await again.studio.resume()
    assert (await again.studio.wait(job.id, 20)).state == "succeeded"


async def test_pause_now_puts_the_running_job_back_uncounted(daemon):
    daemon.script(step_s=0.05)
    job = await daemon.submit("hills", steps=100)
    await daemon.state_of(job.id, "running")
    await daemon.studio.pause(mode="now", unload=True)
    back = await daemon.studio.job(job.id)
    assert (back.state, back.attempts) == ("queued", 0)
    assert (await daemon.studio.status()).engine.state == "off"
    daemon.script()
    await daemon.studio.resume()
    assert (await daemon.studio.wait(job.id, 20)).state == "succeeded"


async def test_pause_now_and_resume_at_once_runs_the_job_once(daemon):
    daemon.script(step_s=0.02)
    job = await daemon.submit("hills", steps=50)
    await daemon.state_of(job.id, "running")
    pausing = asyncio.create_task(daemon.studio.pause(mode="now", unload=False))
    while not (await daemon.studio.queue_status()).paused:
        await asyncio.sleep(0)
    await daemon.studio.resume()
    await asyncio.wait_for(pausing, 10)
    done = await daemon.studio.wait(job.id, 20)
    requeued = (await daemon.studio.events_since(1, ["job.requeued"], 50)).events
    assert done.state == "succeeded"
    assert len(requeued) <= 1


async def test_a_draining_pause_lets_the_job_finish_and_then_gives_the_memory_back(daemon):
    daemon.script(step_s=0.02)
    job = await daemon.submit("hills", steps=30)
    await daemon.state_of(job.id, "running")
    assert await daemon.eventually(lambda: daemon.studio.loaded().loaded)
    status = await daemon.studio.pause(mode="drain", unload=True)
    assert (status.paused, status.counts["running"]) == (True, 1)
    assert (await daemon.studio.wait(job.id, 20)).state == "succeeded"
    assert await daemon.eventually(lambda: daemon.studio._p.residency.state().state == "off")


@pytest.mark.parametrize(("start", "paused"), [("run", False), ("paused", True)])
async def test_a_start_may_be_set_to_run_or_to_wait(make_daemon, start, paused):
    daemon = await make_daemon()
    if start == "run":
        await daemon.studio.pause(mode="drain", unload=False)
    await daemon.stop()
    again = await make_daemon(f"queue.start={start}", home=daemon.home)
    status = await again.studio.queue_status()
    assert (status.paused, status.reason) == (paused, "start" if paused else None)
    job = await again.submit("hills")
    await again.studio.resume()
    assert (await again.studio.wait(job.id, 20)).state == "succeeded"


async def test_moves_survive_a_restart_and_decide_who_is_next(make_daemon):
    daemon = await make_daemon()
    await daemon.studio.pause(mode="drain", unload=False)
    jobs = [await daemon.submit("hills", steps=1) for _ in range(4)]
    await daemon.studio.move(jobs[0].id, "last")
    await daemon.studio.move(jobs[3].id, "first")
    moved = await daemon.studio.move(jobs[2].id, jobs[1].id)
    assert (moved.position, moved.eta_s) == (1, None)
    await daemon.stop()
    again = await make_daemon(home=daemon.home)
    wanted = [jobs[number].id for number in (3, 2, 1, 0)]
    assert [(await again.studio.job(job_id)).position for job_id in wanted] == [0, 1, 2, 3]
    await again.studio.resume()
    for job in jobs:
        assert (await again.studio.wait(job.id, 20)).state == "succeeded"
    assert [event.job_id for event in (await again.studio.events_since(1, ["job.started"], 10)).events] == wanted
    assert len((await again.studio.events_since(1, ["job.moved"], 10)).events) == 3


async def test_who_waits_is_told_how_long_once_the_model_was_measured(daemon):
    daemon.script(step_s=0.05)
    await daemon.still("hills", steps=4)
    running = await daemon.submit("hills", steps=100)
    waiting = await daemon.submit("hills", steps=4)
    assert (await daemon.studio.job(waiting.id)).eta_s > 0
    assert (await daemon.studio.queue_status()).eta_s > 0
    [listed] = (await daemon.studio.jobs(state=None, kind=None, limit=1, cursor=None)).jobs
    assert listed.eta_s > 0
    await daemon.studio.pause(mode="drain", unload=False)
    assert (await daemon.studio.job(waiting.id)).eta_s is None
    assert (await daemon.studio.queue_status()).eta_s is None
    await daemon.studio.cancel(running.id)


async def test_jobs_that_ended_long_ago_are_forgotten_and_their_pictures_are_not(make_daemon):
    daemon = await make_daemon()
    job, recent = await daemon.still("red hills"), await daemon.still("blue hills")
    await daemon.stop()
    with sqlite3.connect(daemon.home / "data" / "tendred.db") as connection:
        connection.execute("UPDATE job SET finished_at = finished_at - 172800 WHERE id = ?", (job.id,))
    connection.close()
    again = await make_daemon("queue.history_days=1", home=daemon.home)
    async with asyncio.timeout(20):
        while len((await again.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs) == 2:
            await asyncio.sleep(0.05)
    with pytest.raises(NotFound):
        await again.studio.job(job.id)
    asset = await again.studio.asset(job.asset_ids[0])
    assert (asset.state, asset.job_id) == ("kept", job.id)
    assert (await again.studio.receipt(asset.receipt_id)).job_id == job.id
    kept = {event.job_id for event in (await again.studio.events_since(1, ["job."], 50)).events}
    assert kept == {recent.id}


async def test_a_seal_opens_nothing_for_another_job(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    one, other = await daemon.submit("red hills"), await daemon.submit("blue hills")
    with sqlite3.connect(daemon.home / "data" / "tendred.db") as connection:
        connection.execute(
            "UPDATE job SET (sealed_request, mac) = (SELECT sealed_request, mac FROM job WHERE id = ?) WHERE id = ?",
            (one.id, other.id),
        )
    connection.close()
    await daemon.studio.resume()
    assert (await daemon.studio.wait(one.id, 20)).state == "succeeded"
    done = await daemon.studio.wait(other.id, 20)
    assert (done.state, done.error.kind, done.asset_ids) == ("failed", "internal", [])


async def test_a_refused_name_is_named(daemon):
    with pytest.raises(BoundaryRefused) as caught:
        await daemon.submit("red hills", tags=["nice", "schoolgirl"])
    assert caught.value.path == "tags[1]"


async def test_a_side_far_over_the_models_own_is_refused(daemon):
    with pytest.raises(InvalidParams) as caught:
        await daemon.submit("hills", width=4096)
    assert caught.value.path == "width"


async def test_a_stop_puts_the_running_job_back_and_takes_nothing_more(make_daemon):
    daemon = await make_daemon("daemon.drain_s=0.1")
    daemon.script(step_s=0.05)
    job = await daemon.submit("hills", steps=200)
    await daemon.state_of(job.id, "running")
    daemon.studio.stop(drain=True)
    with pytest.raises(ShuttingDown):
        await daemon.submit("hills")
    await daemon.stop()
    again = await make_daemon(home=daemon.home)
    again.script()
    done = await again.studio.wait(job.id, 20)
    assert done.state == "succeeded"
    assert not (daemon.home / "runtime" / "tendred.json").exists() or again.url


async def test_lanes_decide_who_is_next(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    jobs = [await daemon.submit("hills", lane=lane) for lane in ("idle", "normal", "interactive")]
    await daemon.studio.resume()
    for job in jobs:
        await daemon.studio.wait(job.id, 20)
    events = await daemon.studio.events_since(1, ["job.started"], 10)
    assert [event.job_id for event in events.events] == [jobs[2].id, jobs[1].id, jobs[0].id]


async def test_every_state_change_is_one_event_in_order(daemon):
    job = await daemon.still("hills")
    events = (await daemon.studio.events_since(1, ["job.", "asset."], 50)).events
    mine = [event.topic for event in events if event.job_id == job.id]
    assert mine == ["job.queued", "job.started", "asset.kept", "job.output", "job.succeeded"]
    seqs = [event.seq for event in (await daemon.studio.events_since(1, [], 500)).events]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_progress_is_live_and_newest_wins(daemon):
    daemon.script(step_s=0.02)
    subscription = daemon.studio.subscribe(["job.progress"])
    job = await daemon.submit("hills", steps=10)
    event = await asyncio.wait_for(subscription.get(), 20)
    assert (event.seq, event.job_id) == (None, job.id)
    done = await daemon.studio.wait(job.id, 20)
    assert done.progress is None
    subscription.close()


async def test_check_stores_nothing(daemon):
    verdict = await daemon.studio.check("a 15 year old", "", character=None, loras=[], kind="still", lang="fr")
    assert verdict.verdict == "refuse"
    assert verdict.span is not None
    assert (await daemon.studio.events_since(1, ["boundary."], 10)).events == []


async def test_removed_and_restored(daemon):
    job = await daemon.still("hills")
    await daemon.studio.remove_asset(job.asset_ids[0])
    assert (await daemon.studio.search(Search())).assets == []
    restored = await daemon.studio.restore_asset(job.asset_ids[0])
    assert restored.state == "kept"
