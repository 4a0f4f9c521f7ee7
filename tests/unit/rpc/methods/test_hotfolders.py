from __future__ import annotations

from pathlib import Path

from tendred.testing.door import Door


async def test_add_list_rescan_and_remove(door: Door, tmp_path: Path) -> None:
    added = (await door.call("hotfolders.add", path=str(tmp_path)))["result"]
    assert (await door.call("hotfolders.list"))["result"] == {"hotfolders": [added]}
    assert (await door.call("hotfolders.rescan"))["result"] == {}
    assert (await door.call("hotfolders.rescan", hotfolder_id=added["id"]))["result"] == {}
    assert door.studio.hotfolders.rescanned == [None, added["id"]]
    assert (await door.call("hotfolders.remove", hotfolder_id=added["id"]))["result"] == {}
    for method in ("remove", "rescan"):
        assert (await door.call(f"hotfolders.{method}", hotfolder_id=added["id"]))["error"]["code"] == 1010
    assert (await door.call("hotfolders.add", path="/nowhere"))["error"]["data"]["path"] == "path"
