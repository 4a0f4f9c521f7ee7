"""A provider on loopback: its API, the host that keeps its files, and a stranger that must never see a key.

The three are ports of 127.0.0.1, and so three origins. What a request should look like is told by `validator`, what
goes wrong by `faults`; what an answer looks like is each provider's own file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self, cast

import msgspec
from aiohttp import BodyPartReader, web

from tendred.clock import SystemClock, rfc3339
from tendred.testing.providers import misbehave
from tendred.testing.providers.clips import Render, Wanted
from tendred.testing.providers.faults import Fault, Script
from tendred.testing.providers.files import File, serve
from tendred.testing.providers.validator import Asked, Schema, problems

KEY: Final = "test-key-0123456789abcdef"
LIMIT: Final = 128 * 1024 * 1024


@dataclass
class Answer:
    """What a provider says."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Made:
    """A job at the provider. `ended` is a state of its own that a fault or a cancel gave it."""

    id: str
    endpoint: str
    asked: dict[str, Any]
    wanted: Wanted
    made_at: float
    """By the loop's clock."""
    created: float
    """Seconds since 1970."""
    first: bytes | None
    ended: str = ""
    error: str = ""
    file: File | None = None


class FakeProvider:
    """Use it as a context, or `start` and `stop`. A subclass is one provider.

    `render_s`: how long a job takes at least. `result_s`: how long it is remembered after that. `requests`, `jobs` and
    `wrong` (every departure from the documents) are for tests to look at; `leaks` are keys that a foreign host was sent.
    `signature` is what makes the address of a file a secret, where this provider has one in it.
    """

    provider: ClassVar[str]
    scheme: ClassVar[str] = "Bearer"

    def __init__(
        self,
        render: Render,
        *,
        key: str = KEY,
        faults: Iterable[Fault] = (),
        render_s: float = 0.0,
        result_s: float = 86400.0,
        concurrency: int = 1000,
        cost: bool = False,
        signature: str = "x",
    ) -> None:
        self.render, self.key, self.script = render, key, Script(list(faults))
        self.render_s, self.result_s, self.concurrency, self.cost = render_s, result_s, concurrency, cost
        self.signature = signature
        self.requests: list[Asked] = []
        self.jobs: dict[str, Made] = {}
        self.uploads: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.leaks: list[str] = []
        self.clock = SystemClock()
        self._schema = Schema(self.provider)
        self._clips: dict[Wanted, asyncio.Task[bytes]] = {}
        self._runners: list[web.AppRunner] = []
        self.api = self.storage = self.stranger = ""

    # -- its life

    async def start(self, port: int = 0) -> Self:
        """Listen. `port` is the API's; 0 takes a free one."""
        self.api = await self._listen("api", port)
        self.storage = await self._listen("storage", 0)
        self.stranger = await self._listen("stranger", 0)
        return self

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        for task in self._clips.values():
            task.cancel()
        await asyncio.gather(*self._clips.values(), return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _listen(self, on: str, port: int) -> str:
        app = web.Application(client_max_size=LIMIT)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(on, request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    # -- what a subclass says

    def answer(self, asked: Asked) -> Answer | Made:
        """The answer to a good request with the key; a Made is a new job, told by `taken`."""
        raise NotImplementedError

    def taken(self, job: Made) -> Answer:
        """What a new job is answered with."""
        raise NotImplementedError

    def error(self, status: int, kind: str) -> Any:
        """An error in the provider's own form; an empty `kind` is what usually goes with the status."""
        raise NotImplementedError

    # -- one request

    async def _handle(self, on: str, request: web.Request) -> web.StreamResponse:
        asked = await _read(on, request)
        self.requests.append(asked)
        if (authorization := asked.headers.get("authorization", "")) and on != "api" and self.key in authorization:
            self.leaks.append(f"{on} {asked.path}")
        if on == "stranger":
            return web.json_response({"hello": "stranger"})
        if on == "storage" and asked.method == "GET":
            return await self._file(request, asked)
        shape = self._schema.find(asked)
        if shape is None:
            self.wrong.append(f"{asked.method} {asked.path} is unknown")
            return web.json_response(self.error(404, ""), status=404)
        if on == "api" and authorization != f"{self.scheme} {self.key}":
            return web.json_response(self.error(401, ""), status=401)
        if found := problems(shape, asked):
            self.wrong += [f"{asked.method} {asked.path}: {one}" for one in found]
            return web.json_response(
                self.error(422 if asked.fields else 400, "invalid"), status=422 if asked.fields else 400
            )
        return await self._respond(request, asked)

    async def _respond(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.op == "download":
            return await self._file(request, asked)
        fault = self.script.due(asked.op)
        job = self.jobs.get(asked.groups.get("job", ""))
        if fault is not None and fault.what in {"state", "fail", "expire"}:
            if job is not None:
                _end(job, fault, self.jobs)
            fault = None
        if fault is not None and fault.what in misbehave.INSTEAD and not fault.accepted:
            return await self._instead(request, fault)
        if asked.op == "submit" and self._running() >= self.concurrency:
            return web.json_response(self.error(429, "concurrency"), status=429, headers={"Retry-After": "1"})
        said = self.answer(asked)
        if isinstance(said, Made):
            self.jobs[said.id] = said
            self._clip(said.wanted)
            said = self.taken(said)
        if fault is None:
            return _plain(said)
        if fault.what in misbehave.INSTEAD:
            return await self._instead(request, fault)
        return await misbehave.spoil(request, fault, said.status, msgspec.json.encode(said.document), said.headers)

    async def _instead(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        document = self.error(fault.status, fault.kind)
        return await misbehave.instead(request, fault, document, f"{self.stranger}{request.path}")

    async def _file(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        job = self.jobs.get(asked.groups.get("job") or asked.path.rpartition("/")[2].partition(".")[0])
        if job is None or job.file is None:
            if (data := self.uploads.get(asked.path.rpartition("/")[2])) is not None:
                return web.Response(body=data)
            return web.json_response(self.error(404, ""), status=404)
        fault = self.script.due("download")
        if fault is not None and fault.what in misbehave.INSTEAD:
            return await self._instead(request, fault)
        return await serve(request, job.file, fault)

    # -- jobs

    def make(self, endpoint: str, asked: dict[str, Any], wanted: Wanted, first: str | bytes | None) -> Made:
        """A new job. `first` is the picture it starts from, or how it was named."""
        number = hashlib.sha256(f"{self.provider} {len(self.jobs)}".encode()).hexdigest()[:20]
        now = asyncio.get_running_loop().time()
        picture = first if isinstance(first, bytes) or first is None else self.picture(first)
        return Made(f"job_{number}", endpoint, asked, wanted, now, self.clock.now(), picture)

    def picture(self, named: str) -> bytes:
        """The bytes of an upload or of a data URI."""
        if named.startswith("data:"):
            import base64  # noqa: PLC0415 - here only

            return base64.b64decode(named.partition(";base64,")[2])
        return self.uploads.get(named.rpartition("/")[2], b"")

    def phase(self, job: Made) -> str:
        """`waiting`, `rendering`, `done`, `failed`, or what a fault said it is."""
        age = asyncio.get_running_loop().time() - job.made_at
        if job.ended:
            return job.ended
        clip = self._clips[job.wanted]
        if not clip.done() or age < self.render_s:
            return "waiting" if age < self.render_s / 3 else "rendering"
        if clip.exception() is not None:
            job.ended, job.error = "failed", "render_failed"
            return job.ended
        if job.file is None:
            job.file = File(clip.result())
        return "done"

    def remembered(self, job_id: str) -> Made | None:
        """The job, unless it is unknown or its time is over."""
        job = self.jobs.get(job_id)
        if job is None or asyncio.get_running_loop().time() - job.made_at > self.render_s + self.result_s:
            return None
        return job

    def created(self, job: Made) -> str:
        return rfc3339(job.created)

    def leaked(self) -> list[str]:
        """Where the key went that it isn't for, and the strangers that were asked anything at all."""
        return [*self.leaks, *(f"stranger {one.path}" for one in self.requests if one.on == "stranger")]

    def asked(self, op: str) -> list[Asked]:
        """Requests of one kind."""
        return [one for one in self.requests if one.op == op]

    def _running(self) -> int:
        return sum(self.phase(job) in {"waiting", "rendering"} for job in self.jobs.values())

    def _clip(self, wanted: Wanted) -> None:
        if wanted not in self._clips:
            rendering = cast("Any", self.render(wanted))
            self._clips[wanted] = asyncio.ensure_future(rendering)


def _end(job: Made, fault: Fault, jobs: dict[str, Made]) -> None:
    if fault.what == "expire":
        del jobs[job.id]
    else:
        job.ended, job.error = ("failed", fault.kind) if fault.what == "fail" else (fault.kind, "")


def _plain(said: Answer) -> web.Response:
    return web.json_response(said.document, status=said.status, headers=said.headers)


async def _read(on: str, request: web.Request) -> Asked:
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = Asked(on, request.method, request.path, dict(request.query), headers, b"")
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name:
                data = bytes(await part.read(decode=True))
                asked.data += data
                if part.filename:
                    asked.files[part.name] = data
                else:
                    asked.fields[part.name] = data.decode()
        return asked
    asked.data = await request.read()
    if request.content_type == "application/json":
        with contextlib.suppress(msgspec.DecodeError):
            said = msgspec.json.decode(asked.data)
            asked.fields = said if isinstance(said, dict) else {}
    return asked


def size_of(resolution: str, aspect: str) -> tuple[int, int]:
    """`1080p` and `16:9` as width and height."""
    short = int(resolution.removesuffix("p"))
    wide = short * 16 // 9
    return (short, wide) if aspect == "9:16" else (wide, short)


Maker = Callable[..., FakeProvider]
