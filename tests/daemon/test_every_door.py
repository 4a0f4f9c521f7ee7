"""Every door, generated: whatever of an interface carries text or bytes is tried with words that must not be drawn.

The OpenRPC document, the HTTP router's table, the hook specification and the hot folder's formats say what there is. Each
place that carries text is filled twice: with harmless words, which shows whether they would be drawn at all (`DRAWN` is
the whole list of such places, compared), and with refused ones, of which nothing may ever be sealed. Only what is sealed
is drawn (see test_seal). A new method, field, route, hook or format without a way to try it fails here.
"""

from __future__ import annotations

import itertools
import json

import aiohttp
import msgspec
import pytest

from tendred.boundary.seal import canonical, seal
from tendred.core.studio import Submission
from tendred.errors import TendredError
from tendred.hooks.spec import Hooks
from tendred.hotfolder.parse import ENDINGS, parse
from tendred.rpc.http import Front
from tendred.rpc.methods import registry
from tendred.rpc.openrpc import document
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning
from tendred.schema.still import Amendment, StillRequest
from tendred.testing.headers import folder
from tendred.testing.loras import layers, write
from tendred.testing.plugins import installed
from tendred.testing.walk import ANY_KEY, filled, leaves, shown

HARMLESS = "heather"
REFUSED = {"minor": "a 15 year old", "person": "looks exactly like Winston Churchill"}
TRACES = ("15 year", "churchill")
NEGATIVE_FIELDS = ("negative_prompt",)

DOCUMENT = document(registry())
COMPONENTS = DOCUMENT["components"]["schemas"]
PARAMS = {
    method["name"]: {
        "type": "object",
        "properties": {param["name"]: param["schema"] for param in method["params"]},
        "required": [param["name"] for param in method["params"] if param["required"]],
    }
    for method in DOCUMENT["methods"]
}
CARRIES = {name: [*leaves(schema, COMPONENTS)] for name, schema in PARAMS.items()}

DRAWN = {
    "images.generate": {"prompt", "negative_prompt", "tags[]"},
    "images.grid": {"prompt", "negative_prompt", "tags[]", "x.values[]", "y.values[]"},
    "images.upscale": {"tags[]"},
    "library.sheet": {"title", "labels[]", "tags[]"},
    "characters.create": {"name", "fragment"},
    "characters.update": {"fragment"},
    "wildcards.add": {"options[]"},
    "presets.set": {"fields.*"},
    "models.add": {"name"},
    "loras.add": {"name"},
}
"""Where words come to be drawn, or stand beside what is drawn, after being used by whoever stored them."""


def bases(world):
    """Params that work, for every method that carries text; some in several ways."""
    hills = {"prompt": "red hills"}
    asset, job = {"asset_id": world.asset}, {"job_id": world.cancelled}
    by_words = {"field": "prompt", "values": ["blue"], "replace": "red"}
    return {
        "boundary.check": [hills],
        "characters.create": [{"name": "anna", "fragment": "a woman in red"}],
        "characters.get": [{"name": "mira"}],
        "characters.remove": [{"name": "nobody"}],
        "characters.sheet": [{"name": "mira"}],
        "characters.update": [{"name": "berta"}],
        "events.since": [{"seq": 1}],
        "events.subscribe": [{}],
        "events.unsubscribe": [{"subscription_id": "sub_1"}],
        "hotfolders.add": [{"path": str(world.root / "nowhere")}],
        "hotfolders.remove": [{"hotfolder_id": "hot_1"}],
        "hotfolders.rescan": [{}],
        "images.again": [{**asset, "insist": True}],
        "images.generate": [hills],
        "images.grid": [
            {**hills, "x": {"field": "seed", "values": [1]}, "y": {"field": "negative_prompt", "values": ["fog"]}},
            {**hills, "x": by_words},
            {**hills, "x": {"field": "seed", "values": [1]}, "y": by_words},
        ],
        "images.upscale": [asset],
        "images.variations": [{**asset, "count": 1}],
        "jobs.cancel": [job],
        "jobs.get": [job],
        "jobs.list": [{}],
        "jobs.move": [{**job, "to": "first"}],
        "jobs.preview": [job],
        "jobs.retry": [job],
        "jobs.wait": [{**job, "timeout_s": 0}],
        "library.get": [asset],
        "library.remove": [{"asset_id": "ast_1"}],
        "library.restore": [asset],
        "library.search": [{}],
        "library.sheet": [{"asset_ids": [world.asset]}],
        "library.tag": [{**asset, "add": ["nice"]}],
        "loras.add": [{"path": str(world.lora), "name": "ink"}],
        "loras.remove": [{"name": "nothing"}],
        "loras.show": [{"name": "nothing"}],
        "models.add": [{"path": str(world.model), "name": "other"}],
        "models.pull": [{"repo": "maker/tiny"}],
        "models.remove": [{"name": "nothing"}],
        "models.scan": [{"folders": [str(world.root / "nowhere")], "known_places": False}],
        "models.show": [{}],
        "models.unload": [{}],
        "models.use": [{"name": "starter"}],
        "models.verify": [{"name": "nothing"}],
        "presets.remove": [{"name": "nothing"}],
        "presets.set": [{"name": "misty", "fields": {"negative_prompt": "fog"}}],
        "presets.show": [{"name": "nothing"}],
        "prompts.expand": [hills],
        "pulls.cancel": [{"pull_id": "pul_1"}],
        "pulls.get": [{"pull_id": "pul_1"}],
        "pulls.list": [{}],
        "pulls.pause": [{"pull_id": "pul_1"}],
        "pulls.resume": [{"pull_id": "pul_1"}],
        "pulls.wait": [{"pull_id": "pul_1", "timeout_s": 0}],
        "system.hello": [{"client": "walk", "version": "1"}],
        "wildcards.add": [{"name": "weather", "options": ["sunny"], "replace": True}],
        "wildcards.remove": [{"name": "nothing"}],
        "wildcards.show": [{"name": "nothing"}],
    }


def uses(method, params):
    """Requests that use what a call stored."""
    name = params.get("name")
    match method:
        case "wildcards.add":
            return [{"prompt": f"hills, __{name}__"}, {"prompt": "hills", "negative_prompt": f"__{name}__"}]
        case "presets.set":
            return [{"prompt": "hills", "preset": name}]
        case "characters.create" | "characters.update":
            return [{"prompt": "hills", "character": name}, {"prompt": f"@{name} on a hill"}]
        case "models.add":
            return [{"prompt": "hills", "model": name}]
        case "loras.add":
            return [{"prompt": "hills", "loras": [{"name": name}]}]
        case _:
            return []


class World:
    """A daemon that draws nothing, with one of each thing that can be named."""

    def __init__(self, daemon, session):
        self.daemon, self.session, self.root = daemon, session, daemon.home / "walk"
        self.calls = itertools.count()
        self.seen: set[str] = set()

    async def prepare(self):
        self.asset = (await self.daemon.still("hills")).asset_ids[0]
        await self.daemon.studio.pause(mode="drain", unload=False)
        self.cancelled = (await self.daemon.submit("hills")).id
        await self.daemon.studio.cancel(self.cancelled)
        self.lora, self.model = self.root / "ink.safetensors", self.root / "other"
        write(self.lora)
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        folder(self.model, shapes)
        await self.call("characters.create", name="berta", fragment="a woman in blue")
        await self.sealed()

    async def call(self, method, /, **params):
        """The error's kind, or None. Each call is a client of its own: else the back-off would hide the boundary."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Tendred-Client": f"walk{next(self.calls)}/1"}
        async with self.session.post(f"{self.daemon.url}/rpc", json=body, headers=headers) as answer:
            told = await answer.json()
        return told["error"]["data"]["kind"] if "error" in told else None

    async def sealed(self):
        """What was sealed since the last look, as text: the negative prompts apart, where words say what is not wanted."""
        sql = "SELECT id, sealed_request, conditioning FROM job"
        rows = await self.daemon.studio._p.database.read(lambda connection: connection.execute(sql).fetchall())
        positive, negative = [], []
        for row in rows:
            if row["id"] in self.seen:
                continue
            self.seen.add(row["id"])
            request = json.loads(row["sealed_request"])
            conditioning = msgspec.json.decode(row["conditioning"], type=Conditioning)
            negative += [request.pop("negative_prompt", ""), "".join(span.text for span in conditioning.negative)]
            positive += [json.dumps(request), "".join(span.text for span in conditioning.prompt)]
        return "\n".join(positive).casefold(), "\n".join(negative).casefold()

    async def tried(self, method, params):
        """What a call, and the uses of what it stored, sealed."""
        await self.call(method, **params)
        for request in uses(method, params):
            await self.call("images.generate", **request)
        return await self.sealed()

    async def walk(self, method, leaf):
        """Try one place. Returns whether harmless words come to be drawn."""
        samples = {"asset_id": self.asset, "model": "ink", "field": "negative_prompt", "colour": "#ff0000",
                   ANY_KEY: "negative_prompt"}  # fmt: skip
        reached = False
        for base in bases(self)[method]:
            for text in (HARMLESS, *REFUSED.values()):
                params = filled(PARAMS[method], COMPONENTS, base, leaf, text, samples)
                positive, negative = await self.tried(method, params)
                reached |= HARMLESS in positive + negative
                where = f"{method} {shown(leaf)}"
                assert not any(trace in positive for trace in TRACES), where
                # A wish against minors is fine there; a person's name works as a theme there too.
                assert TRACES[1] not in negative, where
        return reached


@pytest.fixture
async def world(make_daemon):
    daemon = await make_daemon("queue.limit=100000", "hub.endpoint=http://127.0.0.1:9")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
        world = World(daemon, session)
        await world.prepare()
        yield world


def test_every_method_that_carries_text_has_a_way_to_be_tried():
    class Nobody:
        root, asset, cancelled, lora, model = "", "", "", "", ""

    class Root:
        def __truediv__(self, _):
            return ""

    nobody = Nobody()
    nobody.root = Root()
    tried = bases(nobody)
    assert sorted(name for name, found in CARRIES.items() if found and name not in tried) == []
    assert sorted(set(tried) - set(PARAMS)) == []
    assert sum(map(len, CARRIES.values())) > 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", [name for name, found in CARRIES.items() if found])
async def test_nothing_refused_is_sealed_whatever_field_it_comes_in(world, method):
    reached = {shown(leaf) for leaf in CARRIES[method] if await world.walk(method, leaf)}
    assert reached == DRAWN.get(method, set())


# -- routes


ROUTES = {
    ("GET", "/health"): "carries nothing in",
    ("POST", "/rpc"): "every test above",
    ("GET", "/ws"): "the same dispatcher: test_the_socket_is_the_same_door",
    ("GET", "/media/"): "one id: test_a_media_path_names_an_asset_or_nothing",
}


def test_every_route_is_tried():
    front = Front(None, None, body_timeout_s=1, clock=None)
    assert set(front.routes) == set(ROUTES)


async def test_the_socket_is_the_same_door(world):
    async with world.session.ws_connect(f"{world.daemon.url}/ws") as socket:
        for number, text in enumerate((HARMLESS, *REFUSED.values())):
            params = {"prompt": text}
            await socket.send_json({"jsonrpc": "2.0", "id": number, "method": "images.generate", "params": params})
            answer = await socket.receive_json(timeout=20)
            assert answer.get("error", {}).get("data", {}).get("kind") == (None if number == 0 else "boundary_refused")
    positive, _ = await world.sealed()
    assert HARMLESS in positive
    assert not any(trace in positive for trace in TRACES)


async def test_a_media_path_names_an_asset_or_nothing(world):
    for name in ("a%2015%20year%20old", "..%2F..%2Fetc%2Fpasswd", "ast_nope"):
        async with world.session.get(f"{world.daemon.url}/media/{name}") as answer:
            assert answer.status == 404
    # No method takes bytes: a body is JSON or nothing.
    async with world.session.post(
        f"{world.daemon.url}/rpc", data=b"\x89PNG", headers={"Content-Type": "image/png"}
    ) as answer:
        assert answer.status == 415


# -- hooks

AMENDS = """
from tendred.api import Amendment, hookimpl
requires_api = ">=1.0"
answers = []
@hookimpl
def amend_request(request):
    return answers.pop() if answers else None
"""
HOOKS = {
    "amend_request": "test_what_a_plugin_writes_is_judged",
    "media_finished": "gets copies: test_hostile_plugins",
    "export_media": "gets copies: test_hostile_plugins",
}


def test_every_hook_is_tried():
    assert {name for name in vars(Hooks) if not name.startswith("_")} == set(HOOKS)


AMENDMENT = msgspec.json.schema(Amendment)
AMENDED = [*leaves(AMENDMENT, AMENDMENT["$defs"])]
DRAWN_OF_PLUGINS = {"prompt", "negative_prompt", "tags[]"}


@pytest.mark.timeout(300)
async def test_what_a_plugin_writes_is_judged(make_daemon, tmp_path):
    with installed(tmp_path / "site", amends=AMENDS):
        import plug_amends

        daemon = await make_daemon('plugins.enabled=["amends"]', "queue.limit=10000")
        await daemon.studio.pause(mode="drain", unload=False)
        world = World(daemon, None)
        reached = set()
        for leaf in AMENDED:
            for number, text in enumerate((HARMLESS, *REFUSED.values())):
                fields = filled(AMENDMENT, AMENDMENT["$defs"], {}, leaf, text, {})
                plug_amends.answers[:] = [Amendment(**fields)]
                submission = Submission(request=StillRequest(prompt="hills"), asked={}, key=None)
                origin = Origin(door="rpc", client=f"{shown(leaf)}{number}")
                try:
                    await daemon.studio.submit([submission], origin)
                except TendredError as refused:
                    assert refused.kind != "internal", shown(leaf)
                assert plug_amends.answers == []
                positive, negative = await world.sealed()
                reached |= {shown(leaf)} if HARMLESS in positive + negative else set()
                assert not any(trace in positive for trace in TRACES), shown(leaf)
                assert TRACES[1] not in negative, shown(leaf)
        assert reached == DRAWN_OF_PLUGINS


# -- hot folder


def _csv(fields):
    return "\n".join([",".join(fields), ",".join(f'"{value}"' for value in fields.values())])


WRITERS = {
    ".txt": lambda fields: fields["prompt"] if set(fields) == {"prompt"} else None,
    ".md": lambda fields: (
        "---\n"
        + json.dumps({name: value for name, value in fields.items() if name != "prompt"})
        + f"\n---\n{fields['prompt']}"
    ),
    ".json": json.dumps,
    ".yaml": json.dumps,
    ".yml": json.dumps,
    ".toml": lambda fields: "\n".join(f"{name} = {_toml(value)}" for name, value in fields.items()),
    ".csv": lambda fields: _csv(fields) if all(isinstance(value, str) for value in fields.values()) else None,
}


def _toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


def test_every_format_is_tried():
    assert set(WRITERS) == set(ENDINGS)


REQUEST = msgspec.json.schema(StillRequest)
REQUESTED = [*leaves(REQUEST, REQUEST["$defs"])]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_nothing_refused_is_sealed_in_whatever_format_it_is_dropped(world, ending):
    reached = set()
    samples = {"asset_id": world.asset, "model": "ink", "colour": "#ff0000"}
    for leaf in REQUESTED:
        for text in (HARMLESS, *REFUSED.values()):
            fields = filled(REQUEST, REQUEST["$defs"], {"prompt": "red hills"}, leaf, text, samples)
            written = WRITERS[ending](fields)
            if written is None:
                continue
            world.daemon.studio._p.refusals._rows.clear()
            try:
                rows = parse(f"file{ending}", written.encode())
                submissions = [Submission(request=request, asked=asked, key=None) for request, asked in rows]
                await world.daemon.studio.submit(submissions, Origin(door="hotfolder", file=f"file{ending}"))
            except TendredError as refused:
                assert refused.kind != "internal", (ending, shown(leaf))
            positive, negative = await world.sealed()
            reached |= {shown(leaf)} if HARMLESS in positive + negative else set()
            assert not any(trace in positive for trace in TRACES), (ending, shown(leaf))
            assert TRACES[1] not in negative, (ending, shown(leaf))
    plain = {".txt": {"prompt"}, ".csv": {"prompt", "negative_prompt"}}
    assert reached == plain.get(ending, {"prompt", "negative_prompt", "tags[]"})


async def test_a_dropped_files_name_is_judged(world):
    with pytest.raises(TendredError) as caught:
        submission = Submission(request=StillRequest(prompt="hills"), asked={}, key=None)
        await world.daemon.studio.submit([submission], Origin(door="hotfolder", file="a 15 year old.txt"))
    assert (caught.value.kind, caught.value.path) == ("boundary_refused", "file name")


async def test_dropped_files_get_their_reasons_and_nothing_is_made(daemon):
    hot = daemon.home / "hot"
    for ending in ENDINGS[:4]:
        text = WRITERS[ending]({"prompt": REFUSED["minor"]})
        (hot / f".x{ending}").write_text(text)
        (hot / f".x{ending}").rename(hot / f"x{ending}")
    reasons = [hot / "failed" / f"x{ending}.reason.json" for ending in ENDINGS[:4]]
    await daemon.eventually(lambda: all(reason.exists() for reason in reasons))
    for reason in reasons:
        told = json.loads(reason.read_text())
        assert (told["kind"], told["detail"]["rule"]) == ("boundary_refused", "minor.age")
        assert "21" in told["next"]
    assert (await daemon.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs == []


# -- what lies on the disk already


async def test_a_wildcard_that_somebody_wrote_on_the_disk_is_judged(world):
    lists = world.daemon.home / "data" / "wildcards"
    lists.mkdir(parents=True, exist_ok=True)
    for name, text in (("good", HARMLESS), ("bad", REFUSED["minor"])):
        (lists / f"{name}.txt").write_text(f"{text}\n")
        await world.call("images.generate", prompt=f"hills, __{name}__")
        await world.call("images.grid", prompt=f"hills, __{name}__", x={"field": "seed", "values": [1, 2]})
    positive, _ = await world.sealed()
    assert HARMLESS in positive
    assert TRACES[0] not in positive


async def test_what_was_stored_before_the_rules_is_judged_when_it_is_used(world):
    """Characters and presets as an older policy would have let them in; the same for recipes and retried jobs."""
    bad = REFUSED["minor"]
    await world.call("presets.set", name="misty", fields={"negative_prompt": "fog"})
    database = world.daemon.studio._p.database
    changes = [
        ("UPDATE setting SET value = CAST(replace(CAST(value AS TEXT), ?, ?) AS BLOB)", "a woman in blue", bad),
        ("UPDATE asset SET doc = CAST(replace(CAST(doc AS TEXT), ?, ?) AS BLOB)", '"prompt":"hills"', f'"prompt":"{bad}"'),
        ("UPDATE job SET request = CAST(replace(CAST(request AS TEXT), ?, ?) AS BLOB)", '"prompt":"hills"', f'"prompt":"{bad}"'),
    ]  # fmt: skip
    for sql, old, new in changes:
        count = await database.write(lambda tx, sql=sql, old=old, new=new: tx.run(sql, old, new).rowcount)
        assert count > 0
    for method, params in (
        ("images.generate", {"prompt": "hills", "character": "berta"}),
        ("images.generate", {"prompt": "@berta"}),
        ("images.generate", {"prompt": "hills", "control": [{"asset_id": world.asset, "model": "ink"}]}),
        ("images.generate", {"prompt": "hills", "image": {"asset_id": world.asset}}),
        ("images.again", {"asset_id": world.asset, "insist": True}),
        ("images.variations", {"asset_id": world.asset}),
        ("images.upscale", {"asset_id": world.asset}),
        ("jobs.retry", {"job_id": world.cancelled}),
    ):
        kind = await world.call(method, **params)
        assert kind in {"boundary_refused", "not_found"}, method
        assert kind == "boundary_refused" or "control" in params
    positive, _ = await world.sealed()
    assert positive == ""


# -- resuming


async def test_a_job_that_waited_under_another_policy_is_judged_anew_at_its_claim(world):
    """Sealed with this very key, by a policy that let it in."""
    key = (world.daemon.home / "state" / "boundary.key").read_bytes()
    waiting = [await world.daemon.submit(words) for words in ("red hills", "blue hills")]
    database = world.daemon.studio._p.database
    for job, prompt in zip(waiting, ("red hills", REFUSED["minor"]), strict=True):
        sql = "SELECT sealed_request, conditioning FROM job WHERE id = ?"
        row = await database.read(lambda connection, job=job: connection.execute(sql, (job.id,)).fetchone())
        request = {**json.loads(row["sealed_request"]), "prompt": prompt}
        conditioning = {**json.loads(row["conditioning"]), "prompt": [{"text": prompt, "weight": 1.0}]}
        old = seal(key, canonical(request), canonical(conditioning), "0+older")
        change = "UPDATE job SET sealed_request = ?, conditioning = ?, policy = ?, mac = ? WHERE id = ?"
        values = (old.request, old.conditioning, old.policy, old.mac, job.id)
        await database.write(lambda tx, values=values: tx.run(change, *values))
    await world.daemon.studio.resume()
    good, bad = [await world.daemon.studio.wait(job.id, 20) for job in waiting]
    assert (good.state, good.error) == ("succeeded", None)
    assert (bad.state, bad.error.kind, bad.asset_ids) == ("failed", "boundary_refused", [])
    asset = await world.daemon.studio.asset(good.asset_ids[0])
    assert asset.policy == world.daemon.studio._p.submitter._boundary.policy


# -- asking beforehand is never put off; trying is


async def test_submits_back_off_and_checks_do_not(daemon):
    headers = {"Authorization": f"Bearer {daemon.token}", "Accept-Language": "fr", "Tendred-Client": "one/1"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def call(method, client="one/1", **params):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(f"{daemon.url}/rpc", json=body, headers={"Tendred-Client": client}) as answer:
                return await answer.json()

        kinds = [(await call("images.generate", prompt=REFUSED["minor"]))["error"]["data"] for _ in range(6)]
        assert [error["kind"] for error in kinds] == ["boundary_refused"] * 5 + ["slow_down"]
        assert kinds[5]["detail"]["retry_after_s"] >= 1
        assert "tendre check" in kinds[5]["next"]
        assert kinds[0]["message"].startswith("Refusé par la règle minor.age")
        assert "21 ans" in kinds[0]["next"]
        assert kinds[0]["detail"]["span"] == [0, 13]
        # Even what is allowed waits; asking doesn't, and neither does anybody else.
        assert (await call("images.generate", prompt="hills"))["error"]["data"]["kind"] == "slow_down"
        for prompt, verdict in ((REFUSED["minor"], "refuse"), ("hills", "allow")):
            for _ in range(8):
                assert (await call("boundary.check", prompt=prompt))["result"]["verdict"] == verdict
        assert "result" in await call("images.generate", client="two/1", prompt="hills")
    rows = await daemon.studio._p.database.read(
        lambda connection: connection.execute("SELECT * FROM refusal").fetchall()
    )
    assert len(rows) == 5
    assert not any("year" in str(value) for row in rows for value in tuple(row))
