"""Previews by the real process: of every kind of latents, and never at the picture's cost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from msgspec.structs import replace

from tendred.schema.sealed import Conditioning, Span
from tendred.schema.work import PREVIEW_SIDE, Output, Preview

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]
WORDS = Conditioning(prompt=[Span(text="a woman in red")], negative=[], anchor=None)


CASES = [
    ("starter", "euler"), ("starter", "euler_a"), ("starter", "heun"), ("decoded", "dpmpp_2m"), ("decoded", "unipc"),
    ("sdxl", "ddim"), ("sdxl", "pndm"), ("sdxl", "lcm"),
]  # fmt: skip


@pytest.fixture(scope="module")
def decoded(tmp_path_factory, tiny):
    """An SDXL folder with a preview decoder of its own."""
    folder = tmp_path_factory.mktemp("decoded") / "model"
    shutil.copytree(tiny["sdxl"], folder)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "tendred.testing.tiny", "preview-4", str(folder)]
    subprocess.run(command, env=env, check=True, capture_output=True)
    return folder


@pytest.fixture
def watched(studio):
    """`await watched()`: previews and outputs of an order that somebody looks on at; long enough for some to come."""

    async def draw(*, previews=True, **changes):
        order = studio.order(WORDS, **{"width": 64, "height": 64, "steps": 40, **changes})
        reports = [report async for report in studio.engine.run(replace(order, previews=previews))]
        return [one for one in reports if isinstance(one, Preview)], [one for one in reports if isinstance(one, Output)]

    return draw


def picture(preview):
    return np.frombuffer(preview.rgb, np.uint8).reshape(preview.height, preview.width, 3)


async def test_the_picture_is_the_same_bit_for_bit(studio, watched, tiny, decoded):
    studio.paths |= {"sdxl": tiny["sdxl"], "decoded": decoded}
    for model, scheduler in CASES:
        asked = {"model": model, "scheduler": scheduler, "steps": 60}
        (none, blind), (some, seen) = await watched(previews=False, **asked), await watched(**asked)
        assert none == []
        assert some != [], (model, scheduler)
        assert [out.pixels_sha256 for out in seen] == [out.pixels_sha256 for out in blind]


async def test_a_decoder_of_its_own_gives_the_picture_its_size(studio, watched, decoded):
    studio.paths["decoded"] = decoded
    previews, _ = await watched(model="decoded", steps=80)
    first = previews[0]
    assert (first.width, first.height, first.total) == (64, 64, 80)
    wide, _ = await watched(model="decoded", width=512, height=256, steps=40)
    assert {(one.width, one.height) for one in wide} == {(PREVIEW_SIDE, PREVIEW_SIDE // 2)}


async def test_without_one_a_latent_is_a_pixel(studio, watched, tiny):
    studio.paths["sd15"] = tiny["sd15"]
    previews, _ = await watched(model="sd15", width=128, height=64, steps=80)
    assert {(one.width, one.height) for one in previews} == {(16, 8)}


async def test_a_linear_preview_is_like_the_picture(studio, watched):
    """The starter's: late in the drawing the small picture has the large one's colours."""
    from pathlib import Path

    previews, (out,) = await watched(width=128, height=128, steps=60)
    last = picture(previews[-1]).astype(float)
    whole = np.frombuffer(Path(out.path).read_bytes(), np.uint8).reshape(out.height, out.width, 3).astype(float)
    rows, columns = out.height // last.shape[0], out.width // last.shape[1]
    small = whole.reshape(last.shape[0], rows, last.shape[1], columns, 3).mean((1, 3))
    assert np.corrcoef(last.ravel(), small.ravel())[0, 1] > 0.8
    assert np.abs(last - small).mean() < 40


async def test_a_broken_decoder_costs_the_preview_and_nothing_else(studio, watched, decoded, tmp_path):
    folder = shutil.copytree(decoded, tmp_path / "broken")
    (file,) = (folder / "preview").glob("*.safetensors")
    file.write_bytes(b"\xff" * 100)
    studio.paths["broken"] = folder
    log = studio.root / "engine.log"
    said = log.read_text()
    previews, outputs = await watched(model="broken", steps=60)
    assert len(outputs) == 1
    # The linear map takes over.
    assert {(one.width, one.height) for one in previews} == {(8, 8)}
    assert len(log.read_text()) > len(said)
    log.write_text(said)
