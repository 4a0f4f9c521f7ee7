from __future__ import annotations

from pathlib import Path

from tendred.testing.door import Door


async def test_add_list_show_and_remove(door: Door, tmp_path: Path) -> None:
    path = str(tmp_path / "ink.safetensors")
    added = (await door.call("loras.add", path=path))["result"]
    assert (added["name"], added["kind"], added["path"]) == ("ink", "lora", path)
    await door.call("models.add", path=str(tmp_path), name="mine")
    assert [one["name"] for one in (await door.call("loras.list"))["result"]["models"]] == ["ink"]
    assert (await door.call("loras.show", name="ink"))["result"]["model"] == added
    assert (await door.call("loras.show", name="mine"))["error"]["code"] == 1102
    door.studio.cache.needed = {"ink"}
    error = (await door.call("loras.remove", name="ink"))["error"]
    assert (error["code"], error["data"]["kind"]) == (1120, "model_in_use")
    removed = (await door.call("loras.remove", name="ink", force=True))["result"]
    assert (removed["name"], removed["files_deleted"]) == ("ink", False)
