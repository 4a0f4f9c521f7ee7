import pytest

from tendred.bus import Bus
from tendred.core.progress import Watch
from tendred.schema.work import Advance


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def watch(bus, clock):
    return Watch(bus, clock, "boot_1")


def sampling(done, total=10, **more):
    return Advance(phase="sampling", done=done, total=total, **more)


async def test_each_step_is_told_live_and_the_newest_is_kept(watch, bus):
    subscription = bus.subscribe(["job.progress"])
    watch.advance("job_1", sampling(1))
    watch.advance("job_1", sampling(2))
    event = await subscription.get()
    assert (event.seq, event.job_id, event.at) == (None, "job_1", "2026-01-01T00:00:00.000Z")
    assert event.data == {"progress": {"phase": "sampling", "done": 2, "total": 10, "eta_s": 0.0}}
    assert watch.get("job_1").done == 2
    assert watch.get("job_2") is None


async def test_the_time_left_follows_from_the_steps_so_far(watch, clock):
    watch.advance("job_1", sampling(0))
    assert watch.get("job_1").eta_s is None
    clock.advance(6)
    watch.advance("job_1", sampling(4))
    assert watch.get("job_1").eta_s == 9.0
    clock.advance(9)
    watch.advance("job_1", sampling(10))
    assert watch.get("job_1").eta_s == 0.0


async def test_a_new_phase_begins_the_count_anew(watch, clock):
    watch.advance("job_1", Advance(phase="loading", done=0, total=None))
    clock.advance(100)
    watch.advance("job_1", sampling(0))
    assert watch.get("job_1").eta_s is None
    clock.advance(1)
    watch.advance("job_1", sampling(5))
    assert watch.get("job_1").eta_s == 1.0
    watch.advance("job_1", Advance(phase="decoding", done=0, total=1))
    assert watch.get("job_1").eta_s is None


async def test_a_backend_may_tell_the_time_itself(watch):
    watch.advance("job_1", sampling(0, eta_s=3.5))
    assert watch.get("job_1").eta_s == 3.5
    watch.advance("job_2", Advance(phase="loading", done=0, total=None, eta_s=1.0))
    watch.advance("job_2", Advance(phase="loading", done=1, total=None, eta_s=0.5))
    assert watch.get("job_2").eta_s == 0.5


async def test_an_ended_job_leaves_nothing(watch, clock):
    watch.advance("job_1", sampling(0))
    watch.forget("job_1")
    watch.forget("job_1")
    assert watch.get("job_1") is None
    clock.advance(50)
    watch.advance("job_1", sampling(3))
    assert watch.get("job_1").eta_s is None
