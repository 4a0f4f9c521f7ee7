"""The contract of every door, embedded: names, defaults, kinds, codes, topics, and the fields of every object.

The lists are written by hand from the project's contract and only ever grow within API 1.
"""

from __future__ import annotations

import asyncio
import json
import re
import stat
from typing import get_args

import aiohttp
import pytest
from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import fields

from tendred.app.cli.exits import Exit
from tendred.errors import registry as kinds
from tendred.rpc.guard import STATUS
from tendred.rpc.methods import registry
from tendred.schema.event import LIVE, MEANINGS, TOPICS
from tendred.schema.job import TERMINAL, Phase, State
from tendred.schema.model import ModelKind
from tendred.schema.pull import PullState
from tendred.schema.still import Kind, Still
from tendred.testing.hub import FakeHub

# name, then its params: `name` must be given, `name?` may be left out (null or empty), `name=JSON` has that default.
METHODS = """
system.hello client version token? wants?
system.status
system.shutdown drain=true
images.generate prompt negative_prompt="" model? width? height? steps? guidance? scheduler? seed? count=1 loras=[] character? preset? format="png" lane="normal" keep_alive_s? tags=[] image? mask? control=[] clip_skip? vae? reproducible=true idempotency_key?
jobs.get job_id
jobs.list state? kind? model? after? before? limit=50 cursor?
jobs.cancel job_id
jobs.wait job_id timeout_s=30
queue.status
queue.pause mode="drain" unload=false
queue.resume
library.search query="" kind? model? character? tag? after? before? order="newest" limit=50 cursor?
library.get asset_id
models.list kind?
models.ps
models.unload model?
hotfolders.list
events.since seq topics? limit=50
events.subscribe since? topics?
boundary.check prompt negative_prompt="" character? loras=[] kind="still" lang="en"
rpc.discover
"""
BESIDES = """
images.upscale asset_id factor=2 model? format="png" lane="normal" keep_alive_s? tags=[] idempotency_key?
jobs.move job_id to
jobs.retry job_id
library.remove asset_id
library.restore asset_id
library.tag asset_id add=[] remove=[]
hotfolders.add path
hotfolders.remove hotfolder_id
hotfolders.rescan hotfolder_id?
models.add path name?
models.use name
models.remove name kind? force=false delete_files=false
models.show name? kind?
models.scan folders=[] known_places=true add=false
models.verify name? kind?
models.pull repo revision? variant? name?
pulls.list state? limit=50 cursor?
pulls.get pull_id
pulls.wait pull_id timeout_s=30
pulls.pause pull_id
pulls.resume pull_id
pulls.cancel pull_id
loras.list
loras.show name
loras.add path name?
loras.remove name force=false delete_files=false
characters.list
characters.get name version?
characters.create name fragment loras=[] seed? reference_asset_id?
characters.update name fragment loras seed reference_asset_id
characters.remove name
characters.sheet name version? limit=24
prompts.expand prompt negative_prompt="" character? preset? seed? limit=10 cursor? lang="en"
wildcards.list
wildcards.show name limit=50 cursor?
wildcards.add name options replace=false
wildcards.remove name
presets.list
presets.show name
presets.set name fields
presets.remove name
images.grid prompt negative_prompt="" model? width? height? steps? guidance? scheduler? seed? count=1 loras=[] character? preset? format="png" lane="normal" keep_alive_s? tags=[] image? mask? control=[] clip_skip? vae? reproducible=true x y? idempotency_key?
images.again asset_id dry_run=false insist=false lane="normal" idempotency_key?
images.variations asset_id count=4 strength=0.2 seed? lane="normal" idempotency_key?
jobs.preview job_id form="jpeg" side=256
library.sheet asset_ids columns? labels? title="" format="png" lane="normal" tags=[] idempotency_key?
cloud.login provider key
cloud.logout provider
cloud.status
library.erase asset_id
library.verify asset_id deep=false
events.unsubscribe subscription_id
shots.create prompt name? first? last? character? tags=[]
shots.draft shot_id provider? model? size="1080p" orientation="landscape" seconds=6 fps="24" audio=true seed? accept_stale=false
shots.takes shot_id
shots.compare left right
shots.lock take_id
shots.finish shot_id way? upscaler? consent=false lane="normal" accept_stale=false
shots.show shot_id
shots.list limit=50 cursor?
clips.quote prompt provider model width height seconds fps="24" audio=true seed? first? last? character? lane="normal" tags=[] accept_stale=false shot_id? refine_of?
clips.confirm quote_id
clips.render quote_id confirm
clips.evidence job_id
cloud.enable provider caps={}
cloud.disable provider?
spend.report by="day" after="0000-00-00" before="9999-99-99"
spend.ledger job_id? limit=50 cursor?
spend.caps changes={}
spend.resolve job_id outcome remote_id? charged_mcr?
spend.reconcile provider balance_mcr topped_up_mcr=0
tokens.create name scopes cap_mcr=0
tokens.list
tokens.revoke token_id
"""
KINDS = """
-32700 parse_error -32600 invalid_request -32601 method_not_found -32602 invalid_params -32603 internal
1001 boundary_refused 1002 output_withheld 1003 still_not_ours 1010 not_found 1011 idempotency_conflict 1012 too_large
1013 not_permitted 1014 slow_down 1015 needs_socket 1016 events_gone 1017 shutting_down 1018 wrong_state
1101 queue_full 1102 model_missing 1103 model_refused 1104 unsupported_parameter 1105 engine_missing 1106 engine_died
1107 out_of_memory 1108 disk_full 1109 folder_unwritable 1110 signer_broken 1120 model_in_use 1121 file_unreadable
1230 clip_unreadable
1201 cloud_off 1202 credentials_missing 1203 keyring_unavailable 1204 prices_missing 1205 prices_stale 1206 not_offered
1207 quote_expired 1208 quote_used 1209 quote_mismatch 1210 consent_required 1211 cap_exceeded 1212 provider_refused
1213 provider_filtered 1214 provider_unavailable 1215 insufficient_funds 1216 outcome_unknown 1217 result_expired
1218 not_sent
"""
STATUSES = {
    "unauthorized": 401,
    "origin_refused": 403,
    "too_large": 413,
    "wrong_type": 415,
    "host_refused": 421,
    "slow_down": 429,
}
TOPICS_OF_WIRE = """
job.queued job.started job.progress job.preview job.output job.requeued job.moved job.cancelling job.cancelled job.succeeded
job.failed job.parked job.unknown asset.kept asset.removed queue.paused queue.resumed engine.started engine.stopped
engine.died model.loaded model.unloaded model.added model.removed model.scanning model.verifying hotfolder.claimed hotfolder.done hotfolder.failed boundary.refused
plugin.disabled system.started system.stopping
model.pull_queued model.pulling model.pull_progress model.pulled model.pull_paused model.pull_failed
model.pull_cancelled
shot.created shot.locked shot.finishing take.rendering
"""
STATES = "queued running cancelling succeeded failed cancelled parked unknown"
PHASES = "loading sampling decoding saving uploading rendering downloading"
EXITS = {
    "done": 0,
    "failed": 1,
    "usage": 2,
    "no_daemon": 3,
    "boundary": 4,
    "cancelled": 5,
    "consent": 6,
    "timed_out": 7,
}

JOB = """id kind state lane rev request origin progress position attempts engine_deaths created_at started_at finished_at
 asset_ids error retry_of policy clip eta_s again removed"""
ASSET = """id kind path url media_type bytes sha256 pixels_sha256 width height duration_s fps audio created_at job_id index
 seed settings model loras character engine parents receipt_id policy tags state output_check"""
ENGINE_OF_ASSET = "version torch diffusers device dtype threads batch_size hardware libraries"
RECEIPT = """receipt id job_id origin asked settings verdict made model loras character engine cost created_at started_at
 finished_at body_sha256 prev_sha256 output_check erased"""
MADE = "asset_id file sha256 pixels_sha256 media_type width height seed"
STATUS_OF_SYSTEM = "version api boot_id pid started_at engine queue cloud disk budgets plugins"
QUEUE = "paused reason counts lanes clients warm_s eta_s"
EVENT = "seq boot_id at topic job_id data"
ERROR = "kind message path next detail ref"
MODEL = "name kind family path bytes licence source sha256 last_used_at is_default state reason"
PULL = """id state repo revision variant host name commit licence gated files phase done_bytes total_bytes rate_bytes eta_s
 created_at finished_at retry_at error"""
LOADED = "model device bytes loaded_at expires_at busy"
HOTFOLDER = "id path watch state waiting claimed done failed"
CHARACTER = "name version fragment loras seed reference_asset_id created_at ships state reason"
VERDICT = "verdict rule reason span removed policy passes path"
DISCOVERY = "url socket token pid version api boot_id"
ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def contract(text):
    return {name: params for name, *params in (line.split() for line in text.splitlines() if line)}


def written(field):
    """A param as the contract writes it."""
    default = field.default
    if field.default_factory is not NODEFAULT:
        default = field.default_factory()
    if default is NODEFAULT or default is UNSET:
        return field.name
    if isinstance(default, Struct):
        return f"{field.name}={{}}"
    return f"{field.name}?" if default is None else f"{field.name}={json.dumps(default)}"


@pytest.mark.parametrize(("name", "params"), contract(METHODS + BESIDES).items())
def test_a_method_takes_what_the_contract_says(name, params):
    found = [written(field) for field in fields(registry().find(name).params)]
    # An empty list is the same as leaving it out.
    assert [
        f"{name.partition('=')[0]}?" if f"{name.partition('=')[0]}?" in params else name for name in found
    ] == params


def test_no_method_is_outside_the_contract():
    assert set(registry().methods) == set(contract(METHODS)) | set(contract(BESIDES))


def test_kinds_and_codes():
    words = KINDS.split()
    expected = dict(zip(words[1::2], map(int, words[::2]), strict=True))
    assert {kind: cls.code for kind, cls in kinds().items() if not 0 <= cls.code < 1000} == expected


def test_http_answers():
    assert {kind: STATUS[kind] for kind in STATUSES} == STATUSES
    codes = {cls.code for cls in kinds().values()}
    assert len([code for code in codes if code < 0 or code >= 1000]) == len(KINDS.split()) // 2


def test_topics_states_and_the_rest_of_the_words():
    assert tuple(TOPICS_OF_WIRE.split()) == TOPICS
    assert {"job.progress", "job.preview", "model.pull_progress", "model.scanning", "model.verifying"} == LIVE
    assert get_args(State) == tuple(STATES.split())
    assert {"succeeded", "failed", "cancelled"} == TERMINAL
    assert get_args(PullState) == ("queued", "running", "paused", "succeeded", "failed", "cancelled")
    assert get_args(Phase) == tuple(PHASES.split())
    assert get_args(Kind) == ("still", "clip", "upscale", "sheet")
    assert set(get_args(ModelKind)) == {"model", "lora", "vae", "controlnet", "upscaler", "embedding"}


def test_exit_codes():
    assert {code.name.lower(): int(code) for code in Exit if code < 100} == EXITS


class Peer:
    """A client over real HTTP, token and all, that knows nothing of the records."""

    def __init__(self, daemon, session):
        self.daemon, self.session = daemon, session

    async def ask(self, method, /, **params):
        """The whole response."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.session.post(f"{self.daemon.url}/rpc", json=call) as answer:
            assert answer.status == 200
            return await answer.json()

    async def call(self, method, /, **params):
        answer = await self.ask(method, **params)
        assert set(answer) == {"jsonrpc", "id", "result"}, answer
        return answer["result"]

    async def still(self, **params):
        made = await self.call("images.generate", **{"prompt": "red hills", **params})
        assert set(made) == {"job", "deduplicated"}
        return await self.call("jobs.wait", job_id=made["job"]["id"], timeout_s=20)


@pytest.fixture
async def peer(daemon):
    headers = {"Authorization": f"Bearer {daemon.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Peer(daemon, session)


def has(value, names):
    assert set(value) == set(names.split())
    return value


def is_job(job, state):
    has(job, JOB)
    assert re.fullmatch(f"job_{ULID}", job["id"])
    assert (job["state"], job["kind"], job["lane"], job["clip"], job["retry_of"]) == (
        state,
        "still",
        "normal",
        None,
        None,
    )
    assert set(job["request"]) == {*Still.__struct_fields__}
    has(job["origin"], "door client file")
    assert TIME.fullmatch(job["created_at"])
    if job["progress"] is not None:
        has(job["progress"], "phase done total eta_s")
    if job["error"] is not None:
        is_error(job["error"])


def is_error(error):
    has(error, ERROR)
    assert isinstance(error["detail"], dict)
    assert all(isinstance(error[name], str) and error[name] for name in ("kind", "message", "next", "ref"))


def is_asset(asset):
    has(asset, ASSET)
    assert re.fullmatch(f"ast_{ULID}", asset["id"])
    assert re.fullmatch(f"rcp_{ULID}", asset["receipt_id"])
    assert asset["url"] == f"/media/{asset['id']}"
    has(asset["engine"], ENGINE_OF_ASSET)
    has(asset["model"], "name sha256")
    assert TIME.fullmatch(asset["created_at"])
    assert [asset[name] for name in ("duration_s", "fps", "audio", "character", "loras", "parents")] == [None] * 4 + [
        [],
        [],
    ]


async def test_a_job_has_every_field_in_every_state(peer, daemon):
    daemon.script(step_s=0.05)
    queued = (await peer.call("images.generate", prompt="red hills", steps=200))["job"]
    is_job(queued, "queued")
    assert [queued[name] for name in ("progress", "started_at", "finished_at", "error")] == [None] * 4
    await daemon.state_of(queued["id"], "running")
    while (running := await peer.call("jobs.get", job_id=queued["id"]))["progress"] is None:
        is_job(running, "running")
    is_job(running, "running")
    assert running["position"] is None
    await peer.call("jobs.cancel", job_id=queued["id"])
    is_job(await peer.call("jobs.wait", job_id=queued["id"], timeout_s=20), "cancelled")
    daemon.script(oom=True)
    failed = await peer.still()
    is_job(failed, "failed")
    daemon.script()
    done = await peer.still()
    is_job(done, "succeeded")
    assert len(done["asset_ids"]) == 1
    page = has(await peer.call("jobs.list", limit=2), "jobs next")
    assert [job["id"] for job in page["jobs"]] == [done["id"], failed["id"]]
    assert isinstance(page["next"], str)


async def test_assets_and_receipts_have_every_field(peer, daemon):
    done = await peer.still(tags=["a"])
    asset = await peer.call("library.get", asset_id=done["asset_ids"][0])
    is_asset(asset)
    page = has(await peer.call("library.search"), "assets next")
    assert page == {"assets": [asset], "next": None}
    [file] = (daemon.home / "pictures").rglob("*.receipt.json")
    receipt = has(json.loads(file.read_text("utf-8")), RECEIPT)
    assert (receipt["receipt"], receipt["id"], receipt["cost"]) == (1, asset["receipt_id"], None)
    has(receipt["verdict"], "policy anchor removed")
    [made] = receipt["made"]
    assert has(made, MADE)["file"] == asset["path"].rpartition("/")[2]
    is_asset(await peer.call("library.remove", asset_id=asset["id"]))
    is_asset(await peer.call("library.tag", asset_id=asset["id"], add=["b"]))


async def test_what_the_daemon_says_of_itself(peer, daemon):
    hello = has(await peer.call("system.hello", client="test", version="1"), "api version boot_id features limits")
    has(hello["limits"], "body_bytes batch depth prompt_bytes queue")
    assert (hello["api"], hello["limits"]["batch"], hello["limits"]["depth"]) == ("1.0", 32, 32)
    assert hello["limits"]["body_bytes"] == 1024 * 1024
    status = has(await peer.call("system.status"), STATUS_OF_SYSTEM)
    has(status["engine"], "state device model pid")
    assert status["engine"]["state"] in {"off", "starting", "idle", "busy", "unstable", "missing"}
    has(status["queue"], QUEUE)
    has(status["cloud"], "enabled reason")
    has(status["disk"], "free_bytes reserve_bytes")
    assert re.fullmatch(f"boot_{ULID}", status["boot_id"])
    queue = has(await peer.call("queue.pause"), QUEUE)
    assert (queue["paused"], queue["reason"]) == (True, "user")
    assert set(queue["counts"]) == set(STATES.split())
    assert set(queue["lanes"]) == {"normal", "interactive", "idle"}
    has(await peer.call("queue.resume"), QUEUE)
    has(await peer.call("queue.status"), QUEUE)
    discovery = daemon.home / "runtime" / "tendred.json"
    found = has(json.loads(discovery.read_text("utf-8")), DISCOVERY)
    assert found["url"].startswith("http://127.0.0.1:")
    assert (found["api"], found["boot_id"]) == ("1.0", status["boot_id"])
    assert stat.S_IMODE(discovery.stat().st_mode) == 0o600


async def test_models_folders_and_verdicts(peer):
    await peer.still(keep_alive_s=-1)
    [model] = has(await peer.call("models.list", kind="model"), "models budget")["models"]
    assert has(model, MODEL)["state"] == "ready"
    everything = (await peer.call("models.list"))["models"]
    assert model in everything
    for other in everything:
        has(other, MODEL)
    [loaded] = has(await peer.call("models.ps"), "loaded")["loaded"]
    assert has(loaded, LOADED)["expires_at"] is None
    [one] = has(await peer.call("characters.list"), "characters")["characters"]
    assert has(one, CHARACTER) == await peer.call("characters.get", name=one["name"])
    for use in one["loras"]:
        has(use, "name weight")
    assert await peer.call("models.unload") == {"unloaded": ["starter"]}
    [folder] = has(await peer.call("hotfolders.list"), "hotfolders")["hotfolders"]
    assert re.fullmatch(f"hot_{ULID}", has(folder, HOTFOLDER)["id"])
    allowed = has(await peer.call("boundary.check", prompt="hills"), VERDICT)
    assert [allowed[name] for name in ("verdict", "rule", "reason", "span", "removed")] == [
        "allow",
        None,
        None,
        None,
        [],
    ]
    refused = has(await peer.call("boundary.check", prompt="a 15 year old"), VERDICT)
    assert refused["verdict"] == "refuse"
    assert len(refused["span"]) == 2
    document = await peer.call("rpc.discover")
    assert document["openrpc"].startswith("1.3")
    assert {"methods", "components", "x-events"} <= set(document)


async def test_a_pull_has_every_field_in_every_state(make_daemon):
    with FakeHub() as hub:
        daemon = await make_daemon(f"hub.endpoint={hub.endpoint}")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
            peer = Peer(daemon, session)
            queued = has(await peer.call("models.pull", repo="maker/tiny"), PULL)
            assert re.fullmatch(f"pul_{ULID}", queued["id"])
            assert (queued["state"], queued["total_bytes"], queued["finished_at"]) == ("queued", None, None)
            done = has(await peer.call("pulls.wait", pull_id=queued["id"], timeout_s=30), PULL)
            assert (done["state"], done["done_bytes"]) == ("succeeded", done["total_bytes"])
            assert TIME.fullmatch(done["finished_at"])
            assert await peer.call("pulls.get", pull_id=queued["id"]) == done
            assert await peer.call("pulls.list") == {"pulls": [done], "next": None}
            page = await peer.call("events.since", seq=1, topics=["model.pull"], limit=500)
            for event in page["events"]:
                has(has(event, EVENT)["data"]["pull"], PULL)
            assert event["topic"] == "model.pulled"


async def test_events_in_pages_and_as_they_happen(peer, daemon):
    url = daemon.url.replace("http", "ws") + "/ws"
    async with peer.session.ws_connect(url) as socket:
        await socket.send_json(
            {"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": {"topics": ["job."]}}
        )
        subscribed = has((await socket.receive_json())["result"], "subscription_id seq boot_id")
        job = await peer.still()
        topics = []
        while "job.succeeded" not in topics:
            notice = has(await socket.receive_json(timeout=20), "jsonrpc method params")
            event = has(notice["params"], f"{EVENT} subscription_id")
            assert (notice["method"], event["job_id"]) == ("event", job["id"])
            assert event["subscription_id"] == subscribed["subscription_id"]
            assert (event["seq"] is None) == (event["topic"] in LIVE)
            topics.append(event["topic"])
    page = has(await peer.call("events.since", seq=1, limit=500), "events next_seq oldest_seq boot_id")
    for event in page["events"]:
        has(event, EVENT)
        assert TIME.fullmatch(event["at"])
    assert page["next_seq"] == page["events"][-1]["seq"] + 1


async def test_every_event_holds_what_its_topic_says(peer, daemon, tmp_path):
    job = await peer.still()
    await peer.call("library.remove", asset_id=job["asset_ids"][0])
    await peer.ask("images.generate", prompt="a 15 year old")
    daemon.script(step_s=0.05, die_at_step=3, die_times=1)
    cancelled = (await peer.call("images.generate", prompt="red hills", steps=200))["job"]
    await daemon.state_of(cancelled["id"], "running")
    await daemon.eventually(lambda: daemon.studio.loaded().loaded)
    await daemon.state_of(cancelled["id"], "running")
    await peer.call("queue.pause", mode="now", unload=True)
    await peer.call("queue.resume")
    await peer.call("jobs.cancel", job_id=cancelled["id"])
    await peer.call("jobs.wait", job_id=cancelled["id"], timeout_s=20)
    daemon.script(oom=True)
    await peer.still()
    daemon.script()
    for name, text in (("good.txt", "hills"), ("bad.txt", "a 15 year old")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).rename(daemon.home / "hot" / name)
    wanted = {"hotfolder.done", "hotfolder.failed", "model.unloaded", "job.requeued"}
    seen: dict[str, dict] = {}
    async with asyncio.timeout(20):
        while not wanted <= set(seen):
            page = await peer.call("events.since", seq=1, limit=500)
            seen = {event["topic"]: event["data"] for event in page["events"]}
    for topic, data in seen.items():
        assert MEANINGS[topic][0] in data, topic


async def test_an_error_has_every_field_and_its_code(peer):
    for method, params, kind, code in [
        ("jobs.get", {"job_id": "job_nope"}, "not_found", 1010),
        ("images.generate", {"prompt": "hills", "stepz": 1}, "invalid_params", -32602),
        ("images.generate", {"prompt": "a 15 year old"}, "boundary_refused", 1001),
        ("nope.nope", {}, "method_not_found", -32601),
        ("events.subscribe", {}, "needs_socket", 1015),
    ]:
        answer = has(await peer.ask(method, **params), "jsonrpc id error")
        error = has(answer["error"], "code message data")
        is_error(error["data"])
        assert (error["code"], error["data"]["kind"], error["message"]) == (code, kind, error["data"]["message"])


def test_every_record_says_all_its_fields():
    """Null when empty, never left out: no record omits its defaults."""
    from tendred.schema.base import Record

    records = Record.__subclasses__()
    assert len(records) > 40
    assert [record.__name__ for record in records if record.__struct_config__.omit_defaults] == []
