from __future__ import annotations

from tendred.testing.door import Door


async def test_status_pause_and_resume(door: Door) -> None:
    await door.call("images.generate", prompt="a")
    status = (await door.call("queue.status"))["result"]
    assert status == {
        "paused": False, "reason": None, "counts": {"queued": 1}, "lanes": {}, "clients": {"local": 1}, "warm_s": 60.0,
        "eta_s": 90.0,
    }  # fmt: skip
    assert (await door.call("queue.pause", mode="now", unload=True))["result"]["paused"] is True
    assert (await door.call("queue.resume"))["result"]["paused"] is False
    assert (await door.call("queue.pause", mode="later"))["error"]["data"]["path"] == "mode"
