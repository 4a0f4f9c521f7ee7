from __future__ import annotations

import pytest

from tendred.testing.door import Door


async def test_pull_list_get_wait_pause_resume_and_cancel(door: Door) -> None:
    pull = (await door.call("models.pull", repo="maker/stuck"))["result"]
    assert (pull["state"], pull["revision"], pull["variant"], pull["name"]) == ("queued", "main", None, "stuck")
    assert (await door.call("pulls.get", pull_id=pull["id"]))["result"] == pull
    assert (await door.call("pulls.wait", pull_id=pull["id"], timeout_s=0))["result"]["state"] == "running"
    assert (await door.call("pulls.pause", pull_id=pull["id"]))["result"]["state"] == "paused"
    listed = (await door.call("pulls.list", state=["paused"]))["result"]
    assert ([it["id"] for it in listed["pulls"]], listed["next"]) == ([pull["id"]], None)
    assert (await door.call("pulls.resume", pull_id=pull["id"]))["result"]["state"] == "queued"
    assert (await door.call("pulls.cancel", pull_id=pull["id"]))["result"]["state"] == "cancelled"
    for method in ("get", "wait", "pause", "resume", "cancel"):
        error = (await door.call(f"pulls.{method}", pull_id="pul_nope"))["error"]
        assert (error["code"], error["data"]["path"]) == (1010, "pull_id")


@pytest.mark.parametrize("repo", ["tiny", "maker/tiny", "Maker_1/a.b-c", "m/" + "x" * 96])
async def test_names_of_repositories(door: Door, repo: str) -> None:
    assert (await door.call("models.pull", repo=repo))["result"]["repo"] == repo


@pytest.mark.parametrize(
    "repo",
    ["", "a/b/c", "../x", "a/..", "a/b--c", "a/b.git", "/a", "a/", "-a/b", "a/-b", "https://x/y", "a b/c", "a/b\n",
     "m/" + "x" * 97, "a/é", "a/éa", "a/b?c", "a/b#c", "a\\b", "a/.b"],
)  # fmt: skip
async def test_what_is_no_name_of_a_repository(door: Door, repo: str) -> None:
    error = (await door.call("models.pull", repo=repo))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, "repo")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("revision", "a b"),
        ("revision", ""),
        ("variant", "../x"),
        ("variant", "fp16\n"),
        ("revision", "main\n"),
        ("name", ""),
    ],
)
async def test_what_else_does_not_fit(door: Door, field: str, value: str) -> None:
    error = (await door.call("models.pull", repo="maker/tiny", **{field: value}))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, field)
