"""The engine over a stand-in process that behaves: what a job sees, what the daemon sees."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from tendred import __version__
from tendred.errors import (
    Cancelled,
    EngineDied,
    EngineMissing,
    Internal,
    ModelMissing,
    OutOfMemory,
    ShuttingDown,
    UnsupportedParameter,
)
from tendred.schema.work import Advance, Finding, LoraFile, Output, Preview
from tendred.testing.orders import STILL, review


def check_raw(bench, out: Output) -> None:
    raw = Path(out.path)
    assert raw == bench.staging / f"job_1-{out.index}.rgb"
    assert hashlib.sha256(raw.read_bytes()).hexdigest() == out.pixels_sha256
    assert raw.stat().st_size == out.width * out.height * 3 == 64 * 64 * 3
    assert stat.S_IMODE(raw.stat().st_mode) == 0o600


async def test_an_order_ends_with_its_pictures_in_staging(bench):
    reports = [report async for report in bench.engine.run(bench.order(count=2))]
    outputs = [report for report in reports if isinstance(report, Output)]
    assert [(out.index, out.seed) for out in outputs] == [(0, 7), (1, 8)]
    for out in outputs:
        check_raw(bench, out)
    assert outputs[0].pixels_sha256 != outputs[1].pixels_sha256
    assert reports[0] == Advance(phase="loading", done=0, total=None)


async def test_only_the_asked_indices_are_drawn(bench):
    whole = await bench.draw(count=3)
    order = msgspec.structs.replace(bench.order("job_2", count=3), indices=[2])
    (last,) = [report async for report in bench.engine.run(order) if isinstance(report, Output)]
    assert (last.index, last.pixels_sha256) == (2, whole[2].pixels_sha256)


async def test_progress_counts_over_all_pictures_and_tells_the_time_left(bench):
    bench.script(step_s=0.01)
    reports = [report async for report in bench.engine.run(bench.order(count=2, steps=5))]
    steps = [report for report in reports if isinstance(report, Advance) and report.phase == "sampling"]
    assert {step.total for step in steps} == {10}
    # The newest progress replaces one that nobody has read yet, so that the last step may not show.
    assert steps[-1].done >= 8
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert any(step.eta_s is not None and step.eta_s > 0 for step in steps)


async def test_the_process_stays_between_jobs_and_its_state_is_told(bench):
    assert bench.engine.state().state == "off"
    assert bench.engine.loaded() == []
    bench.script(step_s=0.01)
    async with aclosing(bench.engine.run(bench.order())) as reports:
        await bench.first_step(reports)
        assert bench.engine.state().state == "busy"
        (model,) = bench.engine.loaded()
        assert (model.model, model.busy, model.expires_at) == ("starter", True, None)
    state = bench.engine.state()
    assert (state.state, state.device, state.model) == ("idle", "cpu", "starter")
    assert state.pid == bench.spawn.started[0].pid
    (model,) = bench.engine.loaded()
    assert model.busy is False
    assert model.expires_at is not None
    await bench.draw("job_2")
    assert len(bench.spawn.started) == 1
    assert bench.topics() == ["engine.started", "model.loaded"]
    assert bench.events[1][1]["model"]["model"] == "starter"


async def test_two_runs_at_once_take_turns(bench):
    bench.script(step_s=0.01)
    first, second = await asyncio.gather(bench.draw("job_1"), bench.draw("job_2"))
    assert first[0].pixels_sha256 == second[0].pixels_sha256
    assert len(bench.spawn.started) == 1


async def test_another_model_takes_the_place_of_the_first(bench):
    await bench.draw()
    await bench.draw("job_2", model="other")
    assert [model.model for model in bench.engine.loaded()] == ["other"]
    assert bench.topics() == ["engine.started", "model.loaded", "model.unloaded", "model.loaded"]


async def test_findings_come_along(bench):
    finding = Finding(check="skin", rule="adult_anchor", refuse=True)
    bench.script(findings=[finding])
    (out,) = await bench.draw()
    assert out.findings == [finding]


# Cancel


async def test_a_cancel_stops_within_the_process(bench):
    bench.script(step_s=0.01)
    reports = bench.engine.run(bench.order(steps=200))
    await bench.first_step(reports)
    await bench.engine.cancel("job_1")
    await bench.engine.cancel("job_1")
    with pytest.raises(Cancelled):
        [_ async for _ in reports]
    assert await bench.draw("job_2")
    assert len(bench.spawn.started) == 1


async def test_a_process_that_ignores_a_cancel_is_killed(bench):
    bench.build(cancel_grace_s=0.05)
    bench.script(step_s=0.02, ignore_cancel=True)
    reports = bench.engine.run(bench.order(steps=200))
    await bench.first_step(reports)
    await bench.engine.cancel("job_1")
    with pytest.raises(Cancelled):
        [_ async for _ in reports]
    assert bench.spawn.running == []
    assert "engine.died" not in bench.topics()
    bench.script()
    assert await bench.draw("job_2")


async def test_a_cancel_while_the_process_starts_is_at_once(bench):
    bench.script(never_ready=True)
    running = bench.begin(bench.draw())
    await bench.until(lambda: bench.engine.state().state == "starting")
    await bench.engine.cancel("job_1")
    with pytest.raises(Cancelled):
        await running


async def test_a_waiting_job_can_be_cancelled(bench):
    bench.script(step_s=0.01)
    first = bench.begin(bench.draw("job_1", steps=30))
    await bench.until(lambda: bench.engine.state().state == "busy")
    second = bench.begin(bench.draw("job_2"))
    await asyncio.sleep(0)
    await bench.engine.cancel("job_2")
    with pytest.raises(Cancelled):
        await second
    assert await first


async def test_an_unknown_job_is_nobodys_business(bench):
    await bench.engine.cancel("job_unknown")
    assert bench.spawn.started == []


async def test_a_reader_that_leaves_early_leaves_nothing_running(bench):
    bench.script(step_s=0.01)
    async with aclosing(bench.engine.run(bench.order(steps=200))) as reports:
        await bench.first_step(reports)
    assert bench.engine.state().state == "idle"
    bench.script()
    assert await bench.draw("job_2")
    assert len(bench.spawn.started) == 1


async def test_a_reader_that_is_cancelled_twice_kills(bench):
    bench.script(step_s=0.02, ignore_cancel=True)
    running = bench.begin(bench.draw(steps=200))
    await bench.until(lambda: bench.engine.state().state == "busy")
    await bench.until(bench.engine.loaded)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await bench.until(lambda: not bench.spawn.running)


# Errors the process survives


async def test_out_of_memory_says_what_would_fit(bench):
    bench.script(oom=True)
    with pytest.raises(OutOfMemory) as caught:
        await bench.draw()
    assert caught.value.detail == {"needed_bytes": 8 * 2**30, "free_bytes": 2**30, "would_fit": "768 x 768"}
    bench.script()
    assert await bench.draw("job_2")
    assert len(bench.spawn.started) == 1


async def test_errors_come_back_with_kind_variant_and_path(bench):
    with pytest.raises(UnsupportedParameter) as unknown:
        await bench.draw(scheduler="magic")
    assert unknown.value.path == "scheduler"
    bench.model.rmdir()
    with pytest.raises(ModelMissing) as gone:
        await bench.draw("job_2")
    assert (gone.value.variant, gone.value.detail["folder"]) == ("gone", str(bench.model))


async def test_an_order_without_a_sound_seal_is_refused_by_the_process(bench):
    # A reseal that seals nothing: what a mistake in the daemon would look like to the process.
    bench.engine._reseal = lambda reviewed, _key: reviewed
    with pytest.raises(Internal) as caught:
        await bench.draw()
    assert caught.value.detail == {"problem": "seal"}
    assert list(bench.staging.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [{"model": "other"}, {"indices": [0, 1]}, {"indices": [-1]}, {"loras": [LoraFile(name="ink", path="/ink")]}],
)
async def test_an_order_that_says_more_than_its_seal_is_refused(bench, changes):
    order = msgspec.structs.replace(bench.order(), **changes)
    with pytest.raises(Internal) as caught:
        [_ async for _ in bench.engine.run(order)]
    assert caught.value.detail == {"problem": "seal"}


async def test_a_seal_of_another_key_never_reaches_the_process(bench):
    from tendred.boundary.seal import SealBroken

    order = msgspec.structs.replace(bench.order(), reviewed=review(STILL, key=b"x" * 32))
    with pytest.raises(SealBroken):
        [_ async for _ in bench.engine.run(order)]
    assert await bench.draw("job_2")


# Memory given back


async def test_the_idle_process_ends_after_keep_alive(bench):
    await bench.draw(keep_alive_s=100.0)
    bench.clock.ahead += 50
    await bench.draw("job_2", keep_alive_s=100.0)
    bench.clock.ahead += 99
    await asyncio.sleep(0.05)
    assert bench.engine.state().state == "idle"
    bench.clock.ahead += 2
    await bench.until(lambda: bench.engine.state().state == "off")
    assert bench.spawn.started[0].returncode == 0
    assert bench.topics()[-2:] == ["model.unloaded", "engine.stopped"]


async def test_keep_alive_zero_ends_with_the_job(bench):
    await bench.draw(keep_alive_s=0.0)
    assert bench.spawn.running == []
    assert bench.engine.loaded() == []


async def test_keep_alive_minus_one_stays_until_unloaded(bench):
    await bench.draw(keep_alive_s=-1.0)
    bench.clock.ahead += 1_000_000
    await asyncio.sleep(0.05)
    (model,) = bench.engine.loaded()
    assert model.expires_at is None
    assert await bench.engine.unload(None) == ["starter"]
    assert bench.spawn.running == []
    assert bench.engine.state().state == "off"


async def test_unload_by_name_keeps_the_process(bench):
    await bench.draw(keep_alive_s=-1.0)
    assert await bench.engine.unload("nobody") == []
    assert await bench.engine.unload("starter") == ["starter"]
    assert bench.engine.loaded() == []
    assert bench.topics()[-1] == "model.unloaded"
    assert bench.engine.state().state == "idle"
    # Nothing is held for ever for the sake of a model that is gone.
    bench.clock.ahead += 301
    await bench.until(lambda: not bench.spawn.running)


async def test_unloading_a_busy_engine_waits_for_the_job(bench):
    bench.script(step_s=0.01)
    async with aclosing(bench.engine.run(bench.order(steps=5))) as reports:
        await bench.first_step(reports)
        assert await bench.engine.unload(None) == ["starter"]
        assert [report async for report in reports if isinstance(report, Output)]
    assert bench.spawn.running == []
    assert await bench.engine.unload(None) == []


async def test_unloading_a_busy_model_waits_for_the_job(bench):
    bench.script(step_s=0.01)
    async with aclosing(bench.engine.run(bench.order(steps=5))) as reports:
        await bench.first_step(reports)
        assert await bench.engine.unload("starter") == ["starter"]
        assert [report async for report in reports if isinstance(report, Output)]
    await bench.until(lambda: not bench.engine.loaded())
    assert bench.engine.state().state == "idle"


async def test_close_ends_the_process_and_its_job(bench):
    bench.script(step_s=0.01)
    running = bench.begin(bench.draw(steps=200))
    await bench.until(bench.engine.loaded)
    await bench.engine.close()
    with pytest.raises(ShuttingDown):
        await running
    assert bench.spawn.running == []
    with pytest.raises(ShuttingDown):
        await bench.draw("job_2")
    assert len(bench.spawn.started) == 1


async def test_previews_come_while_somebody_looks_on_and_only_then(bench):
    bench.script(step_s=0.01)
    reports = [report async for report in bench.engine.run(bench.order(steps=20))]
    assert not [report for report in reports if isinstance(report, Preview)]
    order = msgspec.structs.replace(bench.order("job_2", steps=20), previews=True)
    seen = [report async for report in bench.engine.run(order) if isinstance(report, Preview)]
    assert (seen[0].index, seen[0].total, len(seen[0].rgb)) == (0, 20, seen[0].width * seen[0].height * 3)
    assert [one.done for one in seen] == sorted(one.done for one in seen)


async def test_who_comes_later_sees_them_until_he_goes(bench):
    bench.script(step_s=0.01)
    seen, later = [], []
    async with aclosing(bench.engine.run(bench.order(steps=200))) as reports:
        # Before it is handed over, while it is loaded or later: nothing is lost.
        await bench.engine.previews("job_1", wanted=False)
        async for report in reports:
            if isinstance(report, Advance) and report.phase == "sampling" and not seen:
                await bench.engine.previews("job_1", wanted=True)
            if isinstance(report, Preview):
                seen.append(report.done)
                await bench.engine.previews("job_1", wanted=False)
                later.append(report.done)
            if isinstance(report, Advance) and seen and report.done > seen[0] + 20:
                break
    # One or two more were on their way.
    assert 1 <= len(later) <= 5
    await bench.engine.previews("job_none", wanted=True)


async def test_a_wish_to_look_on_before_the_process_has_the_job_counts(bench):
    bench.script(step_s=0.005)
    seen = 0
    async with aclosing(bench.engine.run(bench.order(steps=20))) as reports:
        assert await anext(reports) == Advance(phase="loading", done=0, total=None)
        await bench.engine.previews("job_1", wanted=True)
        async for report in reports:
            seen += isinstance(report, Preview)
    assert seen > 0


async def test_what_would_draw_is_told_without_a_job(bench):
    identity = await bench.engine.identity()
    assert (identity.version, identity.torch, identity.device, identity.threads) == (__version__, "fake", "cpu", 1)
    assert identity.dtypes == {"unet": "float32", "transformer": "float32"}
    assert bench.engine.state().state == "idle"
    (out,) = await bench.draw()
    assert (out.engine.hardware, out.engine.libraries) == (identity.hardware, identity.libraries)
    assert await bench.engine.identity() == identity
    assert len(bench.spawn.started) == 1


async def test_a_process_that_only_told_who_it_is_goes_by_itself(bench):
    await bench.engine.identity()
    bench.clock.ahead += 10_000
    await bench.until(lambda: bench.engine.state().state == "off")
    assert [topic for topic, _ in bench.events] == ["engine.started", "engine.stopped"]


@pytest.mark.parametrize(
    ("script", "kind"), [({"missing": "No module named 'torch'"}, EngineMissing), ({"die_at_start": True}, EngineDied)]
)
async def test_who_can_not_draw_can_not_say_what_would(bench, script, kind):
    bench.script(**script)
    with pytest.raises(kind):
        await bench.engine.identity()
