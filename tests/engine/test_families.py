"""Every family by name: what the engine draws is what diffusers alone would, and what it lacks it says."""

from __future__ import annotations

import json
import subprocess
import sys

import aiohttp
import pytest
from PIL import Image

from tendred.app.assembly import Machine
from tendred.errors import UnsupportedParameter
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.work import Output
from tendred.testing import tiny_families
from tendred.testing.daemon import TestDaemon, quiet

# A dozen tiny folders are built and read.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]
HILLS = "red hills"
# What a call is told besides size, steps and words. Qwen-Image's guidance counts where there are words against it.
GUIDANCE = {"qwen-image": {"true_cfg_scale": 4.0, "negative_prompt": " "}}
SCHEDULERS = {"sdxl": "euler", "sd15": "euler"}


def hills(negative=""):
    return Conditioning(prompt=[Span(text=HILLS)], negative=[Span(text=negative)] if negative else [], anchor=None)


@pytest.fixture(scope="module")
def folders(tiny, families):
    return {**tiny, **families}


@pytest.fixture(scope="module")
def expected(folders, bare):
    """What diffusers alone draws from each folder."""
    jobs = [
        {
            "folder": folder,
            "seed": 7,
            "call": {
                "prompt": HILLS, "width": 64, "height": 96, "num_inference_steps": 3,
                **GUIDANCE.get(family, {"guidance_scale": 4.0}),
            },
        }
        for family, folder in folders.items()
    ]  # fmt: skip
    return dict(zip(folders, bare(*jobs), strict=True))


async def drawn(studio, model, conditioning, **changes):
    order = studio.order(conditioning, model=model, width=64, height=96, steps=3, **changes)
    (out,) = [report async for report in studio.engine.run(order) if isinstance(report, Output)]
    assert (out.width, out.height) == (changes.get("width", 64), changes.get("height", 96))
    return out.pixels_sha256


@pytest.mark.parametrize("family", ["sd15", "sdxl", *tiny_families.NAMES])
async def test_a_familys_pixels_are_those_of_diffusers_alone(studio, folders, expected, family):
    studio.paths[family] = folders[family]
    changes = {"guidance": 4.0, "scheduler": SCHEDULERS.get(family, "flow_euler")}
    assert await drawn(studio, family, hills(), **changes) == expected[family]


@pytest.mark.parametrize(
    ("family", "changes", "path"),
    [
        ("flux2", {"clip_skip": 2}, "clip_skip"),
        ("zimage", {"clip_skip": 2}, "clip_skip"),
        ("flux2", {"negative": "fog"}, "negative_prompt"),
        ("chroma", {"scheduler": "ddim"}, "scheduler"),
    ],
)
async def test_what_a_family_lacks_is_named(studio, folders, family, changes, path):
    studio.paths[family] = folders[family]
    changes = {"scheduler": "flow_euler", **changes}
    with pytest.raises(UnsupportedParameter) as caught:
        negative = changes.pop("negative", "")
        await drawn(studio, family, hills(negative), negative_prompt=negative, **changes)
    assert (caught.value.path, caught.value.detail["model"]) == (path, family)


async def test_what_the_boundary_adds_is_left_out_where_there_is_no_room(studio, folders, expected):
    """Words against minors go with every person; a family that takes none must draw people all the same."""
    for family in ("flux", "flux2", "klein"):
        studio.paths[family] = folders[family]
        changes = {"guidance": 4.0, "scheduler": "flow_euler"}
        assert await drawn(studio, family, hills("child"), **changes) == expected[family]


async def test_words_against_count_where_a_family_takes_them(studio, folders, expected):
    for family in ("sd35", "zimage", "chroma", "qwen-image"):
        studio.paths[family] = folders[family]
        changes = {"guidance": 4.0, "scheduler": "flow_euler"}
        assert await drawn(studio, family, hills("fog"), **changes) != expected[family]


@pytest.mark.timeout(900)
async def test_every_family_on_the_whole_road_by_rpc_and_hot_folder(folders, expected, tmp_path):
    settings = [
        *quiet(),
        "engine.device=cpu",
        "engine.threads=1",
        "engine.start_timeout_s=600",
        "engine.heartbeat_s=120",
    ]
    daemon = await TestDaemon.start(tmp_path / "home", settings, Machine())
    hot = daemon.home / "hot"
    try:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
            for family, folder in folders.items():
                asked = {
                    "prompt": HILLS, "model": family, "seed": 7, "width": 64, "height": 96, "steps": 3, "guidance": 4.0,
                }  # fmt: skip
                assert (await daemon.studio.add_model(str(folder), family)).state == "ready"
                call = {"jsonrpc": "2.0", "id": 1, "method": "images.generate", "params": asked}
                async with session.post(f"{daemon.url}/rpc", json=call) as answer:
                    job = (await answer.json())["result"]["job"]
                done = await daemon.studio.wait(job["id"], 60)
                assert done.error is None, (family, done.error)
                asset = await daemon.studio.asset(done.asset_ids[0])
                (hot / f"{family}.json").write_text(json.dumps(asked))
                receipts = await daemon.eventually(
                    lambda family=family: [*(hot / "done").glob(f"{family}.receipt.json")], timeout_s=120
                )
                assert receipts, [file.read_text() for file in (hot / "failed").glob("*.reason.txt")]
                [made] = json.loads(receipts[0].read_text())["made"]
                assert (family, asset.pixels_sha256) == (family, expected[family])
                assert made["pixels_sha256"] == expected[family]
                assert (asset.width, asset.height, asset.model.name) == (64, 96, family)
                with Image.open(asset.path) as picture:
                    assert picture.size == (64, 96)
                    assert f"Model: {family}" in picture.text["parameters"]
    finally:
        await daemon.stop()


async def test_the_table_of_classes_is_that_of_the_installed_library():
    code = (
        "import inspect, diffusers\n"
        "from tendred.schema.families import ABILITIES\n"
        "for name, can in ABILITIES.items():\n"
        "    own = inspect.signature(getattr(diffusers, name).__call__).parameters\n"
        "    assert can.guidance in own, name\n"
        "    assert can.clip_skip == ('clip_skip' in own), name\n"
        "    assert not can.negative or 'negative_prompt' in own, name\n"
        "    for field, wants in (('image', 'image strength'), ('inpaint', 'image mask_image strength'),\n"
        "                         ('control', 'controlnet_conditioning_scale control_guidance_end'),\n"
        "                         ('control_image', 'image control_image strength'),\n"
        "                         ('control_inpaint', 'image control_image mask_image strength')):\n"
        "        if (kind := getattr(can, field)) is None: continue\n"
        "        takes = inspect.signature(getattr(diffusers, kind).__call__).parameters\n"
        "        assert set(wants.split()) <= set(takes), (kind, wants)\n"
        "        assert not can.clip_skip or 'clip_skip' in takes, kind\n"
        "    assert can.controlnet is None or hasattr(diffusers, can.controlnet)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
