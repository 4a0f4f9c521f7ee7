"""The same picture once more, and pictures near it, on the whole road. tests/engine/test_again.py draws them."""

import asyncio
import sqlite3
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from tendred.core.studio import Wish
from tendred.errors import IdempotencyConflict, InvalidParams, ModelMissing, NotFound, StillNotOurs
from tendred.schema.again import Difference
from tendred.schema.job import Origin
from tendred.schema.sheet import ContactRequest
from tendred.schema.still import LoraUse
from tendred.testing.loras import write


def wish(key=None, **asked):
    return Wish(origin=Origin(door="rpc"), asked=asked, key=key)


async def made(daemon, *fields, **more):
    job = await daemon.still(*fields, **more)
    assert job.state == "succeeded", job.error
    return [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]


async def again(daemon, asset, *, dry_run=False, insist=False, key=None):
    return await daemon.studio.again(asset.id, wish(key, asset_id=asset.id), dry_run=dry_run, insist=insist)


async def ended(daemon, job):
    job = await daemon.studio.wait(job.id, 20)
    assert job.state == "succeeded", job.error
    return job


async def test_it_is_promised_kept_and_linked(daemon):
    asset = (await made(daemon, "red hills", seed=5, count=2, tags=["a"], format="webp"))[1]
    answer = await again(daemon, asset)
    assert (answer.promised, answer.differences, answer.deduplicated) == (True, [], False)
    assert (answer.job.again.asset_id, answer.job.again.promised) == (asset.id, True)
    job = await ended(daemon, answer.job)
    assert job.again.equal is True
    [copy] = [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]
    assert (copy.pixels_sha256, copy.seed, copy.parents) == (asset.pixels_sha256, 6, [asset.id])
    assert (copy.media_type, copy.tags, copy.engine) == ("image/webp", ["a"], asset.engine)
    assert (await daemon.studio.receipt(copy.receipt_id)).settings["again"]["asset_id"] == asset.id
    # A copy of the copy is a copy of what both are.
    third = await ended(daemon, (await again(daemon, copy)).job)
    assert (third.again.asset_id, third.again.equal) == (copy.id, True)


async def test_it_works_when_the_file_is_gone_in_a_new_process_and_is_drawn_anew(daemon, make_daemon):
    [asset] = await made(daemon, "red hills", seed=5, steps=7)
    Path(asset.path).unlink()
    await daemon.studio.remove_asset(asset.id)
    await daemon.stop()
    other = await make_daemon(home=daemon.home)
    other.script(step_s=0.01)
    progress = other.studio.subscribe(["job.progress"])
    answer = await again(other, asset)
    assert answer.promised
    job = await ended(other, answer.job)
    assert job.again.equal is True
    steps = set()
    while progress._queue:
        told = (await progress.get()).data["progress"]
        steps.add((told["phase"], told["total"]))
    assert ("saving", 1) in steps
    assert job.request["steps"] == 7
    assert Path((await other.studio.asset(job.asset_ids[0])).path).is_file()
    assert not Path(asset.path).exists()


async def test_every_step_is_done_once_more(daemon):
    [asset] = await made(daemon, "red hills", steps=6)
    daemon.script(step_s=0.05)
    progress = daemon.studio.subscribe(["job.progress"])
    answer = await again(daemon, asset)
    seen = set()
    async with asyncio.timeout(20):
        while (event := await progress.get()).data["progress"]["phase"] != "saving":
            if event.job_id == answer.job.id and event.data["progress"]["phase"] == "sampling":
                seen.add(event.data["progress"]["done"])
    # The newest progress replaces one that nobody has read yet: the last step's is that of decoding.
    assert seen >= {1, 2, 3, 4, 5}


async def test_another_engine_is_told_before_anything_starts(daemon):
    [asset] = await made(daemon, "red hills")
    daemon.script(torch="later")
    await daemon.studio.unload(None)
    before = (await daemon.studio.queue_status()).counts
    answer = await again(daemon, asset)
    assert (answer.promised, answer.job) == (False, None)
    assert answer.differences == [Difference(what="torch", then="fake", now="later")]
    assert (await daemon.studio.queue_status()).counts == before
    insisted = await again(daemon, asset, insist=True)
    assert insisted.differences == answer.differences
    job = await ended(daemon, insisted.job)
    # Nobody promised it, and it is said all the same.
    assert (job.again.promised, job.again.equal) == (False, False)


async def test_a_dry_run_makes_nothing(daemon):
    [asset] = await made(daemon, "red hills")
    for insist in (False, True):
        answer = await again(daemon, asset, dry_run=True, insist=insist)
        assert (answer.promised, answer.job) == (True, None)
    assert sum((await daemon.studio.queue_status()).counts.values()) == 1


async def test_other_weights_are_told_and_missing_ones_too(daemon):
    file = write(daemon.home / "data" / "models" / "loras" / "ink.safetensors")
    [asset] = await made(daemon, "hills", loras=[LoraUse(name="ink", weight=0.5)])
    assert (await again(daemon, asset, dry_run=True)).promised
    write(file, seed=1)
    [found] = (await again(daemon, asset)).differences
    assert (found.what, found.then) == ("loras[0]", asset.loras[0].sha256)
    assert found.now not in {None, found.then}
    job = await ended(daemon, (await again(daemon, asset, insist=True)).job)
    assert job.again.equal is False
    file.unlink()
    for dry_run in (False, True):
        answer = await again(daemon, asset, dry_run=dry_run)
        assert (answer.differences, answer.job) == ([Difference(what="loras[0]", then=found.then, now=None)], None)
    with pytest.raises(NotFound):
        await again(daemon, asset, insist=True)


async def test_what_was_promised_is_not_drawn_with_other_weights(daemon):
    file = write(daemon.home / "data" / "models" / "loras" / "ink.safetensors")
    [asset] = await made(daemon, "hills", loras=[LoraUse(name="ink", weight=0.5)])
    await daemon.studio.pause(mode="drain", unload=False)
    promised = await again(daemon, asset)
    assert promised.promised
    write(file, seed=1)
    await daemon.studio.resume()
    job = await daemon.studio.wait(promised.job.id, 20)
    assert (job.state, job.asset_ids, job.error.kind) == ("failed", [], "model_refused")
    assert "loras[0]" in job.error.message
    # A retry is the same promise.
    retried = await daemon.studio.retry(job.id, Origin(door="rpc"))
    assert (await daemon.studio.wait(retried.job.id, 20)).state == "failed"
    # Where nobody promises anything, it is drawn.
    await ended(daemon, (await again(daemon, asset, insist=True)).job)


async def test_what_was_promised_is_not_drawn_by_another_engine(daemon):
    [asset] = await made(daemon, "hills")
    await daemon.studio.pause(mode="drain", unload=True)
    promised = await again(daemon, asset)
    assert promised.promised
    daemon.script(torch="later")
    await daemon.studio.unload(None)
    await daemon.studio.resume()
    job = await daemon.studio.wait(promised.job.id, 20)
    assert (job.state, job.error.kind) == ("failed", "model_refused")
    assert "torch" in job.error.message


async def test_a_model_that_is_gone(daemon, tmp_path):
    folder = tmp_path / "mine"
    folder.symlink_to(Path(__file__).parents[2] / "tendred" / "models" / "starter", target_is_directory=True)
    await daemon.studio.add_model(str(folder), "mine")
    [asset] = await made(daemon, "hills", model="mine")
    assert (await again(daemon, asset, dry_run=True)).promised
    folder.unlink()
    answer = await again(daemon, asset)
    assert (answer.differences, answer.job) == (
        [Difference(what="model", then=asset.model.sha256, now=None)], None,
    )  # fmt: skip
    with pytest.raises(ModelMissing):
        await again(daemon, asset, insist=True)


@pytest.mark.parametrize(
    ("table", "old", "new", "what"),
    [
        ("asset", '"policy":"', '"policy":"older ', "policy"),
        ("receipt", '"anchor":null', '"anchor":"grown-up"', "anchor"),
    ],
)
async def test_what_the_boundary_adds_counts_too(daemon, make_daemon, table, old, new, what):
    """The words stay as they are, but other rules may lead to another conditioning."""
    [asset] = await made(daemon, "red hills")
    await daemon.stop()
    with sqlite3.connect(daemon.daemon.paths.database) as database:
        (doc,) = database.execute(f"SELECT doc FROM {table}").fetchone()
        assert old.encode() in doc
        database.execute("DROP TRIGGER receipt_erased")  # who writes past the daemon can
        database.execute(f"UPDATE {table} SET doc = ?", (doc.replace(old.encode(), new.encode()),))
    database.close()
    other = await make_daemon(home=daemon.home)
    answer = await again(other, asset)
    assert ([found.what for found in answer.differences], answer.job) == ([what], None)
    assert (await ended(other, (await again(other, asset, insist=True)).job)).again.promised is False


async def test_an_idempotency_key_makes_one_job(daemon):
    [asset] = await made(daemon, "hills")
    first, second = [await again(daemon, asset, key="rpc:k") for _ in range(2)]
    assert (second.job.id, second.promised, second.deduplicated) == (first.job.id, True, True)
    with pytest.raises(IdempotencyConflict):
        await daemon.studio.again(asset.id, wish("rpc:k", asset_id="other"), dry_run=False, insist=False)


async def test_what_was_not_drawn_and_what_is_not_there(daemon):
    [asset] = await made(daemon, "hills")
    job = await ended(daemon, (await daemon.studio.sheet(ContactRequest(asset_ids=[asset.id]), wish())).job)
    sheet = await daemon.studio.asset(job.asset_ids[0])
    with pytest.raises(StillNotOurs):
        await again(daemon, sheet)
    with pytest.raises(StillNotOurs):
        await daemon.studio.variations(sheet.id, wish(), count=1, strength=0.5, seed=None)
    with pytest.raises(NotFound):
        await daemon.studio.again("ast_none", wish(), dry_run=False, insist=False)


async def test_variations_share_a_seed_and_differ_by_another(daemon):
    [asset] = await made(daemon, "red hills", seed=5)
    answer = await daemon.studio.variations(asset.id, wish(n=1), count=3, strength=0.25, seed=40)
    job = await ended(daemon, answer.job)
    assets = [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]
    assert [one.seed for one in assets] == [5, 5, 5]
    assert [one.settings["variations"] for one in assets] == [
        [{"asset_id": asset.id, "seed": seed, "strength": 0.25}] for seed in (40, 41, 42)
    ]
    assert len({asset.pixels_sha256, *(one.pixels_sha256 for one in assets)}) == 4
    assert [one.parents for one in assets] == [[asset.id]] * 3
    assert job.again is None
    with Image.open(assets[2].path) as picture:
        assert "Variation seed: 42, Variation seed strength: 0.25, " in picture.text["parameters"]
    # Each of them can be made again, and varied further.
    copy = await ended(daemon, (await again(daemon, assets[1])).job)
    assert copy.again.equal is True
    further = await daemon.studio.variations(assets[1].id, wish(n=2), count=1, strength=0.5, seed=None)
    further = await ended(daemon, further.job)
    [last] = [await daemon.studio.asset(asset_id) for asset_id in further.asset_ids]
    assert [step["asset_id"] for step in last.settings["variations"]] == [asset.id, assets[1].id]
    assert last.parents == [assets[1].id]
    assert (await ended(daemon, (await again(daemon, last)).job)).again.equal is True


async def test_variations_of_variations_come_to_an_end(daemon):
    await daemon.studio.pause(mode="drain", unload=False)
    await daemon.studio.resume()
    [asset] = await made(daemon, "red hills", steps=1)
    for number in range(16):
        answer = await daemon.studio.variations(asset.id, wish(n=number), count=1, strength=0.1, seed=1)
        job = await ended(daemon, answer.job)
        asset = await daemon.studio.asset(job.asset_ids[0])
    with pytest.raises(InvalidParams) as caught:
        await daemon.studio.variations(asset.id, wish(), count=1, strength=0.1, seed=1)
    assert caught.value.path == "asset_id"


async def test_over_http(daemon):
    [asset] = await made(daemon, "red hills")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:

        async def call(method, **params):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(f"{daemon.url}/rpc", json=body) as answer:
                return await answer.json()

        dry = (await call("images.again", asset_id=asset.id, dry_run=True))["result"]
        assert dry == {"promised": True, "differences": [], "job": None, "deduplicated": False}
        job = (await call("images.again", asset_id=asset.id))["result"]["job"]
        assert job["again"] == {"asset_id": asset.id, "promised": True, "equal": None}
        job = (await call("jobs.wait", job_id=job["id"], timeout_s=20))["result"]
        assert job["again"]["equal"] is True
        varied = (await call("images.variations", asset_id=asset.id, count=2))["result"]["job"]
        assert varied["request"]["count"] == 2
        assert varied["request"]["variations"][0]["strength"] == 0.2
        for strength in (0, 1.5, -1):
            error = (await call("images.variations", asset_id=asset.id, strength=strength))["error"]
            assert error["data"]["path"] == "strength"
