from __future__ import annotations

from pathlib import Path

import pytest

from tendred.schema.again import Difference
from tendred.schema.still import PROMPT_BYTES, StillRequest
from tendred.testing.door import Door


async def test_a_request_becomes_a_job(door: Door) -> None:
    asked = {"prompt": "a hill", "steps": 7, "loras": [{"name": "ink"}], "tags": ["x"]}
    answer = (await door.call("images.generate", "Tendred-Client: krita/5.2", **asked, idempotency_key="k"))["result"]
    assert (answer["deduplicated"], answer["job"]["state"]) == (False, "queued")
    assert answer["job"]["origin"] == {"door": "rpc", "client": "krita/5.2", "file": None}
    (submission,) = door.studio.submissions
    assert submission.asked == asked
    assert submission.key == "rpc:krita:k"
    assert isinstance(submission.request, StillRequest)
    assert (submission.request.steps, submission.request.loras[0].weight) == (7, 1.0)


async def test_the_cli_is_a_door_of_its_own(door: Door) -> None:
    answer = await door.call("images.generate", "Tendred-Client: tendre/0.1", prompt="a")
    assert answer["result"]["job"]["origin"] == {"door": "cli", "client": "tendre/0.1", "file": None}


async def test_the_same_key_is_the_same_job_per_client(door: Door) -> None:
    async def job(client: str, prompt: str = "a") -> dict:
        return await door.call("images.generate", f"Tendred-Client: {client}", prompt=prompt, idempotency_key="k")

    first, again, other = await job("a/1"), await job("a/2"), await job("b/1")
    assert again["result"]["deduplicated"] is True
    assert first["result"]["job"]["id"] == again["result"]["job"]["id"] != other["result"]["job"]["id"]
    assert (await job("a/1", "another"))["error"]["code"] == 1011


@pytest.mark.parametrize("path", ["prompt", "negative_prompt"])
async def test_a_prompt_has_a_size_in_bytes(door: Door, path: str) -> None:
    fits = {"prompt": "a", path: "é" * (PROMPT_BYTES // 2)}
    assert "result" in await door.call("images.generate", **fits)
    error = (await door.call("images.generate", **{**fits, path: fits[path] + "x"}))["error"]
    assert (error["code"], error["data"]["path"]) == (1012, path)
    assert error["data"]["detail"] == {"size_bytes": PROMPT_BYTES + 1, "limit_bytes": PROMPT_BYTES}


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "promt": "b"}, "promt"),
        ({"prompt": "a", "count": 65}, "count"),
        ({"prompt": "a", "width": 63}, "width"),
        ({"prompt": "a", "guidance": -1}, "guidance"),
        ({"prompt": "a", "format": "gif"}, "format"),
        ({"prompt": "a", "lane": "fast"}, "lane"),
        ({"prompt": "a", "seed": -1}, "seed"),
        ({"prompt": "a", "loras": [{"name": "x", "weight": 99}]}, "loras[0].weight"),
        ({"prompt": "a", "loras": [{"name": "x", "wieght": 1}]}, "loras[0].wieght"),
        ({"prompt": "a", "idempotency_key": "x" * 65}, "idempotency_key"),
        ({"prompt": "a", "idempotency_key": ""}, "idempotency_key"),
        ({"prompt": "a", "keep_alive_s": -2}, "keep_alive_s"),
        ({"prompt": "a", "image": {}}, "image.asset_id"),
        ({"prompt": "a", "image": {"asset_id": "x", "strength": 0}}, "image.strength"),
        ({"prompt": "a", "image": "data:image/png;base64,AAAA"}, "image"),
        ({"prompt": "a", "image": {"asset_id": "x", "pixels": "AAAA"}}, "image.pixels"),
        ({"prompt": "a", "mask": {"png": "AAAA"}}, "mask.png"),
        ({"prompt": "a", "mask": {"feather": 65}}, "mask.feather"),
        ({"prompt": "a", "mask": {"runs": [1] * 20_000}}, "mask.runs"),
        ({"prompt": "a", "mask": {"rects": [{"x": 0, "y": 0, "width": 0, "height": 1}]}}, "mask.rects[0].width"),
        ({"prompt": "a", "control": [{"asset_id": "x", "model": "n", "scale": 3}]}, "control[0].scale"),
        ({"prompt": "a", "control": [{"asset_id": "x", "model": "n"}] * 4}, "control"),
        ({"prompt": "a", "clip_skip": 0}, "clip_skip"),
        ({"prompt": "a", "vae": ""}, "vae"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(door: Door, params: dict, path: str) -> None:
    error = (await door.call("images.generate", **params))["error"]
    assert (error["code"], error["data"]["kind"], error["data"]["path"]) == (-32602, "invalid_params", path)
    assert not door.studio.submissions


@pytest.fixture
def asset_id(door: Door, tmp_path: Path) -> str:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    return door.studio.add_asset(path).id


async def test_again_is_promised_or_not_and_may_be_insisted_on(door: Door, asset_id: str) -> None:
    made = (await door.call("images.again", asset_id=asset_id))["result"]
    assert (made["promised"], made["differences"], made["job"]["again"]["asset_id"]) == (True, [], asset_id)
    door.studio.changed = [Difference(what="torch", then="1", now="2")]
    told = (await door.call("images.again", asset_id=asset_id))["result"]
    assert told == {
        "promised": False, "differences": [{"what": "torch", "then": "1", "now": "2"}], "job": None,
        "deduplicated": False,
    }  # fmt: skip
    assert (await door.call("images.again", asset_id=asset_id, insist=True))["result"]["job"]["state"] == "queued"
    assert (await door.call("images.again", asset_id=asset_id, insist=True, dry_run=True))["result"]["job"] is None


async def test_a_wish_says_who_asked_for_what(door: Door, asset_id: str) -> None:
    for method in ("images.again", "images.variations"):
        more = {"asset_id": asset_id, "lane": "idle", "idempotency_key": "k"}
        await door.call(method, "Tendred-Client: a/1", **more)
        wish = door.studio.wishes[-1]
        assert wish.asked == {"method": method, "asset_id": asset_id, "lane": "idle"}
        assert (wish.key, wish.lane, wish.origin.client) == ("rpc:a:k", "idle", "a/1")


async def test_variations_have_a_count_and_a_strength(door: Door, asset_id: str) -> None:
    made = (await door.call("images.variations", asset_id=asset_id))["result"]
    assert made["job"]["request"]["count"] == 4
    await door.call("images.variations", asset_id=asset_id, count=2, strength=1, seed=7)
    assert [(step.seed, step.strength) for step in door.studio.varied] == [(0, 0.2), (7, 1.0)]


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("images.again", {}, "asset_id"),
        ("images.again", {"asset_id": "a", "insist": 1}, "insist"),
        ("images.again", {"asset_id": "a", "prompt": "hills"}, "prompt"),
        ("images.variations", {"asset_id": "a", "count": 0}, "count"),
        ("images.variations", {"asset_id": "a", "count": 65}, "count"),
        ("images.variations", {"asset_id": "a", "strength": 0}, "strength"),
        ("images.variations", {"asset_id": "a", "strength": 1.1}, "strength"),
        ("images.variations", {"asset_id": "a", "seed": -1}, "seed"),
    ],
)
async def test_what_a_recipe_can_not_be_asked_for(door: Door, method: str, params: dict, path: str) -> None:
    assert (await door.call(method, **params))["error"]["data"]["path"] == path
    assert not door.studio.wishes


@pytest.mark.parametrize("method", ["images.again", "images.variations"])
async def test_whose_recipe_nobody_knows(door: Door, method: str) -> None:
    assert (await door.call(method, asset_id="ast_none"))["error"]["code"] == 1010


async def test_a_still_is_made_larger_once_per_key(door: Door, tmp_path: Path) -> None:
    (tmp_path / "own.png").write_bytes(b"x")
    asset = door.studio.add_asset(tmp_path / "own.png")
    answers = [
        (await door.call("images.upscale", asset_id=asset.id, factor=3, idempotency_key="k"))["result"]
        for _ in range(2)
    ]
    assert [answer["deduplicated"] for answer in answers] == [False, True]
    assert door.studio.submissions[0].asked == {"asset_id": asset.id, "factor": 3}
    assert (await door.call("images.upscale", asset_id="ast_nope"))["error"]["code"] == 1010


@pytest.mark.parametrize(
    ("params", "path"),
    [({}, "asset_id"), ({"asset_id": "a", "factor": 5}, "factor"), ({"asset_id": "a", "factor": 1}, "factor"),
     ({"asset_id": "a", "prompt": "b"}, "prompt"), ({"asset_id": "a", "format": "gif"}, "format")],
)  # fmt: skip
async def test_an_upscale_that_does_not_fit_is_named(door: Door, params: dict, path: str) -> None:
    error = (await door.call("images.upscale", **params))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, path)
