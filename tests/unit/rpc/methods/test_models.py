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
    assert (await door.call("models.remove", name="one"))["result"]["name"] == "one"
    error = (await door.call("models.use", name="tow"))["error"]
    assert (error["code"], error["data"]["detail"]["near"]) == (1102, ["two"])


async def test_show_says_what_a_model_takes(door: Door, tmp_path: Path) -> None:
    await door.call("models.add", path=str(tmp_path), name="one")
    shown = (await door.call("models.show", name="one"))["result"]
    assert (shown["model"]["name"], shown["takes"][0]["name"]) == ("one", "steps")
    assert (await door.call("models.show", name="one", kind="vae"))["error"]["code"] == 1102
    assert (await door.call("models.show", name="one", kind="boat"))["error"]["code"] == -32602


async def test_scan_and_verify(door: Door, tmp_path: Path) -> None:
    scan = (await door.call("models.scan", folders=[str(tmp_path)], known_places=False))["result"]
    assert (scan["found"], scan["added"], scan["whole"]) == ([], [], True)
    assert door.studio.cache.scanned == [([str(tmp_path)], False, False)]
    door.studio.cache.damage("one", "unet/x")
    told = (await door.call("models.verify"))["result"]
    assert told["models"][0]["files"][0]["state"] == "damaged"
    assert (await door.call("models.verify", name="nosuch"))["error"]["code"] == 1102


async def test_what_is_needed_stays_unless_forced(door: Door, tmp_path: Path) -> None:
    await door.call("models.add", path=str(tmp_path), name="one")
    door.studio.cache.needed = {"one"}
    assert (await door.call("models.remove", name="one"))["error"]["code"] == 1120
    removed = (await door.call("models.remove", name="one", force=True, delete_files=True))["result"]
    assert (removed["kind"], removed["files_deleted"]) == ("model", True)


async def test_memory(door: Door) -> None:
    assert (await door.call("models.ps"))["result"] == {"loaded": []}
    assert (await door.call("models.unload"))["result"] == {"unloaded": []}
    assert (await door.call("models.unload", model="x"))["error"]["code"] == 1010


async def test_one_is_shown_or_the_default(door: Door, tmp_path: Path) -> None:
    await door.call("models.add", path=str(tmp_path / "one"))
    for params in ({"name": "one"}, {}):
        assert (await door.call("models.show", **params))["result"]["model"]["name"] == "one"
    assert (await door.call("models.show", name="two"))["error"]["code"] == 1102
