"""Every error kind is raised once, through a real door or room, and told in both languages with a next step."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from tendred.app.backup import restore
from tendred.app.client import Client
from tendred.app.cloudwork import Outside
from tendred.app.daemon import Daemon
from tendred.app.verify import verify
from tendred.clock import SystemClock, SystemRng
from tendred.cloud.adapters.table import load as tables
from tendred.cloud.clips import check_unknowns_in
from tendred.cloud.offer import named
from tendred.config.load import load
from tendred.config.paths import resolve
from tendred.config.schema import CloudSection, PathsSection
from tendred.config.secrets import Keys
from tendred.core.history import History
from tendred.core.telling import Teller
from tendred.errors import LANGUAGES, TendredError, registry
from tendred.fs import SystemFs
from tendred.library.files import Files
from tendred.money import caps, quotes
from tendred.money.ledger import Hold
from tendred.money.prices import Prices
from tendred.rpc.door import WAITS, RpcDoor, Waits
from tendred.rpc.jsonrpc import Dispatcher
from tendred.rpc.methods import registry as methods
from tendred.schema.clip import ClipRequest
from tendred.schema.error import tell
from tendred.schema.job import Origin
from tendred.schema.money import CapChanges, Quote
from tendred.testing.adapters import CLIP, ORDER, adapter_for, fetched, ready
from tendred.testing.clock import ManualClock
from tendred.testing.cloud import MemoryAdapter, Provider, features
from tendred.testing.credentials import MemorySecrets
from tendred.testing.hub import FakeHub, Fault, Repo, model
from tendred.testing.providers.clips import canned
from tendred.testing.providers.faults import Fault as Failing
from tendred.testing.providers.ltx import FakeLtx
from tendred.testing.raw import exchange, request
from tendred.testing.tiny import STARTER

REQUEST = ClipRequest(prompt="rain", provider="ltx", model="ltx-2-3-fast", width=1920, height=1080, seconds=6)
QUOTE = Quote(
    id="quo_1", job_id="job_1", provider="ltx", model="m", width=1920, height=1080, seconds=6, fps="24", rate_mcr=1,
    total_mcr=6, credits="0.006", table_date="2026-11-01", table_source="s", stale=False, failed="unknown",
    filtered="unknown", expires_at="", digest="d",
)  # fmt: skip


class CloudDaemon(Daemon):
    """With a provider in memory."""

    def _outside(self, plugins):
        there = Provider(features("ltx"), self.machine.clock, lambda _: 0)
        return Outside(adapters={"ltx": MemoryAdapter(there)}, secrets=MemorySecrets(), media=self._footage("results"))


class Bench:
    """Ways to go wrong. Each returns the kind that a client sees, or raises it."""

    def __init__(self, make_daemon, tmp_path):
        self.make_daemon, self.tmp_path = make_daemon, tmp_path

    # -- over HTTP

    async def posted(self, daemon, body):
        headers = {"Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{daemon.url}/rpc", data=body) as answer,
        ):
            error = (await answer.json())["error"]
        assert error["data"]["next"]
        assert error["message"] == error["data"]["message"]
        return error["data"]["kind"]

    async def called(self, method, /, **params):
        return await self.posted(await self.make_daemon(), json.dumps(call(method, **params)))

    async def parse_error(self):
        return await self.posted(await self.make_daemon(), "{")

    async def invalid_request(self):
        return await self.posted(await self.make_daemon(), "[]")

    async def method_not_found(self):
        return await self.called("images.generat")

    async def invalid_params(self):
        return await self.called("images.generate", prompt="hills", width="wide")

    async def boundary_refused(self):
        return await self.called("images.generate", prompt="a 15 year old")

    async def still_not_ours(self):
        return await self.called("images.generate", prompt="hills", image={"asset_id": "ast_nope"})

    async def not_found(self):
        return await self.called("jobs.get", job_id="job_nope")

    async def too_large(self):
        return await self.called("images.generate", prompt="x" * 9000)

    async def needs_socket(self):
        return await self.called("events.subscribe")

    async def model_missing(self):
        return await self.called("images.generate", prompt="hills", model="startre")

    async def model_refused(self):
        folder = self.tmp_path / "pickled"
        (folder / "unet").mkdir(parents=True)
        index = {"_class_name": "StableDiffusionXLPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
        (folder / "model_index.json").write_text(json.dumps(index))
        (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
        return await self.called("models.add", path=str(folder))

    async def model_in_use(self):
        daemon = await self.make_daemon()
        await daemon.studio.pause(mode="drain", unload=False)
        folder = shutil.copytree(STARTER, self.tmp_path / "mine", copy_function=shutil.copyfile)
        await daemon.studio.add_model(str(folder), None)
        await daemon.submit("hills", model="mine")
        return await self.posted(daemon, json.dumps(call("models.remove", name="mine")))

    async def idempotency_conflict(self):
        daemon = await self.make_daemon()
        key = {"idempotency_key": "k"}
        headers = {"Authorization": f"Bearer {daemon.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            await session.post(f"{daemon.url}/rpc", json=call("images.generate", prompt="hills", **key))
        return await self.posted(daemon, json.dumps(call("images.generate", prompt="other hills", **key)))

    # -- the guard

    async def guarded(self, daemon, *headers, host=None):
        port = int(daemon.url.rpartition(":")[2])
        lines = [f"Host: {host or f'127.0.0.1:{port}'}", "Content-Length: 2", *headers]
        return (await exchange(port, request("POST /rpc HTTP/1.1", *lines, body=b"{}"))).kind

    async def unauthorized(self):
        return await self.guarded(await self.make_daemon(), "Content-Type: application/json")

    async def origin_refused(self):
        daemon = await self.make_daemon()
        return await self.guarded(daemon, f"Authorization: Bearer {daemon.token}", "Origin: http://evil.example")

    async def wrong_type(self):
        daemon = await self.make_daemon()
        return await self.guarded(daemon, f"Authorization: Bearer {daemon.token}", "Content-Type: text/plain")

    async def host_refused(self):
        daemon = await self.make_daemon()
        return await self.guarded(daemon, f"Authorization: Bearer {daemon.token}", host="evil.example")

    # -- on the road

    async def ended(self, **script):
        daemon = await self.make_daemon()
        daemon.script(**script)
        job = await daemon.still("hills")
        assert job.error is not None
        assert job.error.next
        return job.error.kind

    async def output_withheld(self):
        return await self.ended(findings=[{"check": "test", "rule": "output.test", "refuse": True}])

    async def signer_broken(self):
        daemon = await self.make_daemon()
        daemon.daemon.paths.signing.mkdir()  # a folder without a key in it: somebody took that away
        return (await daemon.still("hills")).error.kind

    async def file_unreadable(self):
        verify(self.tmp_path / "nothing.png")

    async def engine_died(self):
        return await self.ended(die_at_step=1)

    async def out_of_memory(self):
        return await self.ended(oom=True)

    async def engine_missing(self):
        return await self.ended(missing="No module named 'torch'")

    async def cancelled(self):
        daemon = await self.make_daemon()
        daemon.script(step_s=0.05)
        job = await daemon.submit("hills", steps=200)
        await daemon.state_of(job.id, "running")
        await daemon.studio.cancel(job.id)
        # It becomes a state and never an error: its kind is only in the command line's exit code.
        return (await daemon.studio.wait(job.id, 20)).state

    async def shutting_down(self):
        daemon = await self.make_daemon()
        daemon.studio.stop(drain=True)
        await daemon.submit("hills")

    async def queue_full(self):
        daemon = await self.make_daemon("queue.limit=1")
        await daemon.studio.pause(mode="drain", unload=False)
        await daemon.submit("hills")
        await daemon.submit("hills")

    async def wrong_state(self):
        daemon = await self.make_daemon()
        job = await daemon.still("hills")
        return await self.posted(daemon, json.dumps(call("jobs.retry", job_id=job.id)))

    async def unsupported_parameter(self):
        folder = self.tmp_path / "flux"
        (folder / "transformer").mkdir(parents=True)
        index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
        (folder / "model_index.json").write_text(json.dumps(index))
        header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        weights = len(header).to_bytes(8, "little") + header + bytes(4)
        (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(weights)
        (folder / "scheduler").mkdir()
        scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
        daemon = await self.make_daemon()
        await daemon.studio.add_model(str(folder), None)
        await daemon.submit("hills", model="flux", negative_prompt="fog")

    # -- from the hub

    async def pulled(self, hub, *settings):
        daemon = await self.make_daemon(f"hub.endpoint={hub.endpoint}", *settings)
        pull = await daemon.studio.pulls.start("maker/tiny", None, None, None)
        async with asyncio.timeout(30):
            while (pull := await daemon.studio.pulls.get(pull.id)).error is None:
                await asyncio.sleep(0.02)
        assert pull.error.next
        return pull.error.kind

    async def credentials_missing(self):
        with FakeHub({"maker/tiny": Repo(model(), gated=True)}) as hub:
            return await self.pulled(hub)

    async def provider_refused(self):
        token = self.tmp_path / "token"
        token.write_text("hf_x")
        token.chmod(0o600)
        with FakeHub({"maker/tiny": Repo(model(), gated=True)}) as hub:
            return await self.pulled(hub, f"hub.token_file={token}", f"hub.token_host={hub.host}")

    async def provider_unavailable(self):
        with FakeHub() as hub:
            hub.faults.append(Fault("", what="status", status=503, times=9))
            return await self.pulled(hub)

    # -- at a provider of clips

    async def ordered(self, *faults):
        async with FakeLtx(canned(CLIP), faults=faults) as provider:
            adapter = adapter_for(provider)
            state = await ready(adapter, (await adapter.submit(ORDER)).remote_id)
            await fetched(adapter, state)

    async def provider_filtered(self):
        await self.ordered(Failing(where="submit", what="status", status=422))

    async def insufficient_funds(self):
        await self.ordered(Failing(where="submit", what="status", status=402))

    async def result_expired(self):
        await self.ordered(Failing(where="download", what="status", status=404))

    async def not_sent(self):
        async with FakeLtx(canned(CLIP)) as provider:
            adapter = adapter_for(provider)
        await adapter.submit(ORDER)

    async def clip_unreadable(self):
        pytest.importorskip("av")
        from tendred.media.worker.footage import probe

        (self.tmp_path / "no.mp4").write_bytes(b"no clip")
        probe(str(self.tmp_path / "no.mp4"))

    async def not_offered(self):
        named(tables("ltx").features(), "ltx-2-pro")

    async def keyring_unavailable(self):
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        await Keys(CloudSection(), SystemClock(), env=env).get("ltx")

    # -- in a room

    async def internal(self):
        try:
            {}["a bug of ours"]
        except KeyError as bug:
            return Teller("en", SystemRng())(bug).kind

    async def not_permitted(self):
        daemon = await self.make_daemon()
        door = RpcDoor(daemon.studio, Waits(), dict, scopes=frozenset({"read"}))
        answer = await Dispatcher(methods(), daemon.studio.tell).answer(json.dumps(call("queue.pause")).encode(), door)
        return json.loads(answer)["error"]["data"]["kind"]

    async def slow_down(self):
        waits, held = Waits(), asyncio.Event()
        tasks = [asyncio.ensure_future(waits.hold(held.wait)) for _ in range(WAITS)]
        await asyncio.sleep(0)
        try:
            await waits.hold(held.wait)
        finally:
            held.set()
            await asyncio.gather(*tasks)

    async def events_gone(self):
        daemon = await self.make_daemon()
        await daemon.still("hills")
        history = History(daemon.studio._p.database, "boot", kept=1)
        await history.forget()
        await history.since(1, [], 10)

    async def disk_full(self):
        # Linux's own full disk.
        Files(self.tmp_path, self.tmp_path / "s", SystemFs()).write("x", b"x", Path("/dev/full"))

    async def folder_unwritable(self):
        (self.tmp_path / "file").write_bytes(b"")
        Files(self.tmp_path / "file", self.tmp_path / "file" / "staging", SystemFs()).stage("job_1")

    # -- clips and money

    async def cloud_off(self):
        daemon = await self.make_daemon(kind=CloudDaemon)
        await daemon.studio.clips.quote(REQUEST, {}, Origin(door="rpc"), "owner")

    async def priced(self, text=None, clock=None):
        (self.tmp_path / "prices").mkdir()
        if text is not None:
            (self.tmp_path / "prices" / "nobody.toml").write_text(text)
        prices = Prices(self.tmp_path / "prices", clock or ManualClock())
        prices.price("nobody", "m", (1920, 1080), 6, accept_stale=False)

    async def prices_missing(self):
        await self.priced()

    async def prices_stale(self):
        table = 'provider = "nobody"\ndate = 2020-01-01\ncurrency = "USD"\nsource = "me"\n'
        await self.priced(table + '[[rates]]\nmodel = "m"\nusd_per_second = { 1080 = "1" }\n')

    async def offered(self, *, token="owner", at=10.0, used=False):
        database = (await self.make_daemon()).studio._p.database

        def work(tx):
            quotes.add_in(tx, QUOTE, "owner", {}, tx.now + at)
            if used:
                quotes.use_in(tx, QUOTE.id, "job_1")
            return quotes.get_in(tx, QUOTE.id, token)

        await database.write(work)

    async def quote_expired(self):
        await self.offered(at=-1.0)

    async def quote_used(self):
        await self.offered(used=True)

    async def quote_mismatch(self):
        await self.offered(token="tok_1")

    async def consent_required(self):
        daemon = await self.make_daemon(kind=CloudDaemon)
        await daemon.studio.cloud.enable("ltx", CapChanges())

    async def cap_exceeded(self):
        hold = Hold(job_id="job_1", provider="ltx", token_id="owner", door="rpc", mcr=1)
        await (await self.make_daemon()).studio._p.database.write(lambda tx: caps.check_in(tx, hold))

    async def outcome_unknown(self):
        def work(tx):
            for number in range(2):
                tx.run(
                    "INSERT INTO clip(job_id, quote_id, provider, phase, unwanted, quoted_mcr) VALUES (?, ?, ?, ?, 0, 1)",
                    f"job_{number}", f"quo_{number}", "ltx", "unknown",
                )  # fmt: skip
            check_unknowns_in(tx)

        await (await self.make_daemon()).studio._p.database.write(work)

    # -- before there is a door

    async def config_broken(self):
        load(["rpc.port=many"], {})

    async def already_running(self):
        daemon = await self.make_daemon()
        await self.make_daemon(home=daemon.home)

    async def port_in_use(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            await self.make_daemon(f"rpc.port={other.getsockname()[1]}")

    async def store_broken(self):
        (self.tmp_path / "home" / "data").mkdir(parents=True, mode=0o700)
        (self.tmp_path / "home" / "data" / "tendred.db").write_bytes(b"no database" * 1000)
        await self.make_daemon()

    async def backup_broken(self):
        (self.tmp_path / "it.tar").write_bytes(b"no backup")
        restore(resolve(PathsSection(), {"TENDRED_HOME": str(self.tmp_path / "new")}), self.tmp_path / "it.tar")

    async def no_daemon(self):
        Client.find(resolve(PathsSection(), {"TENDRED_HOME": str(self.tmp_path)}))


def call(method, /, **params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_every_kind_is_raised_here():
    assert {name for name in vars(Bench) if name in registry()} == set(registry())


@pytest.mark.parametrize("kind", sorted(registry()))
async def test_a_kind_is_raised_and_told(kind, make_daemon, tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")
    try:
        seen = await getattr(Bench(make_daemon, tmp_path), kind)()
    except TendredError as error:
        seen = error.kind
        for lang in LANGUAGES:
            info = tell(error, "ref1", lang)
            assert info.message
            assert info.next
            assert "{" not in info.message
    assert seen == kind


async def test_the_same_failure_is_told_in_french(make_daemon):
    daemon = await make_daemon("daemon.language=fr")
    headers = {"Authorization": f"Bearer {daemon.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{daemon.url}/rpc", json=call("jobs.get", job_id="job_nope")) as answer,
    ):
        data = (await answer.json())["error"]["data"]
    assert data["next"] == "Regardez d'abord la liste."
