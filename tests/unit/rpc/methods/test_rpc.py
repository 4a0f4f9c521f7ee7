from __future__ import annotations

from tendred.testing.door import Door


async def test_discover(door: Door) -> None:
    described = (await door.call("rpc.discover"))["result"]
    assert described["openrpc"].startswith("1.3")
    assert "rpc.discover" in {method["name"] for method in described["methods"]}
