"""Previews on the whole road: shown to whoever looks on, stored nowhere, and no part of the picture."""

import asyncio
import base64
from io import BytesIO

import pytest
from PIL import Image

from tendred.errors import NotFound


async def test_whoever_subscribes_sees_them_and_nobody_stores_them(daemon):
    daemon.script(step_s=0.02)
    subscription = daemon.studio.subscribe(["job.preview"])
    job = await daemon.submit("hills", steps=30)
    seen = []
    async with asyncio.timeout(20):
        while len(seen) < 3:
            event = await subscription.get()
            assert (event.seq, event.topic, event.job_id) == (None, "job.preview", job.id)
            seen.append(event.data["preview"])
    subscription.close()
    assert [one["done"] for one in seen] == sorted({one["done"] for one in seen})
    first = seen[0]
    assert (first["index"], first["total"], first["media_type"]) == (0, 30, "image/jpeg")
    data = base64.b64decode(first["data"])
    assert len(data) == first["bytes"] < 64 * 1024
    with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
        assert picture.size == (first["width"], first["height"]) == (4, 2)
        assert abs(picture.getpixel((0, 0))[0] - first["done"]) < 4
    done = await daemon.studio.wait(job.id, 20)
    assert done.state == "succeeded", done.error
    assert (await daemon.studio.events_since(1, ["job.preview"], 10)).events == []
    assert list(daemon.home.rglob("*preview*")) == []


async def test_the_picture_is_the_same_looked_at_or_not(daemon):
    jobs = []
    for topics in (["job.progress"], ["job."]):
        subscription = daemon.studio.subscribe(topics)
        jobs.append(await daemon.still("hills", seed=1))
        subscription.close()
    blind, watched = [await daemon.studio.asset(job.asset_ids[0]) for job in jobs]
    assert blind.pixels_sha256 == watched.pixels_sha256


async def test_who_asks_by_rpc_sees_the_newest_too(daemon):
    daemon.script(step_s=0.02)
    job = await daemon.submit("hills", steps=100)
    await daemon.state_of(job.id, "running")
    seen = []
    async with asyncio.timeout(20):
        while len(seen) < 3:
            if (preview := (await daemon.studio.preview(job.id, "ppm", 2)).preview) is not None:
                seen.append(preview)
            await asyncio.sleep(0.02)
    assert base64.b64decode(seen[0].data).startswith(b"P6\n2 1\n255\n")
    assert seen[-1].done > seen[0].done
    await daemon.studio.cancel(job.id)
    await daemon.studio.wait(job.id, 20)
    assert (await daemon.studio.preview(job.id, "ppm", 2)).preview is None
    with pytest.raises(NotFound):
        await daemon.studio.preview("job_none", "jpeg", 64)


async def test_after_the_end_none_comes(daemon):
    daemon.script(step_s=0.005)
    subscription = daemon.studio.subscribe(["job."])
    jobs = [await daemon.submit("hills", steps=10) for _ in range(3)]
    ended = set()
    async with asyncio.timeout(30):
        while len(ended) < 3:
            event = await subscription.get()
            assert event.job_id not in ended
            if event.topic == "job.succeeded":
                ended.add(event.job_id)
    assert ended == {job.id for job in jobs}
    await asyncio.sleep(0.2)
    assert not subscription._queue


async def test_a_preview_that_can_not_be_is_a_broken_word(daemon):
    daemon.script(bad_glimpse=True)
    subscription = daemon.studio.subscribe(["job.preview"])
    job = await daemon.still("hills")
    assert (job.state, job.engine_deaths) == ("parked", 2)
    assert "preview" in job.error.message
    subscription.close()
    assert (await daemon.still("hills")).state == "succeeded"
