"""Clips through every room and over HTTP: quoted, confirmed, rendered by a provider in memory, kept and booked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path

import aiohttp
import pytest

from tendred.app.backup import backup, restore
from tendred.app.cloudwork import Outside
from tendred.app.daemon import Daemon
from tendred.app.owner import read_owner
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.errors import StillNotOurs
from tendred.schema.clip import ClipRequest
from tendred.schema.job import Origin
from tendred.testing.cloud import MemoryAdapter, Provider, features
from tendred.testing.credentials import MemorySecrets
from tendred.testing.disks import fill, relieve, small_disk
from tendred.testing.warp import WarpClock

pytest.importorskip("av")

from tendred.testing.drawn import Drawn, draw

ASKED = {
    "prompt": "rain on a tin roof, a slow pan, thunder far away", "provider": "ltx", "model": "ltx-2-3-fast",
    "width": 1920, "height": 1080, "seconds": 6,
}  # fmt: skip
CAPS = {"job_mcr": 40_000, "day_mcr": 100_000, "month_mcr": 200_000}


@cache
def film():
    """A small clip, whatever was asked for: what came is looked into by the real media child."""
    with tempfile.TemporaryDirectory() as folder:
        return draw(Path(folder) / "a.mp4", Drawn(width=128, height=96, seconds=0.5)).read_bytes()


class World:
    """The providers of these tests: the same whatever daemon asks."""

    def __init__(self):
        self.clock = WarpClock()
        self.said = features("ltx", poll_s=0.05)
        self.there = Provider(self.said, self.clock, lambda order: 36_000, film=lambda _: film())

    def kind(self):
        there = self.there

        class CloudDaemon(Daemon):
            def _outside(self, plugins):
                return Outside(
                    adapters={"ltx": MemoryAdapter(there)}, secrets=MemorySecrets(), media=self._footage("results")
                )

        return CloudDaemon


class Peer:
    def __init__(self, daemon, session):
        self.daemon, self.session = daemon, session
        owner = read_owner(daemon.home / "state" / "owner.token")
        assert owner is not None
        self.owner = owner.reveal()

    async def send(self, body, token=None):
        headers = {"Authorization": f"Bearer {token or self.owner}"}
        async with self.session.post(f"{self.daemon.url}/rpc", json=body, headers=headers) as answer:
            return await answer.json(content_type=None) if answer.status == 200 else answer.status

    async def ask(self, method, /, token=None, **params):
        return await self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, token)

    async def call(self, method, /, token=None, **params):
        answer = await self.ask(method, token, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def kind(self, method, /, token=None, **params):
        return (await self.ask(method, token, **params))["error"]["data"]["kind"]

    async def take(self, **changes):
        quote = await self.call("clips.quote", **{**ASKED, **changes})
        shown = await self.call("clips.confirm", quote_id=quote["id"])
        return await self.call("clips.render", quote_id=quote["id"], confirm=shown["code"])

    async def until(self, job_id, *phases):
        async with asyncio.timeout(20):
            while (job := await self.call("jobs.get", job_id=job_id))["clip"]["phase"] not in phases:
                self.daemon.machine_clock.ahead += 0.5  # slow enough for a file to be signed
                await asyncio.sleep(0.02)
        return job


@pytest.fixture
def world():
    return World()


@pytest.fixture
def disk(tmp_path):
    """A small one for the pictures; asked for before the daemon."""
    with small_disk(tmp_path / "home" / "pictures", "2m") as disk:
        yield disk


@pytest.fixture
async def peer(make_daemon, world, tmp_path):
    from tendred.app.assembly import Machine
    from tendred.testing.daemon import SCRIPT
    from tendred.testing.spawn import SpawnFakes

    machine = Machine(spawn=SpawnFakes(script=tmp_path / "home" / SCRIPT), clock=world.clock)
    daemon = await make_daemon(kind=world.kind(), machine=machine)
    daemon.machine_clock = world.clock
    async with aiohttp.ClientSession() as session:
        yield Peer(daemon, session)


@pytest.fixture
async def open_peer(peer):
    await peer.call("cloud.enable", provider="ltx", caps=CAPS)
    return peer


async def test_a_clip_from_quote_to_library(open_peer, world):
    peer = open_peer
    quote = await peer.call("clips.quote", **ASKED)
    assert (quote["total_mcr"], quote["credits"], quote["table_date"]) == (36_000, "36", "2026-10-07")
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    job = await peer.call("clips.render", quote_id=quote["id"], confirm=shown["code"])
    assert (job["id"], job["kind"]) == (quote["job_id"], "clip")
    assert job["clip"]["cost"] == {"quoted_mcr": 36_000, "held_mcr": 36_000, "settled_mcr": None, "basis": None}
    job = await peer.until(job["id"], "settled")
    assert job["state"] == "succeeded"
    assert job["clip"]["cost"] == {"quoted_mcr": 36_000, "held_mcr": 0, "settled_mcr": 36_000, "basis": "table"}
    [asset_id] = job["asset_ids"]
    asset = await peer.call("library.get", asset_id=asset_id)
    assert (asset["kind"], asset["media_type"]) == ("clip", "video/mp4")
    assert (asset["width"], asset["height"], asset["duration_s"]) == (128, 96, 0.5)  # what is in it, not what was asked
    assert asset["audio"] == {"rate": 48_000, "channels": 2}
    [rendered] = world.there.jobs.values()
    assert asset["pixels_sha256"] == hashlib.sha256(rendered.data).hexdigest()
    found = await peer.call("library.verify", asset_id=asset_id)
    assert (found["state"], found["signer"], found["synthetic"]) == ("intact", "ours", True)
    assert [one["relation"] for one in found["origins"]] == ["parentOf"]
    [receipt] = (peer.daemon.home / "pictures").rglob("*.receipt.json")
    assert json.loads(receipt.read_text("utf-8"))["cost"] == {
        "provider": "ltx", "remote_id": rendered.remote_id, "quoted_mcr": 36_000, "settled_mcr": 36_000, "basis": "table",
    }  # fmt: skip
    report = await peer.call("spend.report", by="provider")
    assert [(row["name"], row["spent_mcr"]) for row in report["rows"]] == [("ltx", 36_000)]
    assert report["chain"] == "whole"
    evidence = await peer.call("clips.evidence", job_id=job["id"])
    assert [step["phase"] for step in evidence["steps"]][-1] == "settled"
    assert "canary-url" not in json.dumps(evidence)


async def test_a_clip_that_cannot_be_signed_waits_and_is_not_lost(open_peer):
    peer, signing = open_peer, open_peer.daemon.home / "state" / "signing"
    signing.mkdir()  # a key that is half gone: it is never replaced
    job = await peer.take()
    await peer.until(job["id"], "verified")
    for _ in range(20):
        peer.daemon.machine_clock.ahead += 0.5
        await asyncio.sleep(0.02)
    assert (await peer.call("jobs.get", job_id=job["id"]))["clip"]["phase"] == "verified"
    assert list((peer.daemon.home / "pictures").rglob("*.mp4")) == []
    signing.rmdir()
    job = await peer.until(job["id"], "settled")
    found = await peer.call("library.verify", asset_id=job["asset_ids"][0])
    assert (found["state"], found["signer"]) == ("intact", "ours")


async def test_a_clip_that_waited_in_a_backup_is_an_open_question_after_it(open_peer, world, make_daemon, tmp_path):
    peer = open_peer
    await peer.call("queue.pause")
    job = await peer.take()
    assert (await peer.call("jobs.get", job_id=job["id"]))["clip"]["phase"] == "reserved"
    backup(peer.daemon.daemon.paths, tmp_path / "all.tar")
    await peer.call("queue.resume")
    await peer.until(job["id"], "settled")
    await peer.daemon.stop()

    restore(resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path / "new")}), tmp_path / "all.tar")
    new = await make_daemon(kind=world.kind(), home=tmp_path / "new")
    found = await new.studio.job(job["id"])
    assert (found.state, found.clip["phase"]) == ("unknown", "unknown")
    await new.studio.resume()
    await asyncio.sleep(0.3)
    assert world.there.takes() == {job["id"]: 1}


async def test_a_clip_is_seen_by_the_boundary_and_its_anchor_is_sent(open_peer, world):
    assert await open_peer.kind("clips.quote", **{**ASKED, "prompt": "a 15 year old sings"}) == "boundary_refused"
    job = await open_peer.take(prompt="a woman sings in the rain")
    await open_peer.until(job["id"], "settled")
    [rendered] = world.there.jobs.values()
    assert rendered.order.prompt == "adult, a woman sings in the rain"


async def test_nothing_is_confirmed_in_a_batch_or_a_notification_or_twice(open_peer):
    peer = open_peer
    quote = await peer.call("clips.quote", **ASKED)
    one = {"jsonrpc": "2.0", "id": 1, "method": "clips.confirm", "params": {"quote_id": quote["id"]}}
    [answer] = await peer.send([one])
    assert answer["error"]["data"]["kind"] == "consent_required"
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    taken = {"quote_id": quote["id"], "confirm": shown["code"]}
    [answer] = await peer.send([{"jsonrpc": "2.0", "id": 1, "method": "clips.render", "params": taken}])
    assert answer["error"]["data"]["kind"] == "consent_required"
    assert await peer.send({"jsonrpc": "2.0", "method": "clips.render", "params": taken}) == 204
    assert (await peer.call("jobs.list", kind="clip"))["jobs"] == []
    assert await peer.kind("clips.render", quote_id=quote["id"], confirm="WRONG1") == "consent_required"
    await peer.call("clips.render", **taken)
    assert await peer.kind("clips.render", **taken) == "quote_used"


async def test_the_token_of_the_discovery_file_spends_nothing(open_peer):
    peer, local = open_peer, open_peer.daemon.token
    quote = await peer.call("clips.quote", local, **ASKED)
    assert await peer.kind("clips.confirm", local, quote_id=quote["id"]) == "not_permitted"
    assert await peer.kind("clips.render", local, quote_id=quote["id"], confirm="AAAAAA") == "not_permitted"
    assert await peer.kind("spend.caps", local, changes={"day_mcr": 10**9}) == "not_permitted"
    assert await peer.kind("tokens.create", local, name="me", scopes=["spend"]) == "not_permitted"
    assert await peer.kind("cloud.enable", local, provider="ltx") == "not_permitted"
    assert await peer.kind("clips.confirm", quote_id=quote["id"]) == "quote_mismatch"


async def test_a_token_of_its_own_spends_up_to_its_cap_until_it_is_revoked(open_peer):
    peer = open_peer
    made = await peer.call("tokens.create", name="editor", scopes=["read", "generate", "spend"], cap_mcr=36_000)
    secret, token_id = made["secret"], made["token"]["id"]
    for expected in (None, "cap_exceeded"):
        quote = await peer.call("clips.quote", secret, **ASKED)
        shown = await peer.call("clips.confirm", secret, quote_id=quote["id"])
        answer = await peer.ask("clips.render", secret, quote_id=quote["id"], confirm=shown["code"])
        assert answer.get("error", {}).get("data", {}).get("kind") == expected
    assert await peer.kind("queue.pause", secret) == "not_permitted"
    await peer.call("tokens.revoke", token_id=token_id)
    assert await peer.ask("queue.status", secret) == 401
    assert secret not in json.dumps(await peer.call("tokens.list"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"seconds": 7}, "not_offered"), ({"width": 3840, "height": 2160}, "not_offered"),
        ({"model": "ltx-2-fast"}, "not_offered"), ({"provider": "nobody"}, "not_found"),
        ({"first": "ast_nope"}, "still_not_ours"), ({"prompt": "x" * 100_000}, "too_large"),
        ({"prompt": "(rain:1.3) on a roof"}, "unsupported_parameter"), ({"fps": "fast"}, "invalid_params"),
    ],
)  # fmt: skip
async def test_what_is_not_offered_is_refused_before_anything_is_sent(open_peer, world, changes, kind):
    assert await open_peer.kind("clips.quote", **{**ASKED, **changes}) == kind
    assert world.there.submits == []


async def test_a_quote_that_is_too_old_is_not_taken(open_peer, world):
    peer = open_peer
    quote = await peer.call("clips.quote", **ASKED)
    world.clock.ahead += 601
    assert await peer.kind("clips.confirm", quote_id=quote["id"]) == "quote_expired"
    assert await peer.kind("clips.render", quote_id=quote["id"], confirm="AAAAAA") == "quote_expired"
    assert world.there.submits == []


async def test_a_still_that_is_gone_meanwhile_is_refused_and_costs_nothing(open_peer, world):
    peer = open_peer
    still = await peer.daemon.still("blue hills", width=64, height=64, steps=1)
    asset = await peer.call("library.get", asset_id=still.asset_ids[0])
    quote = await peer.call("clips.quote", **{**ASKED, "first": asset["id"]})
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    Path(asset["path"]).unlink()
    job = await peer.call("clips.render", quote_id=quote["id"], confirm=shown["code"])
    job = await peer.until(job["id"], "refused")
    assert (job["state"], job["error"]["kind"]) == ("failed", "still_not_ours")
    assert (job["clip"]["cost"]["held_mcr"], job["clip"]["cost"]["settled_mcr"]) == (0, 0)
    assert world.there.submits == []


async def test_a_keyring_that_locks_half_way_loses_nothing_and_asks_nobody_to_guess(open_peer, world):
    peer, locked = open_peer, ["submit", "submit", "poll", "download"]

    def fault(call):
        if call not in locked:
            return ""
        locked.remove(call)
        return "locked" if call != "download" else "cut"

    world.there.fault = fault
    job = await peer.until((await peer.take())["id"], "settled", "unknown")
    assert (job["clip"]["phase"], locked) == ("settled", [])
    assert len(world.there.jobs) == 1
    evidence = await peer.call("clips.evidence", job_id=job["id"])
    assert [step["detail"]["why"] for step in evidence["steps"] if step["event"] == "NotSent"] == [
        "keyring_unavailable", "keyring_unavailable",
    ]  # fmt: skip


async def test_a_disk_that_is_full_while_a_paid_clip_arrives(disk, open_peer, world):
    peer, asked = open_peer, []

    def fault(call):
        if call == "download":
            asked.append(call)
            if len(asked) == 1:
                fill(disk)
        return ""

    world.there.fault = fault
    job = await peer.take()
    async with asyncio.timeout(20):
        while len(asked) < 3:
            world.clock.ahead += 5
            await asyncio.sleep(0.02)
    seen = await peer.call("jobs.get", job_id=job["id"])
    assert (seen["state"], seen["clip"]["phase"]) == ("running", "downloading")
    relieve(disk)
    job = await peer.until(job["id"], "settled")
    asset = await peer.call("library.get", asset_id=job["asset_ids"][0])
    assert asset["pixels_sha256"] == hashlib.sha256(film()).hexdigest()
    assert len(world.there.submits) == 1


async def test_cloud_is_off_at_first_and_off_again_at_once(peer, world):
    assert await peer.kind("clips.quote", **ASKED) == "cloud_off"
    assert await peer.kind("cloud.enable", provider="ltx") == "consent_required"
    await peer.call("cloud.enable", provider="ltx", caps=CAPS)
    assert (await peer.call("system.status"))["cloud"] == {"enabled": True, "reason": None}
    quote = await peer.call("clips.quote", **ASKED)
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    assert not (await peer.call("cloud.disable", peer.daemon.token))["enabled"]
    assert await peer.kind("clips.render", quote_id=quote["id"], confirm=shown["code"]) == "cloud_off"
    assert world.there.submits == []


async def test_a_clip_that_waits_while_cloud_is_off_asks_nobody(open_peer, world):
    peer = open_peer
    job = await peer.take()
    await peer.until(job["id"], "submitted", "rendering")
    await peer.call("cloud.disable")
    asked = []
    world.there.fault = lambda call: asked.append(call) or ""
    await asyncio.sleep(0.3)
    assert asked == []
    await peer.call("cloud.enable", provider="ltx")
    assert (await peer.until(job["id"], "settled"))["state"] == "succeeded"


async def test_a_cap_of_nothing_lets_nothing_through(open_peer):
    peer = open_peer
    await peer.call("spend.caps", changes={"day_mcr": 0})
    quote = await peer.call("clips.quote", **ASKED)
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    assert await peer.kind("clips.render", quote_id=quote["id"], confirm=shown["code"]) == "cap_exceeded"
    assert (await peer.call("jobs.list", kind="clip"))["jobs"] == []


async def test_cancelling_tells_the_truth(open_peer, world):
    peer = open_peer
    job = await peer.take()
    await peer.until(job["id"], "submitted", "rendering")
    await peer.call("jobs.cancel", job_id=job["id"])
    job = await peer.until(job["id"], "abandoned", "settled")
    assert job["clip"]["cost"]["settled_mcr"] == 36_000


async def test_an_unknown_outcome_waits_for_a_person(open_peer, world):
    peer = open_peer
    world.there.fault = lambda call: "taken_then_lost" if call == "submit" else ""
    job = await peer.take()
    job = await peer.until(job["id"], "unknown")
    assert (job["state"], job["error"]["kind"]) == ("unknown", "outcome_unknown")
    world.there.fault = lambda _: ""
    await asyncio.sleep(0.2)
    assert len(world.there.submits) == 1
    assert await peer.kind("jobs.retry", job_id=job["id"]) == "consent_required"
    [remote_id] = world.there.jobs
    await peer.call("spend.resolve", job_id=job["id"], outcome="found", remote_id=remote_id)
    assert (await peer.until(job["id"], "settled"))["state"] == "succeeded"
    assert await peer.kind("spend.resolve", job_id=job["id"], outcome="not_charged") == "wrong_state"
    assert len(world.there.submits) == 1


async def test_two_open_questions_stop_everything_new(open_peer, world):
    peer = open_peer
    await peer.call("spend.caps", changes={"day_mcr": 10**9, "month_mcr": 10**9})
    world.there.fault = lambda call: "taken_then_lost" if call == "submit" else ""
    for _ in range(2):
        job = await peer.take()
        await peer.until(job["id"], "unknown")
    quote = await peer.call("clips.quote", **ASKED)
    shown = await peer.call("clips.confirm", quote_id=quote["id"])
    assert await peer.kind("clips.render", quote_id=quote["id"], confirm=shown["code"]) == "outcome_unknown"


async def dropped(peer, name, **changes):
    """Drop a prompt file that asks for a clip, and wait until it was dealt with: where it is now."""
    hot = peer.daemon.daemon.paths.hot
    (hot / name).write_text(json.dumps({"kind": "clip", **ASKED, **changes}), "utf-8")
    # These are the last to get their names.
    last = (hot / "done" / f"{Path(name).stem}.receipt.json", hot / "failed" / f"{name}.reason.json")
    async with asyncio.timeout(25):
        while not (found := [path for path in last if path.exists()]):
            peer.daemon.machine_clock.ahead += 0.5
            await asyncio.sleep(0.02)
    return found[0].parent


def reason(folder, name):
    return json.loads((folder / f"{name}.reason.json").read_text("utf-8"))


async def test_a_hot_folder_spends_under_a_standing_cap_of_its_own_and_not_otherwise(open_peer, world):
    peer, hot = open_peer, str(open_peer.daemon.daemon.paths.hot)
    failed = await dropped(peer, "a.json")
    told = reason(failed, "a.json")
    assert (told["kind"], told["detail"]["cap"]) == ("cap_exceeded", f"door:hotfolder:{hot}")
    assert "tendre spend caps --door" in told["next"]
    assert not world.there.jobs
    assert (await peer.call("jobs.list"))["jobs"] == []

    caps = await peer.call("spend.caps", changes={"doors": {f"hotfolder:{hot}/": 40_000}})
    assert {"name": f"door:hotfolder:{hot}", "mcr": 40_000, "used_mcr": 0} in caps["caps"]
    done = await dropped(peer, "b.json")
    assert done.name == "done"
    receipt = json.loads((done / "b.receipt.json").read_text("utf-8"))
    assert [one["file"] for one in receipt["made"]] == ["b.mp4"]
    assert receipt["made"][0]["pixels_sha256"] == hashlib.sha256(film()).hexdigest()
    assert hashlib.sha256((done / "b.mp4").read_bytes()).hexdigest() == receipt["made"][0]["sha256"]
    assert receipt["cost"]["settled_mcr"] == 36_000
    assert receipt["origin"]["door"] == "hotfolder"
    entries = (await peer.call("spend.ledger"))["entries"]
    assert {(entry["door"], entry["token_id"]) for entry in entries} == {(f"hotfolder:{hot}", "owner")}

    # What is left of the cap is not enough for another one.
    failed = await dropped(peer, "c.json")
    assert reason(failed, "c.json")["detail"]["left_mcr"] == 4_000
    assert len(world.there.jobs) == 1


async def test_what_a_hot_folder_may_not_ask_for(open_peer):
    peer, hot = open_peer, open_peer.daemon.daemon.paths.hot
    await peer.call("spend.caps", changes={"doors": {f"hotfolder:{hot}": 100_000}})
    failed = await dropped(peer, "a.json", seconds=7)
    assert reason(failed, "a.json")["kind"] == "not_offered"
    await peer.call("cloud.disable")
    failed = await dropped(peer, "b.json")
    assert reason(failed, "b.json")["kind"] == "cloud_off"
    # Something that synchronises the folder was set up since.
    await peer.call("cloud.enable", provider="ltx", caps=CAPS)
    (hot / ".stfolder").mkdir()
    failed = await dropped(peer, "c.json")
    told = reason(failed, "c.json")
    assert (told["kind"], told["path"]) == ("invalid_params", "kind")
    assert ".stfolder" in told["message"]
    assert (await peer.call("jobs.list"))["jobs"] == []


async def test_where_no_standing_cap_can_be(open_peer, tmp_path):
    peer, hot = open_peer, open_peer.daemon.daemon.paths.hot

    async def problem(door, mcr=1000):
        error = (await peer.ask("spend.caps", changes={"doors": {door: mcr}}))["error"]["data"]
        return error["kind"]

    assert await problem("hotfolder") == "invalid_params"
    assert await problem("plugin:") == "invalid_params"
    assert await problem(f"hotfolder:{tmp_path}") == "not_found"
    (hot / ".stfolder").mkdir()
    assert await problem(f"hotfolder:{hot}") == "invalid_params"
    # Taking one away always works.
    await peer.call("spend.caps", changes={"doors": {f"hotfolder:{hot}": 0}})
    local = peer.daemon.token
    assert await peer.kind("spend.caps", local, changes={"doors": {f"hotfolder:{hot}": 1}}) == "not_permitted"
    asked = {**CAPS, "doors": {f"hotfolder:{hot}": 1}}
    assert await peer.kind("cloud.enable", provider="ltx", caps=asked) == "invalid_params"


async def test_the_same_prompt_file_is_paid_once(open_peer, world):
    """A daemon that died behind the transaction submits the claim again."""
    peer = open_peer
    studio = peer.daemon.studio
    hot = str(peer.daemon.daemon.paths.hot)
    await peer.call("spend.caps", changes={"doors": {f"hotfolder:{hot}": 100_000}})
    request, origin = ClipRequest(**ASKED), Origin(door="hotfolder", file="a.json")
    first = await studio.stand(request, ASKED, "hot:x:0", origin, f"hotfolder:{hot}")
    again = await studio.stand(request, ASKED, "hot:x:0", origin, f"hotfolder:{hot}")
    assert (first.deduplicated, again.deduplicated) == (False, True)
    assert first.job.id == again.job.id
    await peer.until(first.job.id, "settled")
    assert len(world.there.jobs) == 1
    assert [entry["kind"] for entry in (await peer.call("spend.ledger"))["entries"]] == ["settle", "hold"]


async def test_a_still_as_first_frame_has_to_be_ours(open_peer):
    with pytest.raises(StillNotOurs):
        request = ClipRequest(**{**ASKED, "first": "ast_nope"})
        await open_peer.daemon.studio.clips.quote(request, {}, Origin(door="rpc"), "owner")
