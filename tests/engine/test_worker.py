"""The real process: the same bits each time, typed refusals, and a pipeline that survives a cancel."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tendred import __version__
from tendred.errors import (
    Cancelled,
    EngineMissing,
    Internal,
    ModelMissing,
    ModelRefused,
    OutOfMemory,
    UnsupportedParameter,
)
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.work import Advance, Output

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


def weights(folder: Path, part: str) -> Path:
    return next((folder / part).glob("*.safetensors"))


async def test_the_process_gets_ready_and_draws_the_starter(studio):
    (out,) = await studio.draw()
    raw = Path(out.path).read_bytes()
    assert (out.width, out.height, out.seed, len(raw)) == (128, 128, 7, 128 * 128 * 3)
    assert hashlib.sha256(raw).hexdigest() == out.pixels_sha256
    info = out.engine
    assert (info.version, info.device, info.dtype, info.threads, info.batch_size) == (
        __version__,
        "cpu",
        "float32",
        1,
        1,
    )
    assert info.torch.startswith("2.")
    assert info.diffusers.startswith("0.")
    (model,) = studio.engine.loaded()
    assert (model.model, model.device) == ("starter", "cpu")
    assert model.bytes > 30_000_000
    # A flat picture would be the sign of a broken load.
    assert len(set(raw)) > 50


async def test_the_same_seed_is_the_same_picture_and_a_count_is_single_pictures(studio):
    first = await studio.draw(count=2)
    again = await studio.draw(seed=8)
    assert first[1].pixels_sha256 == again[0].pixels_sha256
    assert first[0].pixels_sha256 != again[0].pixels_sha256


@pytest.mark.parametrize("field", ["request", "conditioning", "policy", "mac"])
async def test_one_byte_changed_after_the_verdict_is_refused(studio, field):
    """Every place of what was sealed, tried with the process that draws."""

    def flipped(reviewed, at):
        whole = getattr(reviewed, field)
        raw = whole.encode() if field == "policy" else whole
        raw = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        return replace(reviewed, **{field: raw.decode() if field == "policy" else raw})

    try:
        for at in range(0, len(getattr(studio.order().reviewed, field)), 7):
            studio.on_the_way = partial(flipped, at=at)
            with pytest.raises(Internal) as caught:
                await studio.draw()
            assert caught.value.detail == {"problem": "seal"}
    finally:
        studio.on_the_way = lambda reviewed: reviewed
    assert len(await studio.draw()) == 1


async def test_progress_is_reported_per_step(studio):
    reports = [report async for report in studio.engine.run(studio.order(steps=3)) if isinstance(report, Advance)]
    assert {report.phase for report in reports} >= {"loading", "sampling", "decoding"}
    assert {report.total for report in reports if report.phase == "sampling"} == {3}


async def cancelled(studio, at_phase: str, **changes) -> None:
    order = studio.order(**changes)
    async with aclosing(studio.engine.run(order)) as reports:
        async for report in reports:
            if isinstance(report, Advance) and report.phase == at_phase:
                await studio.engine.cancel(order.job_id)


@pytest.mark.parametrize("scheduler", ["euler", "dpmpp_2m", "pndm"])
async def test_a_cancel_leaves_the_pipeline_as_it_was(studio, scheduler):
    (before,) = await studio.draw(scheduler=scheduler, steps=6)
    pid = studio.engine.state().pid
    with pytest.raises(Cancelled):
        await cancelled(studio, "sampling", scheduler=scheduler, steps=200)
    (after,) = await studio.draw(scheduler=scheduler, steps=6)
    assert after.pixels_sha256 == before.pixels_sha256
    assert studio.engine.state().pid == pid


async def test_another_scheduler_is_used_once_and_the_own_one_restored(studio):
    (own,) = await studio.draw()
    (other,) = await studio.draw(scheduler="euler_a")
    (own_again,) = await studio.draw()
    assert own.pixels_sha256 == own_again.pixels_sha256 != other.pixels_sha256


async def test_the_anchor_and_the_negative_words_reach_the_picture(studio):
    def words(anchor=None, negative=()):
        return Conditioning(prompt=[Span(text="a woman"), Span(text=" in red")], negative=list(negative), anchor=anchor)

    async def hashed(conditioning, **changes):
        order = studio.order(conditioning, **changes)
        (out,) = [report async for report in studio.engine.run(order) if isinstance(report, Output)]
        return out.pixels_sha256

    plain = await hashed(words())
    anchored = await hashed(words(anchor="adult"))
    negative = await hashed(words(negative=[Span(text="blue")]))
    assert len({plain, anchored, negative}) == 3
    # What is drawn is what the seal holds, whatever the request's own prompt says.
    assert await hashed(words(), prompt="something else") == plain
    assert await hashed(Conditioning(prompt=[Span(text="adult, a woman in red")], negative=[], anchor=None)) == anchored


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"scheduler": "flow_euler"}, "scheduler"),
        ({"scheduler": "nonsense"}, "scheduler"),
    ],
)
async def test_what_the_model_lacks_is_named(studio, changes, path):
    with pytest.raises(UnsupportedParameter) as caught:
        await studio.draw(**changes)
    assert (caught.value.path, caught.value.detail["model"]) == (path, "starter")


async def test_a_picture_that_needs_too_much_memory_is_refused_with_a_size(studio):
    # The noise alone would be half a terabyte in one piece, which no machine hands out.
    with pytest.raises(OutOfMemory) as caught:
        await studio.draw(width=2**20, height=2**20, steps=1)
    assert caught.value.detail["needed_bytes"] > caught.value.detail["free_bytes"] > 0
    assert " x " in str(caught.value.detail["would_fit"])
    assert await studio.draw(steps=1)


async def test_a_missing_folder_is_a_missing_model(studio):
    with pytest.raises(ModelMissing) as caught:
        await studio.draw(model="nowhere")
    assert (caught.value.variant, caught.value.detail["name"]) == ("gone", "nowhere")
    # The model before made room for it; it comes back by itself.
    assert await studio.draw(steps=1)


async def test_the_tiny_folders_are_complete(tiny):
    for folder in tiny.values():
        index = json.loads((folder / "model_index.json").read_text())
        assert all((folder / part).is_dir() for part, value in index.items() if isinstance(value, list) and value[0])
        assert list(folder.rglob("*.bin")) == []


@pytest.mark.parametrize(("family", "size"), [("sdxl", 64), ("sd15", 96)])
async def test_other_families_draw_too(studio, tiny, family, size):
    studio.paths[family] = tiny[family]
    first, second = [await studio.draw(model=family, width=size, height=size, negative_prompt="x") for _ in range(2)]
    assert first[0].pixels_sha256 == second[0].pixels_sha256
    assert (first[0].width, first[0].height) == (size, size)
    assert [model.model for model in studio.engine.loaded()] == [family]


async def test_a_checker_of_the_folder_s_own_is_not_loaded(studio, tiny, tmp_path):
    folder = studio.paths["checked"] = tmp_path / "checked"
    shutil.copytree(tiny["sd15"], folder)
    document = json.loads((folder / "model_index.json").read_text())
    document |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
        "requires_safety_checker": True,
    }
    (folder / "model_index.json").write_text(json.dumps(document))
    studio.paths["sd15"] = tiny["sd15"]
    (one,) = await studio.draw(model="checked")
    (other,) = await studio.draw(model="sd15")
    assert one.pixels_sha256 == other.pixels_sha256


async def test_a_pickle_is_refused(studio, tiny, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny["sdxl"], folder)
    for part in ("unet", "text_encoder"):
        file = weights(folder, part)
        pickled = file.with_name("diffusion_pytorch_model.bin" if part == "unet" else "pytorch_model.bin")
        file.rename(pickled)
        studio.paths["pickled"] = folder
        with pytest.raises(ModelRefused) as caught:
            await studio.draw(model="pickled")
        assert caught.value.detail["reason"] == "pickle", caught.value.detail
        pickled.rename(file)


async def test_a_broken_weight_file_is_refused(studio, tiny, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(tiny["sdxl"], folder)
    weights(folder, "unet").write_bytes(b"\xff" * 100)
    studio.paths["broken"] = folder
    with pytest.raises(ModelRefused) as caught:
        await studio.draw(model="broken")
    assert caught.value.detail["reason"] in ("header", "metadata")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unet": ["my_code", "Net"]}, "remote_code"),
        ({"unet": ["subprocess", "Popen"]}, "remote_code"),
        ({"_class_name": "StableDiffusionXLImg2ImgPipeline"}, "family"),
        ({"_class_name": "NoSuchPipeline"}, "metadata"),
    ],
)
async def test_a_folder_that_wants_more_is_refused(studio, tiny, tmp_path, change, reason):
    folder = tmp_path / "odd"
    shutil.copytree(tiny["sdxl"], folder)
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **change}))
    studio.paths["odd"] = folder
    with pytest.raises(ModelRefused) as caught:
        await studio.draw(model="odd")
    assert caught.value.detail["reason"] == reason, caught.value.detail


async def test_weights_that_were_not_judged_are_refused(studio, tiny, tmp_path):
    folder = tmp_path / "swapped"
    shutil.copytree(tiny["sdxl"], folder)
    studio.paths["swapped"] = folder
    (before,) = await studio.draw(model="swapped", width=64, height=64)
    judged = studio.order(model="swapped", width=64, height=64)
    file = weights(folder, "unet")
    data = file.read_bytes()
    file.write_bytes(data[:-4000] + bytes(4000))
    # Judged with the new weights: the resident ones are not taken for them.
    (after,) = await studio.draw(model="swapped", width=64, height=64)
    assert after.pixels_sha256 != before.pixels_sha256
    with pytest.raises(ModelRefused) as caught:
        _ = [report async for report in studio.engine.run(judged)]
    assert caught.value.detail["reason"] == "header"
    assert "changed since" in caught.value.detail["problem"]


async def test_a_pipeline_in_a_pipeline_is_refused(studio, tiny, tmp_path):
    folder = tmp_path / "nested"
    shutil.copytree(tiny["sdxl"], folder)
    index = folder / "model_index.json"
    nested = {"image_encoder": ["diffusers", "StableDiffusionXLPipeline"]}
    index.write_text(json.dumps({**json.loads(index.read_text()), **nested}))
    studio.paths["nested"] = folder
    with pytest.raises(ModelRefused) as caught:
        await studio.draw(model="nested")
    assert caught.value.detail["reason"] == "pickle"


async def test_the_engine_can_not_unpickle():
    code = (
        "import torch; from tendred.engine.worker import load\n"
        "for module in (torch, torch.serialization, torch.jit):\n"
        "    try: module.load('x.bin')\n"
        "    except RuntimeError as refused: assert 'never read' in str(refused)\n"
        "    else: raise SystemExit('it was read')\n"
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


async def test_another_process_draws_the_same_bits_and_logs_nothing_but_trouble(studio, another):
    (here,) = await studio.draw()
    other = another(threads=1)
    (there,) = await other.draw()
    assert other.engine.state().pid != studio.engine.state().pid
    assert here.pixels_sha256 == there.pixels_sha256
    assert (other.root / "engine.log").read_text() == ""


async def test_a_device_that_is_not_there_is_said(another):
    with pytest.raises(EngineMissing) as caught:
        await another(device="cuda:63").draw()
    assert caught.value.detail["problem"] == "there is no device cuda:63"
