from __future__ import annotations

from pathlib import Path

import pytest

from tendred.testing.door import Door


@pytest.fixture
def asset_id(door: Door, tmp_path: Path) -> str:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    return door.studio.add_asset(path).id


async def test_get_remove_and_restore(door: Door, asset_id: str) -> None:
    assert (await door.call("library.get", asset_id=asset_id))["result"]["state"] == "kept"
    assert (await door.call("library.remove", asset_id=asset_id))["result"]["state"] == "removed"
    assert (await door.call("library.restore", asset_id=asset_id))["result"]["state"] == "kept"
    for method in ("get", "remove", "restore", "erase", "tag"):
        assert (await door.call(f"library.{method}", asset_id="ast_none"))["error"]["code"] == 1010


async def test_erase(door: Door, asset_id: str) -> None:
    assert (await door.call("library.erase", asset_id=asset_id))["result"]["settings"] == {}


async def test_what_a_file_says_of_itself(door: Door, asset_id: str) -> None:
    found = (await door.call("library.verify", asset_id=asset_id))["result"]
    assert (found["file"], found["state"], found["origins"]) == ("a.png", "unsigned", [])
    assert (await door.call("library.verify", asset_id="ast_none"))["error"]["code"] == 1010
    # No path: a door that looks at any file would tell which there are.
    assert (await door.call("library.verify", path="/etc/passwd"))["error"]["code"] == -32602


async def test_tag_and_search(door: Door, asset_id: str) -> None:
    assert (await door.call("library.tag", asset_id=asset_id, add=["b", "a"]))["result"]["tags"] == ["a", "b"]
    assert (await door.call("library.tag", asset_id=asset_id, remove=["b"]))["result"]["tags"] == ["a"]
    found = (await door.call("library.search", tag="a"))["result"]
    assert ([asset["id"] for asset in found["assets"]], found["next"]) == ([asset_id], None)
    assert (await door.call("library.search", tag="b", after="2026-11-22T10:00:00Z"))["result"]["assets"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("after", "yesterday"),
        ("before", "2026-11-22"),
        ("kind", "picture"),
        ("order", "random"),
        ("limit", 501),
        ("tag", ""),
    ],
)
async def test_what_cannot_be_searched_for(door: Door, field: str, value: object) -> None:
    assert (await door.call("library.search", **{field: value}))["error"]["data"]["path"] == field


async def test_a_sheet_is_a_job(door: Door, asset_id: str) -> None:
    fields = {"asset_ids": [asset_id], "labels": ["a"], "title": "Eggs", "columns": 1, "format": "webp", "tags": ["t"]}
    made = (await door.call("library.sheet", idempotency_key="k", lane="idle", **fields))["result"]
    assert made["job"]["state"] == "queued"
    [asked] = door.studio.sheets
    assert {name: getattr(asked, name) for name in fields} == fields
    assert door.studio.wishes[0].asked == {"method": "library.sheet", "lane": "idle", **fields}
    assert (await door.call("library.sheet", asset_ids=["ast_none"]))["error"]["code"] == 1010


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"asset_ids": ["a"] * 257}, "asset_ids"),
        ({"columns": 0}, "columns"),
        ({"columns": 33}, "columns"),
        ({"labels": ["x" * 121]}, "labels[0]"),
        ({"title": "x" * 121}, "title"),
        ({"format": "gif"}, "format"),
        ({"asset_ids": []}, "asset_ids"),
    ],
)
async def test_what_no_sheet_can_be(door: Door, fields: dict, path: str) -> None:
    assert (await door.call("library.sheet", **{"asset_ids": ["ast_1"], **fields}))["error"]["data"]["path"] == path
    assert not door.studio.sheets
