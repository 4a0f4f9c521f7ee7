from __future__ import annotations

from tendred.errors import KeyringUnavailable
from tendred.testing.door import Door


async def test_login_status_and_logout(door: Door) -> None:
    state = (await door.call("cloud.login", provider="ltx", key="canary-key"))["result"]
    assert (state["provider"], state["present"], state["source"], state["problem"]) == ("ltx", True, "keyring", None)
    told = await door.call("cloud.status")
    assert [one["name"] for one in told["result"]["providers"] if one["key"]["present"]] == ["ltx"]
    assert "canary" not in str([state, told])
    assert (await door.call("cloud.logout", provider="ltx"))["result"] == {"provider": "ltx", "removed": True}
    assert (await door.call("cloud.logout", provider="ltx"))["result"]["removed"] is False


async def test_what_does_not_fit(door: Door) -> None:
    error = (await door.call("cloud.login", provider="lxt", key="canary-key"))["error"]
    assert (error["code"], error["data"]["path"], error["data"]["detail"]["near"]) == (1010, "provider", ["ltx"])
    error = (await door.call("cloud.login", provider="ltx", key="canary key"))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, "key")
    assert "canary" not in str(error)
    error = (await door.call("cloud.login", provider="ltx", key="x" * 5000))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, "key")


async def test_a_locked_keyring_says_what_to_do(door: Door) -> None:
    door.studio.secrets.failing = KeyringUnavailable("locked", problem="x")
    error = (await door.call("cloud.login", provider="ltx", key="k"))["error"]
    assert (error["code"], "Unlock" in error["data"]["next"]) == (1203, True)
    [first, *_] = (await door.call("cloud.status"))["result"]["providers"]
    assert (first["key"]["present"], "locked" in first["key"]["problem"]) == (None, True)
