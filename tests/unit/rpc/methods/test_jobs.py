from __future__ import annotations

import base64
from typing import Any

import pytest

from tendred.testing.door import Door


async def jobs(door: Door, count: int) -> list[str]:
    made = [await door.call("images.generate", prompt=str(index)) for index in range(count)]
    return [answer["result"]["job"]["id"] for answer in made]


async def test_get(door: Door) -> None:
    (job_id,) = await jobs(door, 1)
    assert (await door.call("jobs.get", job_id=job_id))["result"]["id"] == job_id
    error = (await door.call("jobs.get", job_id="job_none"))["error"]
    assert (error["code"], error["data"]["detail"]["noun"]) == (1010, "job")


async def test_list_in_pages(door: Door) -> None:
    ids = await jobs(door, 5)
    seen: list[str] = []
    cursor: Any = None
    while True:
        page = (await door.call("jobs.list", limit=2, cursor=cursor))["result"]
        seen += [job["id"] for job in page["jobs"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ids[::-1]


async def test_list_by_state_and_kind(door: Door) -> None:
    first, _ = await jobs(door, 2)
    await door.call("jobs.cancel", job_id=first)
    listed = (await door.call("jobs.list", state=["cancelled", "failed"]))["result"]["jobs"]
    assert [job["id"] for job in listed] == [first]
    assert (await door.call("jobs.list", kind="clip"))["result"]["jobs"] == []
    assert (await door.call("jobs.list", state=["refused"]))["error"]["data"]["path"] == "state[0]"
    for limit in (0, 501):
        assert (await door.call("jobs.list", limit=limit))["error"]["data"]["path"] == "limit"


async def test_cancel_twice_is_fine(door: Door) -> None:
    (job_id,) = await jobs(door, 1)
    first = (await door.call("jobs.cancel", job_id=job_id))["result"]
    assert (await door.call("jobs.cancel", job_id=job_id))["result"] == first


async def test_wait_gives_the_job_as_it_is(door: Door) -> None:
    (job_id,) = await jobs(door, 1)
    assert (await door.call("jobs.wait", job_id=job_id, timeout_s=0))["result"]["state"] == "queued"
    assert (await door.call("jobs.wait", job_id=job_id, timeout_s=61))["error"]["data"]["path"] == "timeout_s"
    assert (await door.call("jobs.wait", job_id="job_none"))["error"]["code"] == 1010


async def test_list_by_model_and_time(door: Door) -> None:
    made = [(await door.call("images.generate", prompt="x", model=model))["result"]["job"] for model in ("a", "b", "a")]
    listed = (await door.call("jobs.list", model="a"))["result"]["jobs"]
    assert [job["id"] for job in listed] == [made[2]["id"], made[0]["id"]]
    assert len((await door.call("jobs.list", after=made[0]["created_at"]))["result"]["jobs"]) == 3
    assert (await door.call("jobs.list", before=made[0]["created_at"]))["result"]["jobs"] == []


async def test_move(door: Door) -> None:
    one, other = await jobs(door, 2)
    for to in ("first", "last", "normal", other):
        moved = (await door.call("jobs.move", job_id=one, to=to))["result"]
        assert (moved["id"], moved["lane"], moved["position"]) == (one, "normal", 0)
    assert (await door.call("jobs.move", job_id=one, to="idle"))["result"]["lane"] == "idle"
    for to in ("second", "job_x", "", "FIRST", 1):
        assert (await door.call("jobs.move", job_id=one, to=to))["error"]["data"]["path"] == "to", to
    await door.studio.finish(one)
    error = (await door.call("jobs.move", job_id=one, to="first"))["error"]
    assert (error["code"], error["data"]["kind"], error["data"]["detail"]["state"]) == (
        1018,
        "wrong_state",
        "succeeded",
    )


async def test_retry(door: Door) -> None:
    (job_id,) = await jobs(door, 1)
    assert (await door.call("jobs.retry", job_id=job_id))["error"]["data"]["kind"] == "wrong_state"
    await door.call("jobs.cancel", job_id=job_id)
    made = (await door.call("jobs.retry", job_id=job_id))["result"]
    assert (made["job"]["retry_of"], made["job"]["state"], made["deduplicated"]) == (job_id, "queued", False)
    assert made["job"]["origin"]["door"] == "rpc"


async def test_a_preview_is_there_while_a_job_runs(door: Door) -> None:
    job = (await door.call("images.generate", prompt="a"))["result"]["job"]
    assert (await door.call("jobs.preview", job_id=job["id"]))["result"] == {"preview": None}
    await door.studio._change(await door.studio.job(job["id"]), "running", "job.started")
    preview = (await door.call("jobs.preview", job_id=job["id"], form="ppm", side=8))["result"]["preview"]
    assert base64.b64decode(preview["data"]).startswith(b"P6")
    assert len(base64.b64decode(preview["data"])) == preview["bytes"]
    assert (await door.call("jobs.preview", job_id="job_none"))["error"]["code"] == 1010


@pytest.mark.parametrize(("field", "value"), [("form", "png"), ("side", 7), ("side", 257)])
async def test_what_a_preview_can_not_be(door: Door, field: str, value: object) -> None:
    assert (await door.call("jobs.preview", job_id="job_1", **{field: value}))["error"]["data"]["path"] == field
