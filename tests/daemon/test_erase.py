"""Words erased on request: nowhere in what the daemon wrote down, and everything else as it was."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest

from tendred.core.studio import Search, Wish
from tendred.errors import InvalidParams, NotFound
from tendred.schema.job import Origin
from tendred.schema.source import Source

SECRET = "lighthouse"


@pytest.fixture
async def daemon(make_daemon):
    return await make_daemon()


async def rpc(daemon, method, **params):
    headers = {"Authorization": f"Bearer {daemon.token}"}
    document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/rpc", json=document) as answer,
    ):
        return await answer.json()


def beside(asset):
    [file] = Path(asset.path).parent.glob("*lighthouse*.receipt.json")
    return file


async def told(daemon):
    """Everything that any row of the database says, as text."""

    def work(connection):
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        plain = [name for name in tables if not name.startswith("asset_words")]
        return " ".join(repr(tuple(row)) for name in plain for row in connection.execute(f"SELECT * FROM {name}"))

    return await daemon.studio._p.database.read(work)


async def test_the_words_go_and_the_chain_and_the_picture_stay(daemon):
    before = await daemon.still("blue hills")
    job = await daemon.still(f"a {SECRET} at dusk", negative_prompt=f"no {SECRET}", count=2, tags=["nice"])
    after = await daemon.still("green hills")
    one, other = [await daemon.studio.asset(asset_id) for asset_id in job.asset_ids]
    assert [asset.id for asset in await daemon.eventually_search(SECRET)] == [other.id, one.id]
    assert SECRET in await told(daemon)
    assert SECRET in beside(one).read_text()
    data = Path(one.path).read_bytes()

    answer = (await rpc(daemon, "library.erase", asset_id=one.id))["result"]
    assert (answer["id"], answer["settings"], answer["tags"]) == (one.id, {}, ["nice"])
    rows = (await told(daemon)).replace(str(Path(one.path).name), "").replace(Path(other.path).name, "")
    assert f"a {SECRET}" not in rows
    assert f"no {SECRET}" not in rows
    left = json.loads(beside(one).read_text())
    assert (left["erased"], left["asked"], left["settings"]) == (True, {}, {})
    assert f"a {SECRET}" not in beside(one).read_text()
    assert (await daemon.studio.search(Search(query=SECRET))).assets == []
    assert len((await daemon.studio.search(Search(query="starter"))).assets) == 4
    with pytest.raises(NotFound):
        await daemon.studio.job(job.id)

    assert await daemon.studio._p.receipts.broken() == []
    assert Path(one.path).read_bytes() == data
    assert (await daemon.still("a white sun", image=Source(asset_id=other.id))).state == "succeeded"
    assert (await rpc(daemon, "library.verify", asset_id=one.id))["result"]["signer"] == "ours"
    wish = Wish(asked={}, key=None, lane="normal", origin=Origin(door="rpc"))
    with pytest.raises(InvalidParams):
        await daemon.studio.again(one.id, wish, dry_run=False, insist=True)
    assert (await rpc(daemon, "library.erase", asset_id=one.id))["result"]["id"] == one.id
    for kept in (before, after):
        assert (await daemon.studio.job(kept.id)).state == "succeeded"
        assert (await daemon.studio.asset(kept.asset_ids[0])).settings["prompt"]


async def test_what_is_not_there_or_not_done_is_told(daemon):
    assert (await rpc(daemon, "library.erase", asset_id="ast_1"))["error"]["code"] == 1010
