import asyncio

from tendred.bus import Bus
from tendred.schema.event import Event


def event(topic, seq=None, job_id="job_1", **data):
    return Event(seq=seq, boot_id="boot_1", at="", topic=topic, job_id=job_id, data=data)


async def drain(subscription, count):
    return [await subscription.get() for _ in range(count)]


async def test_topics_are_prefixes_and_none_means_all():
    bus = Bus()
    jobs, everything = bus.subscribe(["job.", "asset.kept"]), bus.subscribe()
    told = [event("job.queued", 1), event("queue.paused", 2), event("asset.kept", 3), event("asset.removed", 4)]
    for one in told:
        bus.publish(one)
    assert await drain(everything, 4) == told
    assert await drain(jobs, 2) == [told[0], told[2]]


async def test_progress_never_piles_up_and_the_newest_wins():
    bus = Bus()
    subscription = bus.subscribe(limit=4)
    bus.publish(event("job.started", 1))
    for done in range(1000):
        bus.publish(event("job.progress", done=done))
        bus.publish(event("job.progress", job_id="job_2", done=done))
    assert not subscription.lagged
    first, one, two = await drain(subscription, 3)
    assert first.topic == "job.started"
    assert [(last.job_id, last.data) for last in (one, two)] == [("job_1", {"done": 999}), ("job_2", {"done": 999})]


async def test_progress_does_not_jump_over_what_happened_before_it():
    bus = Bus()
    subscription = bus.subscribe()
    bus.publish(event("job.progress", done=1))
    bus.publish(event("job.output", 1))
    bus.publish(event("job.progress", done=2))
    assert [one.topic for one in await drain(subscription, 2)] == ["job.output", "job.progress"]


async def test_a_listener_that_falls_behind_is_told_so_and_gets_nothing_more():
    bus = Bus()
    slow, quick = bus.subscribe(limit=3), bus.subscribe(limit=100)
    for seq in range(1, 5):
        bus.publish(event("job.queued", seq))
    assert slow.lagged
    assert await slow.get() is None
    bus.publish(event("job.queued", 5))
    assert await slow.get() is None
    assert [one.seq for one in await drain(quick, 5)] == [1, 2, 3, 4, 5]
    assert not quick.lagged


async def test_a_full_queue_still_takes_progress():
    bus = Bus()
    subscription = bus.subscribe(limit=1)
    bus.publish(event("job.started", 1))
    bus.publish(event("job.progress", done=1))
    assert not subscription.lagged
    assert [one.topic for one in await drain(subscription, 2)] == ["job.started", "job.progress"]


async def test_closing_wakes_whoever_waits_and_ends_the_telling():
    bus = Bus()
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(subscription.get())
    await asyncio.sleep(0)
    subscription.close()
    subscription.close()
    assert await waiting is None
    bus.publish(event("job.queued", 1))
    assert await subscription.get() is None


async def test_an_event_wakes_a_listener_that_waits():
    bus = Bus()
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(subscription.get())
    await asyncio.sleep(0)
    bus.publish(event("job.queued", 1))
    assert (await waiting).seq == 1


async def test_whether_anybody_listens():
    bus = Bus()
    assert not bus.wanted("job.preview")
    one, all_ = bus.subscribe(["job.progress"]), bus.subscribe(limit=1)
    assert bus.wanted("job.preview")
    bus.publish(event("job.queued", 1))
    bus.publish(event("job.started", 2))
    # Whoever lags hears nothing any more.
    assert all_.lagged
    assert not bus.wanted("job.preview")
    assert bus.wanted("job.progress")
    one.close()
    assert not bus.wanted("job.progress")
