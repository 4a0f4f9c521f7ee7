from __future__ import annotations

from tendred.schema.character import Character
from tendred.testing.door import Door


async def test_list_and_get(door: Door) -> None:
    [one] = (await door.call("characters.list"))["result"]["characters"]
    assert (await door.call("characters.get", name="mira"))["result"] == one
    assert set(one) == {*Character.__struct_fields__}
    error = (await door.call("characters.get", name="mara"))["error"]
    assert (error["code"], error["data"]["detail"]["near"]) == (1010, ["mira"])
    assert (await door.call("characters.get"))["error"]["data"]["path"] == "name"
