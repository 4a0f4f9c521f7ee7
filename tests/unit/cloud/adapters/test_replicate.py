from __future__ import annotations

import asyncio
import dataclasses

import msgspec
import pytest

from tendred.clock import SystemClock
from tendred.errors import OutcomeUnknown
from tendred.testing.adapters import ORDER, ready
from tendred.testing.providers.faults import Fault


async def test_its_list_tells_what_became_of_a_submit_that_nobody_answered(open_pair):
    fake, adapter = await open_pair("replicate", faults=[Fault(where="submit", what="reset", accepted=True)])
    since = SystemClock().now()
    with pytest.raises(OutcomeUnknown):
        await adapter.submit(ORDER)
    await adapter.submit(msgspec.structs.replace(ORDER, prompt="Something else altogether"))
    await adapter.submit(msgspec.structs.replace(ORDER, seconds=8))
    [found] = await adapter.find(ORDER, since)
    assert found.remote_id == next(iter(fake.jobs))
    assert await adapter.find(ORDER, since + 3600) == []
    assert await adapter.find(msgspec.structs.replace(ORDER, model="ltx-2-3-pro"), since) == []
    assert fake.wrong == []


async def test_its_list_is_read_page_by_page(open_pair):
    fake, adapter = await open_pair("replicate")
    first = (await adapter.submit(ORDER)).remote_id
    for number in range(120):
        fake.jobs[f"other{number}"] = _other(fake, number)
    assert [one.remote_id for one in await adapter.find(ORDER, SystemClock().now() - 60)] == [first]
    assert len(fake.asked("list")) == 2


def _other(fake, number):
    job = next(iter(fake.jobs.values()))
    return dataclasses.replace(job, id=f"other{number}", asked={**job.asked, "prompt": f"other {number}"})


async def test_cancel_tells_the_truth(open_pair):
    fake, adapter = await open_pair("replicate", render_s=30.0)
    waiting = (await adapter.submit(ORDER)).remote_id
    assert await adapter.cancel(waiting) == "cancelled"
    state = await adapter.poll(waiting)
    assert (state.phase, state.raw, state.kind) == ("failed", "aborted", "cancelled")
    running = (await adapter.submit(ORDER)).remote_id
    fake.jobs[running].made_at -= 15
    assert await adapter.cancel(running) == "asked"
    assert (await adapter.poll(running)).raw == "canceled"
    assert await adapter.cancel("nope") == "too_late"


async def test_a_finished_one_is_too_late_to_cancel(open_pair):
    _, adapter = await open_pair("replicate")
    remote_id = (await adapter.submit(ORDER)).remote_id
    await ready(adapter, remote_id)
    await asyncio.sleep(0)
    assert await adapter.cancel(remote_id) == "too_late"


async def test_after_its_hour_the_output_is_gone(open_pair):
    fake, adapter = await open_pair("replicate")
    remote_id = (await adapter.submit(ORDER)).remote_id
    assert (await ready(adapter, remote_id)).phase == "ready"
    fake.jobs[remote_id].made_at -= 90_000
    assert (await adapter.poll(remote_id)).phase == "gone"


@pytest.mark.parametrize("size", [1_000, 300_000])
async def test_a_small_still_travels_inside_the_request(open_pair, tmp_path, size):
    fake, adapter = await open_pair("replicate")
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG" + bytes(size))
    uri = await adapter.upload(still, "image/png")
    assert uri.startswith("data:") is (size < 196_608)
    await adapter.submit(msgspec.structs.replace(ORDER, model="ltx-2-3-pro", first=uri))
    [job] = fake.jobs.values()
    assert (job.asked["task"], job.first) == ("image_to_video", still.read_bytes())
    assert fake.wrong == []
