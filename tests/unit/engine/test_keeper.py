"""A process that dies, hangs, floods or lies costs one job; the daemon goes on."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tendred.errors import Cancelled, EngineDied, EngineMissing
from tendred.schema.work import Output


async def died(bench, job_id="job_1", **changes) -> str:
    with pytest.raises(EngineDied) as caught:
        await bench.draw(job_id, **changes)
    return str(caught.value.detail["problem"])


async def recovers(bench) -> None:
    """The next job is drawn by a new process, and the dead one left nothing behind."""
    bench.script()
    assert await bench.draw("job_after")
    assert len(bench.spawn.running) == 1


async def test_a_killed_process_is_named_with_its_signal(bench):
    bench.script(die_at_step=2)
    assert await died(bench) == "killed by SIGKILL"
    assert bench.topics() == ["engine.started", "model.loaded", "model.unloaded", "engine.died"]
    assert bench.events[-1][1]["problem"] == "killed by SIGKILL"
    await recovers(bench)


async def test_an_exit_is_named_with_its_status(bench):
    bench.script(die_at_step=2, exit_status=3)
    assert await died(bench) == "exit status 3"
    await recovers(bench)


async def test_pictures_sent_before_the_death_are_reported(bench):
    bench.script(die_at_step=6)
    seen = []

    async def read() -> None:
        async for report in bench.engine.run(bench.order(count=2, steps=4)):
            seen.append(report)  # noqa: PERF401  the loop raises; a comprehension would lose what came before

    with pytest.raises(EngineDied):
        await read()
    assert [report.index for report in seen if isinstance(report, Output)] == [0]


async def test_a_process_without_a_sign_of_life_is_killed(bench):
    bench.build(heartbeat_s=1.5)
    bench.script(hang_at_step=2)
    assert await died(bench) == "no sign of life for 1.5 s"
    await recovers(bench)


async def test_a_stopped_process_is_killed(bench):
    bench.build(heartbeat_s=20.0)
    bench.script(step_s=0.05)
    running = bench.begin(died(bench, steps=200))
    await bench.until(bench.engine.loaded)
    os.kill(bench.spawn.started[0].pid, signal.SIGSTOP)
    await asyncio.sleep(0.05)
    bench.clock.ahead += 21
    assert await running == "no sign of life for 20 s"
    await recovers(bench)


async def test_a_daemon_that_slept_itself_kills_nobody(bench):
    bench.build(heartbeat_s=20.0)
    bench.script(step_s=0.05)
    running = bench.begin(bench.draw(steps=40))
    await bench.until(bench.engine.loaded)
    bench.clock.ahead += 3600
    assert await running


async def test_a_process_that_is_never_ready_is_killed(bench):
    bench.build(start_timeout_s=0.3)
    bench.script(never_ready=True)
    assert await died(bench) == "not ready after 0.3 s"
    await recovers(bench)


async def test_text_in_the_pipe_ends_the_process(bench):
    bench.script(flood_at_step=2)
    assert await died(bench) == "it sent what is no frame"
    await recovers(bench)


async def test_half_a_frame_ends_the_process(bench):
    bench.script(half_frame_at_step=2)
    assert await died(bench) == "exit status 0"
    await recovers(bench)


async def test_a_flood_of_progress_is_thinned_out(bench):
    bench.script(chatter_at_step=2)
    seen = 0
    async for _ in bench.engine.run(bench.order()):
        seen += 1
        await asyncio.sleep(0.01)
    assert seen < 1000


@pytest.mark.parametrize(
    ("lie", "problem"),
    [("wrong_path", "a picture that nobody had asked for"), ("early_done", "done before every picture was there")],
)
async def test_a_process_that_lies_is_not_believed(bench, lie, problem):
    bench.script(**{lie: True})
    assert problem in await died(bench)
    await recovers(bench)


async def test_a_process_that_dies_idle_harms_no_job(bench):
    await bench.draw()
    bench.spawn.started[0].kill()
    await bench.until(lambda: bench.engine.state().state == "off")
    assert bench.topics()[-1] == "engine.died"
    await recovers(bench)


async def test_a_death_during_a_cancel_is_a_cancel(bench):
    bench.script(step_s=0.02, ignore_cancel=True)
    running = bench.begin(bench.draw(steps=200))
    await bench.until(bench.engine.loaded)
    await bench.engine.cancel("job_1")
    bench.spawn.started[0].kill()
    with pytest.raises(Cancelled):
        await running


# Restart policy


async def test_five_quick_deaths_make_it_unstable_for_half_a_minute(bench):
    bench.script(die_at_step=1)
    for number in range(5):
        assert not bench.engine.unstable
        await died(bench, f"job_{number}")
    assert bench.engine.unstable
    assert bench.engine.state().state == "unstable"
    waiting = bench.begin(bench.engine.wait_stable())
    job = bench.begin(bench.draw("job_patient"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert len(bench.spawn.started) == 5
    bench.script()
    bench.clock.ahead += 30
    await waiting
    assert await job
    assert not bench.engine.unstable


async def test_after_the_pause_one_more_quick_death_is_enough(bench):
    bench.script(die_at_start=True)
    for number in range(5):
        await died(bench, f"job_{number}")
    bench.clock.ahead += 30
    assert not bench.engine.unstable
    await died(bench, "job_5")
    assert bench.engine.unstable


async def test_a_life_of_ten_seconds_starts_the_count_anew(bench):
    bench.script(die_at_step=1)
    for number in range(4):
        await died(bench, f"job_{number}")
    bench.script()
    await bench.draw("job_long")
    bench.clock.ahead += 11
    bench.script(die_at_step=1)
    await died(bench, "job_4")
    assert not bench.engine.unstable


async def test_a_job_can_be_cancelled_while_the_engine_is_unstable(bench):
    bench.script(die_at_start=True)
    for number in range(5):
        await died(bench, f"job_{number}")
    waiting = bench.begin(bench.draw("job_x"))
    await asyncio.sleep(0.02)
    await bench.engine.cancel("job_x")
    bench.clock.ahead += 1
    with pytest.raises(Cancelled):
        await waiting
    assert bench.engine.unstable


# No torch


async def test_a_machine_without_torch_says_so_and_is_asked_again(bench):
    bench.script(missing="No module named 'torch'")
    for number in range(6):
        with pytest.raises(EngineMissing) as caught:
            await bench.draw(f"job_{number}")
        assert caught.value.detail["problem"] == "No module named 'torch'"
    assert bench.engine.state().state == "missing"
    assert bench.events == []
    await recovers(bench)
    assert bench.engine.state().state == "idle"
