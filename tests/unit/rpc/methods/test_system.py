from __future__ import annotations

from tendred.rpc.methods.system import HelloParams
from tendred.testing.door import Door


async def test_hello(door: Door) -> None:
    hello = (await door.call("system.hello", client="test", version="1", wants=["stills"]))["result"]
    assert set(hello) == {"api", "version", "boot_id", "features", "limits"}
    assert hello["limits"]["batch"] == 32


async def test_status(door: Door) -> None:
    status = (await door.call("system.status"))["result"]
    assert set(status) == {
        "version", "api", "boot_id", "pid", "started_at", "engine", "queue", "cloud", "disk", "budgets", "plugins"
    }  # fmt: skip


async def test_shutdown_says_yes_and_then_it_goes(door: Door) -> None:
    assert (await door.call("system.shutdown"))["result"] == {}
    assert (await door.call("system.shutdown", drain=False))["result"] == {}
    assert door.studio.stops == [True, False]


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(HelloParams(client="x", version="1", token="secret"))
    assert "secret" not in str([HelloParams(client="x", version="1", token="secret")])
