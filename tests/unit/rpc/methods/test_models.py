from __future__ import annotations

from pathlib import Path

from tendred.testing.door import Door


async def test_add_use_list_and_remove(door: Door, tmp_path: Path) -> None:
    for name in ("one", None):
        added = (await door.call("models.add", path=str(tmp_path / "two"), name=name))["result"]
        assert added["name"] == (name or "two")
    assert (await door.call("models.use", name="two"))["result"]["is_default"] is True
    listed = (await door.call("models.list", kind="model"))["result"]["models"]
    assert {model["name"]: model["is_default"] for model in listed} == {"one": False, "two": True}
    assert (await door.call("models.list", kind="lora"))["result"]["models"] == []
    assert (await door.call("models.remove", name="one"))["result"] == {}
    error = (await door.call("models.use", name="tow"))["error"]
    assert (error["code"], error["data"]["detail"]["near"]) == (1102, ["two"])


async def test_memory(door: Door) -> None:
    assert (await door.call("models.ps"))["result"] == {"loaded": []}
    assert (await door.call("models.unload"))["result"] == {"unloaded": []}
    assert (await door.call("models.unload", model="x"))["error"]["code"] == 1010


async def test_one_is_shown_or_the_default(door: Door, tmp_path: Path) -> None:
    await door.call("models.add", path=str(tmp_path / "one"))
    for params in ({"name": "one"}, {}):
        assert (await door.call("models.show", **params))["result"]["model"]["name"] == "one"
    assert (await door.call("models.show", name="two"))["error"]["code"] == 1102
