"""The same picture once more, and pictures near it, drawn by the real process."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import asdict

from tendred.core.studio import Wish
from tendred.errors import UnsupportedParameter
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import Variation
from tendred.schema.work import Output
from tendred.testing.daemon import TestDaemon, quiet

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]
WORDS = Conditioning(prompt=[Span(text="a woman in red")], negative=[], anchor=None)


def pixels(out):
    return np.frombuffer(Path(out.path).read_bytes(), np.uint8).astype(np.float64)


def step(seed, strength):
    return Variation(asset_id="ast_1", seed=seed, strength=strength)


@pytest.fixture
def drawn(studio):
    """`await drawn(variations)`: the outputs."""

    async def draw(*steps, **changes):
        asked = {"width": 64, "height": 64, "steps": 3, "seed": 7, **changes}
        order = studio.order(WORDS, variations=list(steps), **asked)
        return [report async for report in studio.engine.run(order) if isinstance(report, Output)]

    return draw


async def test_the_process_says_what_would_draw(studio, drawn):
    identity = asdict(await studio.engine.identity())
    (out,) = await drawn()
    told = {name: getattr(out.engine, name) for name in identity if name != "dtypes"}
    assert told == {name: value for name, value in identity.items() if name != "dtypes"}
    assert identity["dtypes"] == {"unet": "float32", "transformer": "float32"}
    assert out.engine.hardware
    assert set(out.engine.libraries) >= {"numpy", "transformers"}


@pytest.mark.parametrize("scheduler", ["euler", "euler_a", "dpmpp_2m"])
async def test_a_step_of_nothing_is_the_picture_itself(drawn, scheduler):
    (own,) = await drawn(scheduler=scheduler)
    (same,) = await drawn(step(99, 0.0), scheduler=scheduler)
    assert same.pixels_sha256 == own.pixels_sha256


async def test_a_whole_step_is_the_other_seeds_picture(drawn):
    # Euler takes no more chance than the first noise.
    (other,) = await drawn(seed=99)
    (there,) = await drawn(step(99, 1.0))
    assert there.seed == 7
    assert np.abs(pixels(there) - pixels(other)).max() <= 1


async def test_a_longer_step_leads_further(drawn):
    (own,) = await drawn()
    found = [(await drawn(step(99, strength)))[0] for strength in (0.05, 0.2, 0.5)]
    apart = [np.abs(pixels(out) - pixels(own)).mean() for out in found]
    assert 0 < apart[0] < apart[1] < apart[2]


async def test_they_are_the_same_each_time_and_by_themselves(drawn, another):
    first = await drawn(step(40, 0.3), count=3)
    assert len({out.pixels_sha256 for out in first}) == 3
    (second,) = await drawn(step(41, 0.3))
    assert second.pixels_sha256 == first[1].pixels_sha256
    other = another(threads=1)
    order = other.order(WORDS, variations=[step(41, 0.3)], width=64, height=64, steps=3, seed=7)
    (there,) = [report async for report in other.engine.run(order) if isinstance(report, Output)]
    assert there.pixels_sha256 == second.pixels_sha256


async def test_steps_follow_each_other(drawn):
    (one,), (two,) = await drawn(step(1, 0.3)), await drawn(step(1, 0.3), step(2, 0.3))
    (back,) = await drawn(step(1, 0.3), step(2, 0.0))
    assert back.pixels_sha256 == one.pixels_sha256 != two.pixels_sha256


@pytest.mark.parametrize("family", ["sdxl", "sd15"])
async def test_other_families_too(studio, drawn, tiny, family):
    studio.paths[family] = tiny[family]
    (own,), (near,) = await drawn(model=family), await drawn(step(3, 0.2), model=family)
    (again,) = await drawn(model=family)
    assert own.pixels_sha256 == again.pixels_sha256 != near.pixels_sha256


async def test_the_words_for_a_pipeline_that_has_no_such_noise(studio):
    assert UnsupportedParameter(path="variations", model="x").path == "variations"


async def test_the_whole_road_in_another_process_without_the_original(tiny, tmp_path):
    """The Must show: the original deleted, a new daemon and a new engine, every step done, the same pixels."""
    folder = shutil.copytree(tiny["sdxl"], tmp_path / "mine")
    settings = [*quiet(), "engine.device=cpu", "engine.threads=1"]
    from tendred.app.assembly import Machine

    def wish(**asked):
        return Wish(origin=Origin(door="rpc"), asked=asked, key=None)

    daemon = await TestDaemon.start(tmp_path / "home", settings, Machine())
    try:
        await daemon.studio.add_model(str(folder), "mine")
        asked = {"model": "mine", "width": 64, "height": 64, "steps": 5, "seed": 3, "count": 2}
        job = await daemon.still("a woman in red", timeout_s=120, scheduler="euler_a", **asked)
        assert job.error is None
        asset = await daemon.studio.asset(job.asset_ids[1])
        varied = await daemon.studio.variations(asset.id, wish(), count=1, strength=0.3, seed=4)
        varied = await daemon.studio.wait(varied.job.id, 60)
        near = await daemon.studio.asset(varied.asset_ids[0])
        pid = (await daemon.studio.status()).engine.pid
    finally:
        await daemon.stop()
    Path(asset.path).unlink()
    other = await TestDaemon.start(tmp_path / "home", settings, Machine())
    try:
        progress = other.studio.subscribe(["job.progress"])
        for original in (asset, near):
            answer = await other.studio.again(original.id, wish(), dry_run=False, insist=False)
            assert (answer.promised, answer.differences) == (True, [])
            job = await other.studio.wait(answer.job.id, 120)
            assert (job.error, job.again.equal) == (None, True)
        assert (await other.studio.status()).engine.pid != pid
        # Something was drawn: the steps were counted.
        seen = [event.data["progress"] for event in progress._queue]
        assert {told["phase"] for told in seen} >= {"saving"}
    finally:
        await other.stop()
    threads = [*quiet(), "engine.device=cpu", "engine.threads=2"]
    third = await TestDaemon.start(tmp_path / "home", threads, Machine())
    try:
        answer = await third.studio.again(asset.id, wish(), dry_run=False, insist=False)
        assert answer.job is None
        assert [(found.what, found.then, found.now) for found in answer.differences] == [("threads", 1, 2)]
        config = folder / "scheduler" / "scheduler_config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "beta_end": 0.013}))
        answer = await third.studio.again(asset.id, wish(), dry_run=True, insist=False)
        assert [found.what for found in answer.differences] == ["model", "threads"]
        job = (await third.studio.again(asset.id, wish(), dry_run=False, insist=True)).job
        job = await third.studio.wait(job.id, 60)
        assert (job.again.promised, job.again.equal) == (False, False)
    finally:
        await third.stop()
    await asyncio.sleep(0)
