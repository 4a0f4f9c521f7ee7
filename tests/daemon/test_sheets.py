"""Contact sheets on the whole road."""

import json
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from tendred.core.studio import Search, Wish
from tendred.errors import BoundaryRefused, IdempotencyConflict, InvalidParams, NotFound, StillNotOurs
from tendred.schema.job import Origin
from tendred.schema.sheet import ContactRequest


def wish(key=None, **asked):
    return Wish(origin=Origin(door="rpc"), asked=asked, key=key)


@pytest.fixture
async def stills(daemon):
    """Three stills of other shapes."""
    jobs = [await daemon.still("red hills", seed=seed, width=64 * seed, height=128) for seed in (1, 2, 3)]
    return [await daemon.studio.asset(job.asset_ids[0]) for job in jobs]


async def sheet(daemon, **fields):
    job = (await daemon.studio.sheet(ContactRequest(**fields), wish())).job
    return await daemon.studio.wait(job.id, 20)


def ids(stills):
    return [asset.id for asset in stills]


async def test_a_sheet_is_a_job_and_an_asset_like_any_other(daemon, stills):
    job = await sheet(
        daemon, asset_ids=ids(stills), title="Hills", labels=["one", "two", "three"], columns=2, tags=["t"]
    )
    assert (job.kind, job.state, job.error) == ("sheet", "succeeded", None)
    [made] = [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]
    assert (made.kind, made.media_type, made.tags, made.parents) == ("sheet", "image/png", ["t"], ids(stills))
    assert (made.model, made.loras, made.character) == (stills[0].model, [], None)
    assert [cell["label"] for cell in made.settings["cells"]] == ["one", "two", "three"]
    with Image.open(made.path) as picture:
        assert picture.size == (made.width, made.height)
        assert picture.text["parameters"].startswith("Hills\n")
        assert "trainedAlgorithmicMedia" in picture.text["XML:com.adobe.xmp"]
    receipt = await daemon.studio.receipt(made.receipt_id)
    assert (receipt.made[0].asset_id, receipt.settings["title"]) == (made.id, "Hills")
    assert json.loads(next(daemon.home.rglob("* sheet-hills *.receipt.json")).read_text())["id"] == receipt.id
    assert (await daemon.studio.search(Search(kind="sheet"))).assets == [made]
    assert made.id in {asset.id for asset in await daemon.eventually_search("three")}
    # The engine had no part in it.
    topics = [
        event.topic for event in (await daemon.studio.events_since(1, ["job."], 500)).events if event.job_id == job.id
    ]
    assert topics == ["job.queued", "job.started", "job.output", "job.succeeded"]


async def test_the_same_pictures_are_the_same_pixels(daemon, stills):
    jobs = [await sheet(daemon, asset_ids=ids(stills), format=form) for form in ("png", "webp")]
    first, second = [await daemon.studio.asset(job.asset_ids[0]) for job in jobs]
    assert first.pixels_sha256 == second.pixels_sha256
    assert second.media_type == "image/webp"
    assert [cell["label"] for cell in first.settings["cells"]] == ["seed 1", "seed 2", "seed 3"]


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"labels": ["one"]}, InvalidParams, "labels"),
        ({"labels": ["a", "a 15 year old", "c"]}, BoundaryRefused, "labels[1]"),
        ({"title": "schoolgirl"}, BoundaryRefused, "title"),
        ({"tags": ["a 15 year old"]}, BoundaryRefused, "tags[0]"),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_place(daemon, stills, fields, kind, path):
    with pytest.raises(kind) as caught:
        await sheet(daemon, **{"asset_ids": ids(stills), **fields})
    assert caught.value.path == path
    assert daemon.studio.tell(caught.value).next


async def test_too_many_rows(daemon, stills):
    with pytest.raises(InvalidParams) as caught:
        await sheet(daemon, asset_ids=[stills[0].id] * 81, columns=1)
    assert caught.value.path == "columns"


async def test_only_stills_of_this_library_that_are_there(daemon, stills):
    with pytest.raises(NotFound) as caught:
        await sheet(daemon, asset_ids=[stills[0].id, "ast_none"])
    assert caught.value.path == "asset_ids[1]"
    made = await sheet(daemon, asset_ids=ids(stills))
    with pytest.raises(StillNotOurs):
        await sheet(daemon, asset_ids=made.asset_ids)
    Path(stills[2].path).unlink()
    with pytest.raises(NotFound) as caught:
        await sheet(daemon, asset_ids=ids(stills))
    assert caught.value.path == "asset_ids[2]"


async def test_one_that_went_while_the_job_waited_leaves_its_place_empty(daemon, stills):
    await daemon.studio.pause(mode="drain", unload=False)
    job = (await daemon.studio.sheet(ContactRequest(asset_ids=ids(stills)), wish())).job
    Path(stills[1].path).unlink()
    await daemon.studio.resume()
    job = await daemon.studio.wait(job.id, 20)
    assert (job.state, job.error) == ("succeeded", None)
    assert (await daemon.studio.asset(job.asset_ids[0])).parents == [stills[0].id, stills[2].id]


async def test_it_waits_over_a_restart_and_a_key_makes_one(daemon, make_daemon, stills):
    await daemon.studio.pause(mode="drain", unload=False)
    request = ContactRequest(asset_ids=ids(stills))
    first, second = [await daemon.studio.sheet(request, wish("rpc:k", n=1)) for _ in range(2)]
    assert (first.job.id, second.deduplicated) == (second.job.id, True)
    with pytest.raises(IdempotencyConflict):
        await daemon.studio.sheet(request, wish("rpc:k", n=2))
    await daemon.stop()
    other = await make_daemon(home=daemon.home)
    await other.studio.resume()
    assert (await other.studio.wait(first.job.id, 20)).state == "succeeded"


async def test_a_cancelled_sheet_is_not_made(daemon, stills):
    await daemon.studio.pause(mode="drain", unload=False)
    job = (await daemon.studio.sheet(ContactRequest(asset_ids=ids(stills)), wish())).job
    assert (await daemon.studio.cancel(job.id)).state == "cancelled"


async def test_over_http(daemon, stills):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "library.sheet",
            "params": {"asset_ids": ids(stills), "title": "x"},
        }
        async with session.post(f"{daemon.url}/rpc", json=body) as answer:
            made = (await answer.json())["result"]
        job = await daemon.studio.wait(made["job"]["id"], 20)
        async with session.get(f"{daemon.url}/media/{job.asset_ids[0]}") as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
