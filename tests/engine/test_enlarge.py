"""Pictures made larger in the real process: no seams, the size that was asked for, and words where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from tendred.errors import EngineMissing, Internal, ModelRefused, StillNotOurs
from tendred.schema.work import Advance, Output
from tendred.testing.loras import write
from tendred.testing.orders import upscale_order

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """Larger than a tile each way, and nowhere flat."""
    file = tmp_path_factory.mktemp("pictures") / "own.png"
    noise = Image.effect_noise((320, 300), 90)
    Image.merge("RGB", [noise, noise.rotate(90).resize((320, 300)), noise.transpose(Image.Transpose.ROTATE_180)]).save(
        file
    )
    return file


@pytest_asyncio.fixture(loop_scope="session")
async def enlarged(studio):
    """`await enlarged(source, model, factor)`: the output, and what was reported."""
    numbers = iter(range(1000))

    async def make(source, model, factor, **changes):
        with Image.open(source) as own:
            size = {"width": own.width * factor, "height": own.height * factor}
        order = upscale_order(
            f"job_up{next(numbers)}", source, model, studio.staging, factor=factor, **{**size, **changes}
        )
        reports = [report async for report in studio.engine.run(order)]
        (out,) = [report for report in reports if isinstance(report, Output)]
        return out, [report for report in reports if isinstance(report, Advance)]

    return make


def pixels(out):
    return Image.frombytes("RGB", (out.width, out.height), Path(out.path).read_bytes())


@pytest.mark.parametrize("factor", [2, 3, 4])
async def test_without_a_model_it_is_resampled(enlarged, picture, factor):
    out, _ = await enlarged(picture, None, factor)
    with Image.open(picture) as own:
        assert pixels(out).tobytes() == own.resize((out.width, out.height), Image.Resampling.LANCZOS).tobytes()


@pytest.mark.parametrize("model", ["two", "three", "four"])
@pytest.mark.parametrize("factor", [2, 3, 4])
async def test_every_scale_gives_every_factor(enlarged, extras, picture, model, factor):
    out, _ = await enlarged(picture, extras[model], factor)
    assert (out.width, out.height) == (320 * factor, 300 * factor)
    assert (out.engine.dtype, out.seed) == ("float32", 7)
    again, _ = await enlarged(picture, extras[model], factor)
    assert again.pixels_sha256 == out.pixels_sha256


async def test_progress_is_told_by_tiles(enlarged, extras, picture):
    _, reports = await enlarged(picture, extras["two"], 4)
    seen = [(report.done, report.total) for report in reports if report.phase == "rendering"]
    assert seen[-1][0] == seen[-1][1]


async def test_a_compact_picture_in_tiles_is_the_whole_picture(extras, picture):
    """Tiles see as far as a pixel sees: between them there is nothing to see. One pixel less, and there is."""
    code = (
        "import sys, numpy as np, torch\n"
        "from PIL import Image\n"
        "from safetensors.torch import load_file\n"
        "from tendred.engine.worker import enlarge\n"
        "from tendred.schema.compact import compact\n"
        "torch.set_num_threads(1)\n"
        "small = np.asarray(Image.open(sys.argv[1]))\n"
        "state = load_file(sys.argv[2])\n"
        "shape = compact({key: tuple(value.shape) for key, value in state.items()})\n"
        "net = enlarge.CompactNet(shape); net.load_state_dict(state); net = net.double().eval()\n"
        "# In double precision nothing but a seam can move a byte.\n"
        "with torch.inference_mode():\n"
        "    whole = net(torch.from_numpy(small.copy()).permute(2, 0, 1)[None].double() / 255)[0]\n"
        "whole = (whole.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()\n"
        "def tiled(margin):\n"
        "    upscaler = enlarge.Upscaler(lambda x: net((x * 255).round().double() / 255), shape.scale, margin)\n"
        "    return enlarge._pass(small, upscaler, 'cpu', lambda done, total: None)\n"
        "assert (tiled(shape.reach) == whole).all()\n"
        "assert (tiled(0) != whole).any()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(picture), str(extras["two"])], capture_output=True, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


async def test_another_architecture_asks_for_its_library(enlarged, picture, tmp_path):
    file = write(tmp_path / "other.safetensors", {"conv_first.weight": [4, 3, 3, 3]})
    with pytest.raises(EngineMissing) as caught:
        await enlarged(picture, file, 2)
    assert (caught.value.variant, caught.value.path, caught.value.detail["name"]) == ("upscaler", "model", "other")


async def test_what_was_not_judged_is_refused(studio, extras, picture, tmp_path):
    source, model = tmp_path / "own.png", tmp_path / "two.safetensors"
    source.write_bytes(picture.read_bytes())
    model.write_bytes(extras["two"].read_bytes())

    async def run(order):
        return [report async for report in studio.engine.run(order)]

    size = {"width": 640, "height": 600}
    judged = upscale_order("job_changed1", source, model, studio.staging, **size)
    model.write_bytes(extras["three"].read_bytes())
    with pytest.raises(ModelRefused) as refused:
        await run(judged)
    assert "changed since" in refused.value.detail["problem"]
    judged = upscale_order("job_changed2", source, extras["two"], studio.staging, **size)
    with Image.open(picture) as own:
        own.rotate(180).save(source)
    with pytest.raises(StillNotOurs):
        await run(judged)
    with pytest.raises(Internal):
        await run(upscale_order("job_size", picture, extras["two"], studio.staging, width=64, height=64))


async def test_numbers_that_are_no_colours_are_told(enlarged, extras, picture, tmp_path):
    data = bytearray(extras["two"].read_bytes())
    length = int.from_bytes(data[:8], "little")
    data[8 + length : 8 + length + 64] = b"\xff" * 64
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(data)
    with pytest.raises(Internal):
        await enlarged(picture, broken, 2)
