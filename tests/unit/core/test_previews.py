"""Previews over a media process that only pretends: who sees which, and when nobody does."""

import asyncio
import base64

import pytest

from tendred.bus import Bus
from tendred.core.previews import LEASE_S, Previews
from tendred.errors import Internal
from tendred.schema.work import Preview, Shrunk
from tendred.tasks import Tasks


class Media:
    """Answers when it is let; `asked` is what it was asked for."""

    def __init__(self):
        self.asked = []
        self.go = asyncio.Event()
        self.go.set()
        self.broken = False
        self.size = 3

    async def shrink(self, work):
        self.asked.append(work)
        await self.go.wait()
        if self.broken:
            raise Internal(problem="gone")
        return Shrunk(data=work.rgb[:1] * self.size, media_type=f"image/{work.form}", width=1, height=1)


def preview(done):
    return Preview(index=0, done=done, total=9, width=1, height=1, rgb=bytes([done]) * 3)


@pytest.fixture
def media():
    return Media()


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
async def tasks():
    made = Tasks()
    yield made
    await made.stop()


@pytest.fixture
def previews(bus, media, tasks, clock):
    return Previews(bus=bus, media=media, tasks=tasks, clock=clock, boot_id="boot_1")


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def shown(subscription):
    """What a listener got so far."""
    return [event.data["preview"]["done"] for event in subscription._queue]


async def test_nobody_looks_on_so_nothing_is_made(previews, media, bus):
    bus.subscribe(["job.progress"])
    assert not previews.wanted
    previews.show("job_1", preview(1))
    await settle()
    assert media.asked == []


@pytest.mark.parametrize("topics", [["job.preview"], ["job."], []])
async def test_whoever_listens_is_shown_each(previews, bus, topics):
    subscription = bus.subscribe(topics)
    assert previews.wanted
    previews.show("job_1", preview(1))
    event = await subscription.get()
    assert (event.seq, event.topic, event.job_id) == (None, "job.preview", "job_1")
    told = event.data["preview"]
    assert base64.b64decode(told.pop("data")) == b"\x01\x01\x01"
    assert told == {
        "index": 0, "done": 1, "total": 9, "width": 1, "height": 1, "media_type": "image/jpeg", "bytes": 3,
    }  # fmt: skip
    subscription.close()
    assert not previews.wanted


async def test_while_one_is_on_its_way_only_the_newest_waits(previews, media, bus):
    subscription = bus.subscribe(["job.preview"])
    media.go.clear()
    for done in (1, 2, 3):
        previews.show("job_1", preview(done))
        await settle()
    media.go.set()
    await settle()
    assert [work.rgb[0] for work in media.asked] == [1, 3]
    assert shown(subscription) == [3]


async def test_after_the_end_of_its_job_none_comes(previews, media, bus):
    subscription = bus.subscribe(["job.preview"])
    media.go.clear()
    previews.show("job_1", preview(1))
    await settle()
    previews.forget("job_1")
    media.go.set()
    await settle()
    assert shown(subscription) == []
    assert await previews.latest("job_1", "jpeg", 256) is None


async def test_a_large_one_does_not_come(previews, media, bus):
    subscription = bus.subscribe(["job.preview"])
    media.size = 64 * 1024
    previews.show("job_1", preview(1))
    await settle()
    assert shown(subscription) == []


async def test_a_broken_media_process_costs_one_preview(previews, media, bus):
    subscription = bus.subscribe(["job.preview"])
    media.broken = True
    previews.show("job_1", preview(1))
    await settle()
    media.broken = False
    previews.show("job_1", preview(2))
    await settle()
    assert shown(subscription) == [2]


async def test_asking_is_looking_on_for_a_while(previews, media, clock):
    assert not previews.wanted
    assert await previews.latest("job_1", "ppm", 32) is None
    assert previews.wanted
    previews.show("job_1", preview(4))
    assert media.asked == []
    got = await previews.latest("job_1", "ppm", 32)
    assert (got.done, got.media_type, media.asked[0].side) == (4, "image/ppm", 32)
    clock.advance(LEASE_S)
    assert not previews.wanted
