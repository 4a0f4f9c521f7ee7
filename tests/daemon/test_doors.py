"""The doors, end to end: a file dropped, a call over HTTP, over the Unix socket, over a WebSocket."""

import json
import os
import stat
import urllib.request
from pathlib import Path

import aiohttp
import pytest

DROPS = {
    "a.txt": "red hills",
    "b.md": "---\nseed: 3\nformat: webp\n---\nblue hills\n",
    "c.json": '[{"prompt": "green hills"}, {"prompt": "teal hills", "seed": 9}]',
    "d.yaml": "prompt: yellow hills\ncount: 2\n",
    "e.toml": 'prompt = "pink hills"\n',
    "f.csv": "prompt,seed,tags\nblack hills,1,a|b\nwhite hills,2,\n",
}


def dropped(folder, name, text):
    (folder / f".{name}").write_text(text)
    (folder / f".{name}").rename(folder / name)


async def test_every_kind_of_prompt_file_becomes_pictures_and_a_receipt(daemon):
    hot = daemon.home / "hot"
    for name, text in DROPS.items():
        dropped(hot, name, text)
    done = hot / "done"
    expected = sorted([
        *DROPS, "a.png", "a.receipt.json", "b.webp", "b.receipt.json",
        "c-001.png", "c-002.png", "c-001.receipt.json", "c-002.receipt.json",
        "d-001.png", "d-002.png", "d.receipt.json", "e.png", "e.receipt.json",
        "f-001.png", "f-002.png", "f-001.receipt.json", "f-002.receipt.json",
    ])  # fmt: skip
    names = await daemon.eventually(
        lambda: sorted(path.name for path in done.iterdir()) if done.is_dir() else [], lambda names: names == expected
    )
    assert names == expected
    receipt = json.loads((done / "b.receipt.json").read_text())
    assert receipt["origin"] == {"door": "hotfolder", "client": None, "file": "b.md"}
    assert [made["file"] for made in receipt["made"]] == ["b.webp"]
    asset = await daemon.studio.asset(receipt["made"][0]["asset_id"])
    library, copy = os.stat(asset.path), (done / "b.webp").stat()
    assert (done / "b.webp").read_bytes() == Path(asset.path).read_bytes()
    assert library.st_ino != copy.st_ino
    [folder] = await daemon.studio.hotfolders.list()
    assert (folder.state, folder.waiting, folder.failed) == ("ok", 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.txt", "a 15 year old at school", "boundary_refused"),
        ("x.json", '{"prompt": "hills", "stepz": 3}', "invalid_params"),
        ("x.toml", 'prompt = "hills"\nmodel = "nosuch"\n', "model_missing"),
        ("x.docx", "hills", "invalid_params"),
    ],
)
async def test_what_cannot_be_made_says_why(daemon, name, text, kind):
    hot = daemon.home / "hot"
    dropped(hot, name, text)
    reason = hot / "failed" / f"{name}.reason.json"
    await daemon.eventually(reason.exists)
    await daemon.eventually((hot / "failed" / name).exists)
    told = json.loads(reason.read_text())
    assert (told["kind"], bool(told["next"])) == (kind, True)
    words = (hot / "failed" / f"{name}.reason.txt").read_text()
    assert told["next"] in words
    assert not (hot / name).exists()


def call(daemon, method, **params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(
        f"{daemon.url}/rpc",
        body,
        {"Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


async def test_a_still_over_http_and_its_file(daemon):
    from tendred.tasks import offload

    made = await offload(call, daemon, "images.generate", prompt="red hills", seed=1)
    assert made["result"]["deduplicated"] is False
    job = (await offload(call, daemon, "jobs.wait", job_id=made["result"]["job"]["id"], timeout_s=20))["result"]
    assert job["state"] == "succeeded"
    asset = await daemon.studio.asset(job["asset_ids"][0])
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
        async with session.get(daemon.url + asset.url, headers={"Range": "bytes=0-7"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"\x89PNG\r\n\x1a\n")
        async with session.get(daemon.url + asset.url, headers={"If-None-Match": f'"{asset.sha256}"'}) as answer:
            assert answer.status == 304


async def test_events_over_a_socket_replay_without_a_gap(daemon):
    first = await daemon.still("hills")
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session,
        session.ws_connect(f"{daemon.url}/ws") as socket,
    ):
        await socket.send_json({
            "jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": {"since": 1, "topics": ["job."]},
        })  # fmt: skip
        second = await daemon.submit("hills")
        topics, seqs = [], []
        while topics.count("job.succeeded") < 2:
            message = await socket.receive_json(timeout=20)
            if message.get("method") == "event" and message["params"]["seq"] is not None:
                topics.append(message["params"]["topic"])
                seqs.append((message["params"]["seq"], message["params"]["job_id"]))
        assert seqs == sorted(set(seqs))
        assert {job for _, job in seqs} == {first.id, second.id}
        assert topics == ["job.queued", "job.started", "job.output", "job.succeeded"] * 2


async def test_the_unix_socket_and_the_discovery_file(daemon):
    discovery = json.loads((daemon.home / "runtime" / "tendred.json").read_text())
    assert stat.S_IMODE((daemon.home / "runtime" / "tendred.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(os.stat(discovery["socket"]).st_mode) == 0o600
    connector = aiohttp.UnixConnector(discovery["socket"])
    async with aiohttp.ClientSession(connector=connector) as session:
        body = {"jsonrpc": "2.0", "id": 1, "method": "system.status", "params": {}}
        async with session.post("http://localhost/rpc", json=body) as answer:
            assert answer.status == 401
        headers = {"Authorization": f"Bearer {discovery['token']}"}
        async with session.post("http://localhost/rpc", json=body, headers=headers) as answer:
            assert (await answer.json())["result"]["boot_id"] == discovery["boot_id"]
