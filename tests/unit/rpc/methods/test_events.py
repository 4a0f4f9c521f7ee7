from __future__ import annotations

from tendred.testing.door import Door


async def test_since_in_pages(door: Door) -> None:
    for topic in ("job.queued", "asset.kept", "job.started"):
        door.studio.happen(topic)
    first = (await door.call("events.since", seq=0, limit=2))["result"]
    assert ([event["seq"] for event in first["events"]], first["next_seq"]) == ([1, 2], 3)
    second = (await door.call("events.since", seq=first["next_seq"]))["result"]
    assert ([event["seq"] for event in second["events"]], second["next_seq"]) == ([3], 4)
    jobs = (await door.call("events.since", seq=0, topics=["job."]))["result"]["events"]
    assert [event["topic"] for event in jobs] == ["job.queued", "job.started"]
    assert first["boot_id"] == door.studio.boot_id


async def test_what_is_forgotten(door: Door) -> None:
    door.studio.oldest = 9
    error = (await door.call("events.since", seq=1))["error"]
    assert (error["code"], error["data"]["detail"]) == (1016, {"oldest_seq": 9})


async def test_over_http_there_is_no_subscription(door: Door) -> None:
    assert (await door.call("events.subscribe"))["error"]["code"] == 1015
    assert (await door.call("events.unsubscribe", subscription_id="sub_1"))["error"]["code"] == 1015


async def test_numbers_have_a_range(door: Door) -> None:
    assert (await door.call("events.since"))["error"]["data"]["path"] == "seq"
    assert (await door.call("events.since", seq=-1))["error"]["data"]["path"] == "seq"
