"""Every door, generated: whatever of an interface carries text or bytes is tried with words that must not be drawn.

The OpenRPC document, the HTTP router's table, the hook specification and the hot folder's formats say what there is. Each
place that carries text is filled twice: with harmless words, which shows whether they would be drawn at all (`DRAWN` is
the whole list of such places, compared), and with refused ones, of which nothing may ever be sealed. Only what is sealed
is drawn (see test_seal). A new method, field, route, hook or format without a way to try it fails here.
"""

from __future__ import annotations

import json

import aiohttp
import msgspec
import pytest

from tendred.core.studio import Submission
from tendred.errors import TendredError
from tendred.hooks.spec import Hooks
from tendred.hotfolder.parse import ENDINGS, parse
from tendred.rpc.http import Front
from tendred.rpc.methods import registry
from tendred.rpc.openrpc import document
from tendred.schema.job import Origin
from tendred.schema.still import Amendment, StillRequest
from tendred.testing.doors import HARMLESS, REFUSED, TRACES, World, bases
from tendred.testing.drawing import DrawingDaemon
from tendred.testing.plugins import installed
from tendred.testing.walk import filled, leaves, shown

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
    "clips.quote": {"prompt", "tags[]"},
    "shots.create": {"prompt", "tags[]"},
    "characters.create": {"name", "fragment"},
    "characters.update": {"fragment"},
    "wildcards.add": {"options[]"},
    "presets.set": {"fields.*"},
    "models.add": {"name"},
    "loras.add": {"name"},
}
"""Where words come to be drawn, or stand beside what is drawn, after being used by whoever stored them."""


@pytest.fixture
async def world(make_daemon):
    daemon = await make_daemon("queue.limit=100000", "hub.endpoint=http://127.0.0.1:9", kind=DrawingDaemon)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {daemon.token}"}) as session:
        world = World(daemon, session)
        await world.prepare()
        yield world


def test_every_method_that_carries_text_has_a_way_to_be_tried():
    class Nobody:
        root, asset, cancelled, shot, lora, model = "", "", "", "", "", ""

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
    reached = {shown(leaf) for leaf in CARRIES[method] if await world.walk(method, leaf, PARAMS[method], COMPONENTS)}
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
    "clip_provider": "says nothing of a request: test_hostile_plugins",
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
    return "[" + ", ".join(map(_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


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
