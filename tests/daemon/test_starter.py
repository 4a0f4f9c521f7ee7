"""The starter as it ships, through the whole road and the real engine: does it draw what it is asked for?"""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageStat

from tendred.app.assembly import Machine
from tendred.schema.source import Mask, Rect, Source
from tendred.testing.daemon import TestDaemon, quiet

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

PALETTE = {
    "red": (208, 48, 48),
    "green": (63, 163, 77),
    "blue": (58, 118, 216),
    "yellow": (242, 209, 60),
    "teal": (42, 161, 152),
}
FAR = 60
"""A colour is another colour when it is so far off, in steps of 255, by the largest channel."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory):
    daemon = await TestDaemon.start(tmp_path_factory.mktemp("starter"), quiet(), Machine())
    yield daemon
    await daemon.stop()


async def draw(daemon, prompt, **fields):
    job = await daemon.still(prompt, timeout_s=200, **fields)
    assert job.state == "succeeded", job.error
    pictures = []
    for asset_id in job.asset_ids:
        with Image.open((await daemon.studio.asset(asset_id)).path) as picture:
            pictures.append(picture.convert("RGB"))
    return pictures


def colour(picture, box):
    """The name of the nearest colour of the palette, or None if it is none of them."""
    shown = ImageStat.Stat(picture.crop(box)).median
    off = {name: max(abs(a - b) for a, b in zip(shown, rgb, strict=True)) for name, rgb in PALETTE.items()}
    name = min(off, key=lambda name: off[name])
    return name if off[name] < FAR else None


def background(picture):
    return colour(picture, (2, 2, 14, 30))


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("portrait of a smiling tan woman with long wavy black hair wearing a teal dress on a yellow background", "yellow"),
        ("une femme triste aux cheveux roux, fond bleu", "blue"),
        ("man, red background, black beard", "red"),
        ("a photo of a zorblax woman, masterpiece, quxly, teal background, 8k", "teal"),
        ("a photo of a 35-year-old woman, red background", "red"),
        ("green background, white clay creature with three eyes", "green"),
        ("LAUGHING MAN ON A BLUE BACKGROUND!!!", "blue"),
    ],
)  # fmt: skip
async def test_a_background_is_drawn_however_it_is_asked_for(daemon, prompt, wanted):
    shown = [background(picture) for picture in await draw(daemon, prompt, seed=1, count=3)]
    assert shown.count(wanted) >= 2, shown


async def test_a_landscape_has_its_sky(daemon):
    [picture] = await draw(
        daemon, "landscape of red, orange, yellow and green hills under a blue sky with a white sun", seed=7
    )
    assert colour(picture, (2, 2, 20, 10)) == "blue"


@pytest.mark.parametrize("guidance", [1, 4, 8])
async def test_guidance_from_1_to_8_stays_in_range(daemon, guidance):
    [picture] = await draw(daemon, "a sad man wearing a white shirt on a teal background", guidance=guidance, seed=3)
    assert background(picture) == "teal"
    burnt = sum(1 for pixel in picture.get_flattened_data() if max(pixel) == 255 and min(pixel) == 0)
    assert burnt < 0.02 * 128 * 128, "colours that only an overdriven picture has"


async def test_a_negative_prompt_keeps_away_what_it_names(daemon):
    plain = [background(one) for one in await draw(daemon, "a tan woman", seed=1, count=8)]
    assert "blue" in plain, plain
    kept = [
        background(one) for one in await draw(daemon, "a tan woman", negative_prompt="blue background", seed=1, count=8)
    ]
    assert "blue" not in kept


async def test_nothing_asked_for_gives_something_to_look_at(daemon):
    for picture in await draw(daemon, "", seed=1, count=2):
        assert max(ImageStat.Stat(picture).stddev) > 20
        assert len(picture.quantize(16).getcolors()) > 6


async def test_six_steps_are_enough(daemon):
    [picture] = await draw(daemon, "a surprised dark woman on a green background", steps=6, seed=2)
    assert background(picture) == "green"


async def test_mira_is_there_from_the_start(daemon):
    jobs = [daemon.still(f"@mira on a {name} background", timeout_s=200, seed=4) for name in ("red", "blue")]
    for job, wanted in zip(await asyncio.gather(*jobs), ("red", "blue"), strict=True):
        asset = await daemon.studio.asset(job.asset_ids[0])
        assert (asset.character.name, [use.name for use in asset.loras]) == ("mira", ["mira"])
        with Image.open(asset.path) as picture:
            assert background(picture.convert("RGB")) == wanted


async def test_a_mask_makes_only_its_pixels_anew(daemon):
    first = await daemon.still("landscape of green hills under a blue sky", seed=3, timeout_s=200)
    with Image.open((await daemon.studio.asset(first.asset_ids[0])).path) as picture:
        before = picture.convert("RGB")
    [after] = await draw(
        daemon,
        "landscape of green hills under a red sky",
        seed=4,
        image=Source(asset_id=first.asset_ids[0], strength=0.9),
        mask=Mask(rects=[Rect(x=0, y=0, width=128, height=40)]),
    )
    changed = ImageChops.difference(before, after)
    assert changed.crop((0, 40, 128, 128)).getbbox() is None
    assert changed.crop((0, 0, 128, 40)).getbbox() is not None
    assert colour(after, (2, 2, 20, 10)) == "red"
