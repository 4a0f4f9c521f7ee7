from __future__ import annotations

from tendred.schema.still import PROMPT_BYTES
from tendred.testing.door import Door


async def test_a_verdict_is_a_result_not_an_error(door: Door) -> None:
    allowed = (await door.call("boundary.check", prompt="a hill"))["result"]
    assert (allowed["verdict"], allowed["rule"], allowed["span"]) == ("allow", None, None)
    refused = (await door.call("boundary.check", prompt="a child", lang="fr"))["result"]
    assert (refused["verdict"], refused["span"], refused["reason"]) == ("refuse", [2, 7], "un mot")
    assert not door.studio.submissions


async def test_what_cannot_be_checked(door: Door) -> None:
    assert (await door.call("boundary.check", prompt="x" * (PROMPT_BYTES + 1)))["error"]["code"] == 1012
    assert (await door.call("boundary.check", prompt="x", lang="de"))["error"]["data"]["path"] == "lang"
