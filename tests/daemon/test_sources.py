"""Stills from stills on the whole road, at every door. tests/engine/test_sources.py draws them."""

import itertools
import json
import random
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from tendred.core.studio import UpscaleSubmission
from tendred.errors import (
    BoundaryRefused,
    InvalidParams,
    ModelRefused,
    NotFound,
    StillNotOurs,
    UnsupportedParameter,
)
from tendred.schema.job import Origin
from tendred.schema.source import RUNS, Control, Mask, Rect, Source
from tendred.schema.stroke import STROKES, Stroke
from tendred.schema.upscale import LANCZOS, SIDE, UpscaleRequest
from tendred.schema.weights import file_sha256
from tendred.testing.loras import write

VAE = {"decoder.conv_in.weight": [4, 4, 3, 3]}
NET = {"controlnet_cond_embedding.conv_in.weight": [4, 3, 3, 3]}
COMPACT = {"body.0.weight": [4, 3, 3, 3], "body.2.weight": [12, 4, 3, 3]}
LEFT = Mask(rects=[Rect(x=0, y=0, width=64, height=128)])


@pytest.fixture
async def daemon(tmp_path, make_daemon):
    return await make_daemon(packaged=tmp_path / "package")


@pytest.fixture
def shelf(daemon):
    """The user's models: a ControlNet, an autoencoder, an upscaler."""
    root = daemon.home / "data" / "models"
    write(root / "controlnets" / "lines.safetensors", NET)
    write(root / "vaes" / "crisp.safetensors", VAE)
    write(root / "upscalers" / "sharp.safetensors", COMPACT)
    return root


async def asset_of(daemon, job):
    assert job.state == "succeeded", job.error
    return await daemon.studio.asset(job.asset_ids[0])


@pytest.fixture
async def own(daemon):
    """A still of this library."""
    return await asset_of(daemon, await daemon.still("blue hills", seed=3))


async def upscaled(daemon, asset_id, key=None, **fields):
    request = UpscaleRequest(asset_id=asset_id, **fields)
    submission = UpscaleSubmission(request=request, asked={"asset_id": asset_id}, key=key)
    made = await daemon.studio.upscale(submission, Origin(door="rpc"))
    return await daemon.studio.wait(made.job.id, 20)


async def test_a_still_from_a_still_is_recorded_with_its_parent(daemon, own):
    plain = await asset_of(daemon, await daemon.still("red hills", seed=1))
    job = await daemon.still("red hills", seed=1, image=Source(asset_id=own.id, strength=0.4))
    asset = await asset_of(daemon, job)
    assert asset.parents == [own.id]
    assert asset.pixels_sha256 != plain.pixels_sha256
    arranged = {"crop": None, "mirror": False, "turn": 0, "strokes": None}
    assert job.request["image"] == {"asset_id": own.id, "sha256": own.sha256, "strength": 0.4, **arranged}
    assert asset.settings["image"] == job.request["image"]
    receipt = await daemon.studio.receipt(asset.receipt_id)
    assert receipt.settings["image"] == job.request["image"]
    assert receipt.asked["image"] == {"asset_id": own.id, "strength": 0.4, **arranged, "strokes": []}
    with Image.open(asset.path) as picture:
        assert "Denoising strength: 0.4" in picture.text["parameters"]
    again = await asset_of(daemon, await daemon.still("red hills", seed=1, image=Source(asset_id=own.id, strength=0.4)))
    assert again.pixels_sha256 == asset.pixels_sha256


async def test_a_mask_of_many_runs_travels_in_every_format(daemon, own):
    # As many runs as there may be, of as many pieces, and no two rows alike.
    dice, runs = random.Random(1), list[int]()
    for _ in range(128):
        edges = [0, *(8 * number + dice.randrange(-2, 3) for number in range(1, 128)), 1024]
        runs += [after - before for before, after in itertools.pairwise(edges)]
    assert len(runs) == RUNS
    mask = Mask(runs=runs, width=1024, height=128)
    for form in ("png", "jpeg", "webp"):
        job = await daemon.still(
            "red hills", format=form, image=Source(asset_id=own.id), mask=mask, width=1024, height=128
        )
        assert (await asset_of(daemon, job)).settings["mask"]["runs"] == runs


async def test_control_vae_and_clip_skip_are_settled_by_hash(daemon, own, shelf):
    control = Control(asset_id=own.id, model="lines", scale=0.5, end=0.8)
    job = await daemon.still(
        "red hills", seed=1, control=[control], vae="crisp", image=Source(asset_id=own.id), mask=LEFT
    )
    asset = await asset_of(daemon, job)
    assert asset.parents == [own.id]
    [used] = job.request["control"]
    assert (used["model"], used["scale"], used["end"]) == ("lines", 0.5, 0.8)
    assert used["model_sha256"] == file_sha256(shelf / "controlnets" / "lines.safetensors")
    assert job.request["vae"]["sha256"] == file_sha256(shelf / "vaes" / "crisp.safetensors")
    assert job.request["mask"]["width"] == 128
    with Image.open(asset.path) as picture:
        assert "VAE: crisp" in picture.text["parameters"]


async def test_the_size_is_that_of_the_image_unless_told(daemon):
    wide = await asset_of(daemon, await daemon.still("hills", width=192, height=64))
    job = await daemon.still("hills", image=Source(asset_id=wide.id))
    assert (job.request["width"], job.request["height"]) == (192, 64)
    job = await daemon.still("hills", image=Source(asset_id=wide.id), width=64)
    assert (job.request["width"], job.request["height"]) == (64, 128)


@pytest.mark.parametrize(
    ("fields", "error", "path"),
    [
        ({"image": Source(asset_id="ast_nope")}, StillNotOurs, "image.asset_id"),
        ({"image": Source(asset_id="/etc/hostname")}, StillNotOurs, "image.asset_id"),
        ({"mask": LEFT}, InvalidParams, "mask"),
        ({"control": [Control(asset_id="ast_nope", model="lines")]}, StillNotOurs, "control[0].asset_id"),
        ({"control": [Control(asset_id="OWN", model="lnes")]}, NotFound, "control[0].model"),
        ({"control": [Control(asset_id="OWN", model="lines", start=0.5, end=0.5)]}, InvalidParams, "control[0].end"),
        ({"vae": "crips"}, NotFound, "vae"),
        (
            {"control": [Control(asset_id="OWN", model="lines", crop=Rect(x=64, y=0, width=65, height=1))]},
            InvalidParams,
            "control[0].crop",
        ),
        ({"clip_skip": 12}, InvalidParams, "clip_skip"),
        ({"image": Source(asset_id="OWN", strength=0.01), "steps": 20}, InvalidParams, "image.strength"),
        (
            {"image": Source(asset_id="OWN"), "mask": Mask(runs=[0, 64 * 64], width=64, height=64)},
            InvalidParams,
            "mask",
        ),
    ],
)
async def test_what_does_not_fit_is_named(daemon, own, shelf, fields, error, path):
    if "image" in fields and fields["image"].asset_id == "OWN":
        fields = {**fields, "image": Source(asset_id=own.id, strength=fields["image"].strength)}
    if "control" in fields and fields["control"][0].asset_id == "OWN":
        one = fields["control"][0]
        fields = {
            **fields,
            "control": [Control(asset_id=own.id, model=one.model, start=one.start, end=one.end, crop=one.crop)],
        }
    with pytest.raises(error) as caught:
        await daemon.submit("hills", **fields)
    assert caught.value.path == path


async def test_a_still_that_changed_or_went_between_is_refused(daemon, own):
    await daemon.studio.pause(mode="drain", unload=False)
    waiting = [await daemon.submit("red hills", image=Source(asset_id=own.id)) for _ in range(2)]
    Path(own.path).write_bytes(Path(own.path).read_bytes() + b"\0")
    with pytest.raises(StillNotOurs) as caught:
        await daemon.submit("red hills", image=Source(asset_id=own.id))
    assert caught.value.variant == "changed"
    await daemon.studio.resume()
    job = await daemon.studio.wait(waiting[0].id, 20)
    assert (job.state, job.error.kind, job.error.path) == ("failed", "still_not_ours", "image.asset_id")
    await daemon.studio.remove_asset(own.id)
    with pytest.raises(StillNotOurs) as caught:
        await daemon.submit("red hills", image=Source(asset_id=own.id))
    assert caught.value.variant == "gone"


async def test_weights_that_changed_between_are_refused(daemon, own, shelf):
    await daemon.studio.pause(mode="drain", unload=False)
    job = await daemon.submit("red hills", vae="crisp")
    write(shelf / "vaes" / "crisp.safetensors", VAE, seed=1)
    await daemon.studio.resume()
    job = await daemon.studio.wait(job.id, 20)
    assert (job.error.kind, job.error.path) == ("model_refused", "vae")


async def test_what_is_painted_is_kept_by_hash_and_counts_for_all_that_follows(daemon, own):
    strokes = [
        Stroke(colour="#ff0000", width=2.0, points=[1, 1, 60, 60]),
        Stroke(colour="#0000ff", width=1.0, points=[5, 5]),
    ]
    painted = Source(asset_id=own.id, crop=Rect(x=0, y=0, width=64, height=96), mirror=True, turn=90, strokes=strokes)
    job = await daemon.still("red hills", image=painted)
    asset = await asset_of(daemon, job)
    assert (job.request["width"], job.request["height"]) == (96, 64)
    assert job.request["image"]["crop"] == {"x": 0, "y": 0, "width": 64, "height": 96}
    assert (job.request["image"]["mirror"], job.request["image"]["turn"]) == (True, 90)
    [use] = job.request["painted"]
    assert (use["strokes"], use["points"], use["colours"]) == (2, 3, ["#0000ff", "#ff0000"])
    assert use["sha256"] == job.request["image"]["strokes"]
    document = daemon.home / "data" / "strokes" / f"{use['sha256']}.json"
    assert file_sha256(document) == use["sha256"]
    receipt = await daemon.studio.receipt(asset.receipt_id)
    assert (asset.parents, receipt.settings["image"]["sha256"]) == ([own.id], own.sha256)
    assert await daemon.studio.receipt((await daemon.studio.asset(asset.parents[0])).receipt_id)
    # It counts in what comes of it, however often that is passed on.
    larger = await asset_of(daemon, await upscaled(daemon, asset.id, model=LANCZOS))
    child = await daemon.still("red hills", image=Source(asset_id=larger.id, strokes=strokes[:1]))
    assert [one["strokes"] for one in child.request["painted"]] == [2, 1]
    with pytest.raises(InvalidParams) as caught:
        await daemon.submit("hills", image=Source(asset_id=child.asset_ids[0], strokes=[strokes[0]] * (STROKES - 2)))
    assert caught.value.path == "image.strokes"
    # Other bytes under its name are refused by whoever draws; without it there is nothing to draw.
    await daemon.studio.pause(mode="drain", unload=False)
    waiting = [await daemon.submit("red hills", image=painted) for _ in range(2)]
    document.write_bytes(document.read_bytes().replace(b"60", b"61"))
    await daemon.studio.resume()
    for one in waiting:
        done = await daemon.studio.wait(one.id, 20)
        assert (done.state, done.error.kind) == ("failed", "still_not_ours")
    document.unlink()
    with pytest.raises(NotFound) as caught:
        await daemon.studio.retry(waiting[0].id, Origin(door="rpc"))
    assert caught.value.path == "image.strokes"


async def test_what_was_painted_under_refused_words_is_not_kept(daemon, own):
    dot = Stroke(colour="#ff0000", width=2.0, points=[1, 1])
    with pytest.raises(BoundaryRefused):
        await daemon.submit("a 15 year old", image=Source(asset_id=own.id, strokes=[dot]))
    assert not (daemon.home / "data" / "strokes").exists()


async def test_what_a_picture_shows_is_judged_by_its_own_words(daemon, own, shelf):
    woman = await asset_of(daemon, await daemon.still("a woman in red"))
    anchors = [
        (await daemon.studio.receipt((await asset_of(daemon, await daemon.still("red hills", **fields))).receipt_id))
        .verdict.anchor
        for fields in ({"control": [Control(asset_id=one.id, model="lines")]} for one in (own, woman))
    ]  # fmt: skip
    # Nobody is in the words; somebody is in the second picture.
    assert anchors[0] is None
    assert anchors[1] is not None
    # And stays there, whatever the pictures in between were asked for with.
    larger = await asset_of(daemon, await upscaled(daemon, woman.id))
    child = await asset_of(daemon, await daemon.still("red hills", image=Source(asset_id=larger.id)))
    last = await asset_of(daemon, await daemon.still("red hills", image=Source(asset_id=child.id)))
    for one in (larger, child, last):
        assert (await daemon.studio.receipt(one.receipt_id)).verdict.anchor == anchors[1]
    write(shelf / "controlnets" / "kids.safetensors", NET)
    with pytest.raises(BoundaryRefused) as caught:
        await daemon.submit("hills", control=[Control(asset_id=own.id, model="kids")])
    assert caught.value.path == "control[0].model"


async def test_a_family_without_is_refused_by_name(daemon, own, tmp_path):
    folder = tmp_path / "flux2"
    write(folder / "transformer" / "diffusion_pytorch_model.safetensors", {"w": [1]})
    index = {"_class_name": "Flux2Pipeline", "transformer": ["diffusers", "Flux2Transformer2DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "scheduler").mkdir()
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    await daemon.studio.add_model(str(folder), None)
    image = Source(asset_id=own.id)
    for fields, path in (
        ({"image": image}, "image"),
        ({"image": image, "mask": LEFT}, "mask"),
        ({"control": [Control(asset_id=own.id, model="lines")]}, "control"),
        ({"clip_skip": 2}, "clip_skip"),
        ({"negative_prompt": "fog"}, "negative_prompt"),
    ):
        with pytest.raises(UnsupportedParameter) as caught:
            await daemon.submit("hills", model="flux2", **fields)
        assert (caught.value.path, caught.value.detail["model"]) == (path, "flux2")
    shown = await daemon.studio.cache.show("flux2", None)
    assert {one.name for one in shown.takes}.isdisjoint({"image", "mask", "control", "clip_skip", "negative_prompt"})
    assert (await daemon.studio.cache.show(None, None)).model.name == "starter"


# -- larger


async def test_a_still_is_made_larger(daemon, own, shelf):
    job = await upscaled(daemon, own.id, factor=3, tags=["large"])
    assert (job.kind, job.state, job.error) == ("upscale", "succeeded", None)
    asset = await asset_of(daemon, job)
    assert (asset.kind, asset.width, asset.height) == ("still", 384, 384)
    assert asset.parents == [own.id]
    assert (asset.model.name, asset.seed, asset.tags) == (LANCZOS, own.seed, ["large"])
    assert asset.settings["prompt"] == "blue hills"
    with Image.open(asset.path) as picture:
        assert picture.size == (384, 384)
    # Larger still, from what was made larger; and by name.
    job = await upscaled(daemon, asset.id, factor=2, model="sharp", format="jpeg")
    larger = await asset_of(daemon, job)
    assert (larger.width, larger.model.name) == (768, "sharp")
    assert larger.model.sha256 == file_sha256(shelf / "upscalers" / "sharp.safetensors")
    assert "sharp" not in {model.name for model in (await daemon.studio.models("model")).models}
    assert [one.id for one in await daemon.eventually_search("blue hills")] != []


async def test_the_upscaler_that_ships_is_for_what_the_starter_draws(daemon, own, tmp_path):
    write(tmp_path / "package" / "upscalers" / "drawn-x2.safetensors", COMPACT)
    assert (await asset_of(daemon, await upscaled(daemon, own.id))).model.name == "drawn-x2"
    assert (await asset_of(daemon, await upscaled(daemon, own.id, model=LANCZOS))).model.name == LANCZOS


async def test_the_same_key_makes_one_job(daemon, own):
    first, again = [await upscaled(daemon, own.id, key="k") for _ in range(2)]
    assert first.id == again.id


async def test_an_upscale_that_does_not_fit_is_named(daemon, own, shelf):
    for fields, error, path in (
        ({"asset_id": "ast_nope"}, StillNotOurs, "asset_id"),
        ({"model": "shrp"}, NotFound, "model"),
        ({"tags": ["a 15 year old"]}, BoundaryRefused, "tags[0]"),
    ):
        with pytest.raises(error) as caught:
            await upscaled(daemon, **{"asset_id": own.id, **fields})
        assert caught.value.path == path
    (shelf / "upscalers" / "old.pth").write_bytes(b"x")
    with pytest.raises(ModelRefused) as refused:
        await upscaled(daemon, own.id, model="old")
    assert refused.value.detail["reason"] == "pickle"
    large = await asset_of(daemon, await daemon.still("hills", width=1024, height=1024))
    larger = await asset_of(daemon, await upscaled(daemon, large.id, factor=4, format="jpeg"))
    with pytest.raises(InvalidParams) as caught:
        await upscaled(daemon, larger.id, factor=SIDE // larger.width + 1)
    assert caught.value.path == "factor"


async def test_an_upscale_that_waits_survives_a_restart(make_daemon, tmp_path):
    daemon = await make_daemon(packaged=tmp_path / "package")
    own = await asset_of(daemon, await daemon.still("blue hills"))
    await daemon.studio.pause(mode="drain", unload=False)
    request = UpscaleRequest(asset_id=own.id)
    made = await daemon.studio.upscale(UpscaleSubmission(request=request, asked={}, key=None), Origin(door="rpc"))
    await daemon.stop()
    daemon = await make_daemon(packaged=tmp_path / "package")
    await daemon.studio.resume()
    assert (await daemon.studio.wait(made.job.id, 20)).state == "succeeded"


# -- doors


async def test_over_http_and_in_the_hot_folder(daemon, own):
    call = {"jsonrpc": "2.0", "id": 1, "method": "images.upscale", "params": {"asset_id": own.id, "factor": 2}}
    headers = {"Authorization": f"Bearer {daemon.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/rpc", json=call) as answer,
    ):
        job = (await answer.json())["result"]["job"]
    assert job["kind"] == "upscale"
    assert (await daemon.studio.wait(job["id"], 20)).state == "succeeded"
    hot = daemon.home / "hot"
    asked = {"prompt": "red hills", "image": {"asset_id": own.id, "strength": 0.5}, "seed": 1}
    (hot / "from.json").write_text(json.dumps(asked))
    (hot / "outside.json").write_text(json.dumps({**asked, "image": {"asset_id": "photo.png"}}))
    done = await daemon.eventually(lambda: [*(hot / "done").glob("from*.png")])
    assert len(done) == 1
    [reason] = await daemon.eventually(lambda: [*(hot / "failed").glob("outside*.reason.json")])
    assert json.loads(reason.read_text())["kind"] == "still_not_ours"
