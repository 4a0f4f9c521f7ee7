"""A running daemon in which everything can be named, and every method that carries text a way to be called."""

from __future__ import annotations

import itertools
import json
import sqlite3
from typing import Any, Final

import aiohttp
import msgspec

from tendred.app.owner import read_owner
from tendred.queue.store import NewJob
from tendred.schema.sealed import Conditioning
from tendred.store.database import Database
from tendred.testing.daemon import TestDaemon
from tendred.testing.headers import folder
from tendred.testing.loras import layers, write
from tendred.testing.walk import ANY_KEY, Leaf, filled, shown

HARMLESS: Final = "heather"
REFUSED: Final = {"minor": "a 15 year old", "person": "looks exactly like Winston Churchill"}
TRACES: Final = ("15 year", "churchill")
OWNERS: Final = ("clips.", "cloud.", "shots.", "spend.", "tokens.")
"""What the token that every program can read may not do, or not to its end."""


def bases(world: World) -> dict[str, list[dict[str, Any]]]:
    """Params that work, for every method that carries text; some in several ways."""
    hills = {"prompt": "red hills"}
    asset, job = {"asset_id": world.asset}, {"job_id": world.cancelled}
    by_words = {"field": "prompt", "values": ["blue"], "replace": "red"}
    clip = {**hills, "provider": "ltx", "model": "ltx-2-3-fast", "width": 1920, "height": 1080, "seconds": 6}
    return {
        "boundary.check": [hills],
        "characters.create": [{"name": "anna", "fragment": "a woman in red"}],
        "characters.get": [{"name": "mira"}],
        "characters.remove": [{"name": "nobody"}],
        "characters.sheet": [{"name": "mira"}],
        "characters.update": [{"name": "berta"}],
        "clips.confirm": [{"quote_id": "quo_1"}],
        "clips.evidence": [job],
        "clips.quote": [clip, {**clip, "first": world.asset, "last": world.asset}],
        "clips.render": [{"quote_id": "quo_1", "confirm": "AAAAAA"}],
        "cloud.disable": [{"provider": "nobody"}],
        "cloud.enable": [{"provider": "ltx"}],
        "cloud.login": [{"provider": "ltx", "key": "none"}],
        "cloud.logout": [{"provider": "nobody"}],
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
        "library.erase": [{"asset_id": "ast_1"}],
        "library.get": [asset],
        "library.remove": [{"asset_id": "ast_1"}],
        "library.restore": [asset],
        "library.search": [{}],
        "library.sheet": [{"asset_ids": [world.asset]}],
        "library.tag": [{**asset, "add": ["nice"]}],
        "library.verify": [asset],
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
        "shots.compare": [{"left": "take_1", "right": "take_2"}],
        "shots.create": [hills, {**hills, "first": world.asset, "last": world.asset}],
        "shots.draft": [{"shot_id": world.shot, "model": "ltx-2-3-fast"}],
        "shots.finish": [{"shot_id": world.shot}],
        "shots.list": [{}],
        "shots.lock": [{"take_id": "take_1"}],
        "shots.show": [{"shot_id": world.shot}],
        "shots.takes": [{"shot_id": world.shot}],
        "spend.ledger": [{}],
        "spend.reconcile": [{"provider": "ltx", "balance_mcr": 0}],
        "spend.report": [{}],
        "spend.resolve": [{**job, "outcome": "not_billed"}],
        "system.hello": [{"client": "walk", "version": "1"}],
        "tokens.create": [{"name": "editor", "scopes": ["read"]}],
        "tokens.revoke": [{"token_id": "tok_1"}],
        "wildcards.add": [{"name": "weather", "options": ["sunny"], "replace": True}],
        "wildcards.remove": [{"name": "nothing"}],
        "wildcards.show": [{"name": "nothing"}],
    }


def uses(method: str, params: dict[str, Any], answer: Any) -> list[tuple[str, dict[str, Any]]]:
    """Calls that use what a call stored, and what it answered."""
    if method == "shots.create":
        return [] if answer is None else [("shots.draft", {"shot_id": answer["id"], "model": "ltx-2-3-fast"})]
    return [("images.generate", request) for request in _stills(method, params)]


def _stills(method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
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


def _rows(connection: sqlite3.Connection) -> list[tuple[str, bytes, bytes]]:
    """What is under seal, of jobs and of the clips that are only priced yet."""
    jobs = connection.execute("SELECT id, sealed_request, conditioning FROM job").fetchall()
    priced = [msgspec.json.decode(row["job"], type=NewJob) for row in connection.execute("SELECT job FROM quote")]
    return [(row["id"], row["sealed_request"], row["conditioning"]) for row in jobs] + [
        (new.id, new.reviewed.request, new.reviewed.conditioning) for new in priced
    ]


class World:
    """A daemon that draws nothing, with one of each thing that can be named."""

    def __init__(self, daemon: TestDaemon, session: aiohttp.ClientSession) -> None:
        self.daemon, self.session, self.root = daemon, session, daemon.home / "walk"
        self.lora, self.model = self.root / "ink.safetensors", self.root / "other"
        self.asset = self.cancelled = self.shot = ""
        self.calls = itertools.count()
        self.seen: set[str] = set()
        self.answer: Any = None
        owner = read_owner(daemon.home / "state" / "owner.token")
        self.owner = "" if owner is None else owner.reveal()

    @property
    def database(self) -> Database:
        """Of the daemon."""
        return self.daemon.studio._p.database  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - rows say what no door does

    async def prepare(self) -> None:
        self.asset = (await self.daemon.still("hills", timeout_s=120)).asset_ids[0]
        await self.daemon.studio.pause(mode="drain", unload=False)
        self.cancelled = (await self.daemon.submit("hills")).id
        await self.daemon.studio.cancel(self.cancelled)
        write(self.lora)
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        folder(self.model, shapes)
        await self.call("characters.create", name="berta", fragment="a woman in blue")
        await self.call("shots.create", prompt="red hills")
        self.shot = self.answer["id"]
        await self.sealed()

    async def call(self, method: str, /, **params: Any) -> str | None:
        """The error's kind, or None. Each call is a client of its own: else the back-off would hide the boundary."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Tendred-Client": f"walk{next(self.calls)}/1"}
        if method.startswith(OWNERS):
            headers["Authorization"] = f"Bearer {self.owner}"
        async with self.session.post(f"{self.daemon.url}/rpc", json=body, headers=headers) as answer:
            told = await answer.json()
        error, self.answer = told.get("error"), told.get("result")
        # The guard's answers have no `data`: they are no JSON-RPC.
        return None if error is None else error.get("data", error)["kind"]

    async def sealed(self) -> tuple[str, str]:
        """What was sealed since the last look, as text: the negative prompts apart, where words say what is not wanted."""
        rows = await self.database.read(_rows)
        positive: list[str] = []
        negative: list[str] = []
        for name, sealed, conditioned in rows:
            if name in self.seen:
                continue
            self.seen.add(name)
            request = json.loads(sealed)
            conditioning = msgspec.json.decode(conditioned, type=Conditioning)
            negative += [request.pop("negative_prompt", ""), "".join(span.text for span in conditioning.negative)]
            positive += [json.dumps(request), "".join(span.text for span in conditioning.prompt)]
        return "\n".join(positive).casefold(), "\n".join(negative).casefold()

    async def tried(self, method: str, params: dict[str, Any]) -> tuple[bool, str, str]:
        """Whether a call was answered, and what it and the uses of what it stored sealed."""
        answered = await self.call(method, **params) is None
        for use, request in uses(method, params, self.answer):
            await self.call(use, **request)
        return (answered, *await self.sealed())

    async def walk(self, method: str, leaf: Leaf, schema: dict[str, Any], components: dict[str, Any]) -> bool:
        """Try one place. Returns whether harmless words come to be drawn."""
        samples = {"asset_id": self.asset, "model": "ink", "field": "negative_prompt", "colour": "#ff0000",
                   ANY_KEY: "negative_prompt"}  # fmt: skip
        reached = False
        for base in bases(self)[method]:
            for text in (HARMLESS, *REFUSED.values()):
                params = filled(schema, components, base, leaf, text, samples)
                answered, positive, negative = await self.tried(method, params)
                # What an earlier place stored doesn't count for this one.
                reached |= answered and HARMLESS in positive + negative
                where = f"{method} {shown(leaf)}"
                assert not any(trace in positive for trace in TRACES), where
                # A wish against minors is fine there; a person's name works as a theme there too.
                assert TRACES[1] not in negative, where
        return reached
