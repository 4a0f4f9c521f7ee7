"""From a request to a row: plugins, settled values, the boundary, the seal, the queue."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import asdict, replace

from tendred.backend import Residency
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Ids, Rng
from tendred.core.characters import Played
from tendred.core.judging import judged, names_of, words_of
from tendred.core.loras import check_fit, resolved
from tendred.core.refusals import Refusals
from tendred.core.sources import NOTHING, Finder, Sources, settled_mask, sides, with_sources
from tendred.core.strokes import Painting, painting
from tendred.core.trail import back
from tendred.core.wording import Writer, weighed
from tendred.errors import (
    BoundaryRefused,
    EngineMissing,
    InvalidParams,
    TendredError,
    UnsupportedParameter,
)
from tendred.hooks.manager import Plugins
from tendred.models.catalog import Catalog, Model
from tendred.models.shelf import Lora
from tendred.models.takes import NATIVE_TIMES, schedulers
from tendred.queue.store import NewJob, Queue
from tendred.schema.base import Record
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.sealed import Conditioning, Reviewed, Verdict
from tendred.schema.still import SCHEDULERS, WEIGHING, Amendment, Still, StillRequest
from tendred.tasks import offload

SEED_BITS: Final = 32
"""A chosen seed fits what every other tool can type in."""


class Submission(Record, frozen=True):
    """One request on its way in. `asked` is what the client wrote; `key` the idempotency key, scoped by the door."""

    request: StillRequest
    asked: dict[str, Any]
    key: str | None


class Settled(Record, frozen=True):
    """A final request with what draws it, allowed by the boundary of `policy`."""

    still: Still
    model: Model
    loras: list[Lora]
    conditioning: Conditioning
    removed: list[str]
    policy: str


def asked_hash(asked: object, kind: bytes = b"") -> bytes:
    """SHA-256 of what was asked for, by which an idempotency key knows it again. `kind` keeps alike requests apart."""
    return hashlib.sha256(kind + canonical(asked)).digest()


def check_engine(residency: Residency) -> None:
    """Raises EngineMissing where nothing can be drawn."""
    if residency.state().state == "missing":
        raise EngineMissing(problem="torch or diffusers can't be imported")


class Submitter:
    """The front door of the road."""

    def __init__(
        self,
        *,
        plugins: Plugins,
        catalog: Catalog,
        writer: Writer,
        finder: Finder,
        boundary: Boundary,
        queue: Queue,
        refusals: Refusals,
        residency: Residency,
        ids: Ids,
        rng: Rng,
        language: Callable[[], str],
        keep_alive_s: float,
    ) -> None:
        self._plugins = plugins
        self._catalog = catalog
        self._writer = writer
        self._finder = finder
        self._boundary = boundary
        self._queue = queue
        self._refusals = refusals
        self._residency = residency
        self._ids = ids
        self._rng = rng
        self._language = language
        self._keep_alive_s = keep_alive_s

    async def submit(self, submissions: list[Submission], origin: Origin) -> list[Submitted]:
        """Take all of them or none. Raises any TendredError of the road; with several, `path` begins with `[row]`."""
        ready: list[NewJob | Job] = []
        for row, submission in enumerate(submissions):
            try:
                ready.append(await self.prepare(submission, origin))
            except TendredError as problem:
                if len(submissions) > 1:
                    problem.path = f"[{row}].{problem.path}" if problem.path else f"[{row}]"
                raise
        fresh = iter(await self._queue.add([job for job in ready if isinstance(job, NewJob)]))
        answers: list[Submitted] = []
        for job in ready:
            made, deduplicated = (job, True) if isinstance(job, Job) else next(fresh)
            answers.append(Submitted(job=made, deduplicated=deduplicated))
        return answers

    async def prepare(self, submission: Submission, origin: Origin) -> NewJob | Job:
        """A request judged and sealed, not yet in the queue; or the job that its key had made before.

        Raises any TendredError of the road.
        """
        key_hash = asked_hash(submission.request)
        if (known := await self._queue.by_key(submission.key, key_hash)) is not None:
            return known
        check_engine(self._residency)
        request = await self._amended(await self._writer.filled(submission.request, submission.asked))
        seed = await self._writer.seed_of(request)
        played = await self._writer.write(request, self._rng.below(1 << SEED_BITS) if seed is None else seed)
        model = await self._catalog.get(played.request.model)
        loras = await self._loras(played, model)
        sources = await self._finder.find(played.request, model)
        _check_weights(played.request, model)
        still, painted = await self._settled(played, model, sources)
        job_id = self._ids.new("job")
        reviewed, removed = await self.review(job_id, still, model, loras, origin, played, sources)
        await self._finder.keep(painted)
        return NewJob(
            id=job_id,
            kind="still",
            lane=still.lane,
            request=asdict(still),
            asked=submission.asked,
            origin=origin,
            reviewed=reviewed,
            removed=removed,
            retry_of=None,
            key=submission.key,
            key_hash=key_hash,
        )

    async def known(self, key: str | None, asked: dict[str, Any]) -> Job | None:
        """The job that a key made before. Raises IdempotencyConflict."""
        return await self._queue.by_key(key, asked_hash(asked))

    async def settle(self, still: Still, origin: Origin) -> Settled:
        """A request that is final already (a recipe): nothing is amended or expanded again, everything judged anew.

        Raises ModelMissing, ModelRefused, NotFound, StillNotOurs, EngineMissing, BoundaryRefused.
        """
        check_engine(self._residency)
        model = await self._catalog.get(still.model)
        loras = await resolved(self._finder.shelf, still.loras)
        await check_fit(loras, model)
        sources = await self._finder.again(still)
        conditioning, removed = await self._allowed(still, model, loras, origin, None, sources)
        return Settled(
            still=still, model=model, loras=loras, conditioning=conditioning, removed=removed,
            policy=self._boundary.policy,
        )  # fmt: skip

    async def enter(self, settled: Settled, *, asked: dict[str, Any], key: str | None, origin: Origin) -> Submitted:
        """Seal it and put it into the queue. Raises QueueFull, IdempotencyConflict."""
        job_id, still = self._ids.new("job"), settled.still
        new = NewJob(
            id=job_id,
            kind="still",
            lane=still.lane,
            request=asdict(still),
            asked=asked,
            origin=origin,
            reviewed=self._sealed(job_id, still, settled.model, settled.loras, settled.conditioning),
            removed=settled.removed,
            retry_of=None,
            key=key,
            key_hash=asked_hash(asked),
        )
        [(job, deduplicated)] = await self._queue.add([new])
        return Submitted(job=job, deduplicated=deduplicated)

    async def check(self, request: StillRequest, kind: Literal["still", "clip"], lang: str) -> Verdict:
        """What the boundary would say of the words of a request, whatever model draws it. Stores nothing.

        Of choices those that the seed takes, 0 where it says none; `prompts.expand` shows others. Raises what the names
        in it lead to (NotFound, ModelMissing, ModelRefused, InvalidParams), and TooLarge.
        """
        played = await self._writer.write(request, await self._writer.seed_of(request) or 0)
        return await self.verdict(played, kind, lang)

    async def verdict(self, played: Played, kind: Literal["still", "clip"], lang: str) -> Verdict:
        """What the boundary says of final words. Its span is one of the prompt as received."""
        loras = await resolved(self._finder.shelf, played.request.loras, played.path_of)
        verdict, _ = await judged(self._boundary, words_of(played.request, loras, kind=kind), lang)
        path = None
        if verdict.verdict == "refuse":
            path = await self._where(verdict, played.request, names_of(played.request, loras, None))
        return replace(verdict, path=path, span=_received(verdict.span, played.request, played))

    async def review(
        self,
        job_id: str,
        still: Still,
        model: Model,
        loras: list[Lora],
        origin: Origin,
        played: Played | None = None,
        sources: Sources = NOTHING,
    ) -> tuple[Reviewed, list[str]]:
        """Have the final request judged and sealed. Raises BoundaryRefused, having noted it.

        The span that it tells is one of the prompt as received, for which `played` is needed.
        """
        conditioning, removed = await self._allowed(still, model, loras, origin, played, sources)
        return self._sealed(job_id, still, model, loras, conditioning), removed

    async def _allowed(
        self, still: Still, model: Model, loras: list[Lora], origin: Origin, played: Played | None, sources: Sources
    ) -> tuple[Conditioning, list[str]]:
        """What the encoders get, and which wishes were left out. See `review`."""
        about = model.folder.words
        words = words_of(still, loras, model_words=about, file=origin.file, sources=sources)
        verdict, conditioning = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse" or conditioning is None:
            await self._refusals.note(verdict, still.prompt, origin)
            path = await self._where(verdict, still, names_of(still, loras, origin.file, about, sources))
            raise BoundaryRefused(
                "named" if path not in {None, "prompt"} else "",
                path=path,
                rule=verdict.rule,
                reason=verdict.reason,
                span=_received(verdict.span, still, played),
                policy=verdict.policy,
                passes=verdict.passes,
            )
        return conditioning, verdict.removed

    async def _loras(self, played: Played, model: Model) -> list[Lora]:
        loras = await resolved(self._finder.shelf, played.request.loras, played.path_of)
        await check_fit(loras, model, played.path_of)
        return loras

    async def _where(self, verdict: Verdict, said: Still | StillRequest, names: dict[str, str]) -> str | None:
        return "prompt" if verdict.span is not None else await offload(self._culprit, said, names)

    def _culprit(self, still: Still | StillRequest, names: dict[str, str]) -> str | None:
        """Which part of a request is refused by itself, where it isn't the prompt."""
        negative = weighed(still)[1]
        said = Words(prompt="", negative_prompt=negative.text, negative_spans=negative.spans)
        parts = {"negative_prompt": said}
        parts |= {path: Words(prompt="", names=[name]) for path, name in names.items()}
        return next((path for path, words in parts.items() if self._boundary.judge(words)[0].verdict == "refuse"), None)

    def _sealed(
        self, job_id: str, still: Still, model: Model, loras: list[Lora], conditioning: Conditioning
    ) -> Reviewed:
        # The weights are part of what was judged: another file under the same name is judged anew. The job is,
        # too, so that one job's seal opens nothing for another.
        weights = {"model_sha256": model.sha256, "loras_sha256": [lora.sha256 for lora in loras]}
        return self._boundary.approve(canonical({**asdict(still), "job_id": job_id, **weights}), conditioning)

    async def _amended(self, request: StillRequest) -> StillRequest:
        for name in self._plugins.having("amend_request"):
            amendment = await self._plugins.amend_request(name, request)
            if amendment is not None:
                request = _merged(request, amendment)
        return request

    async def _settled(self, played: Played, model: Model, sources: Sources) -> tuple[Still, Painting]:
        """Every open value filled with the model's own default, or chosen; and what is painted in it."""
        request, defaults = played.request, model.folder.defaults
        _check_scheduler(request, model)
        width, height = sides(request, model, sources.image)
        keep_alive = self._keep_alive_s if request.keep_alive_s is None else request.keep_alive_s
        still = Still(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=model.name,
            width=_side("width", width, defaults.width, model),
            height=_side("height", height, defaults.height, model),
            steps=defaults.steps if request.steps is None else request.steps,
            guidance=defaults.guidance if request.guidance is None else request.guidance,
            scheduler=request.scheduler or defaults.scheduler,
            seed=request.seed or 0,  # chosen with the words
            count=request.count,
            loras=request.loras,
            character=played.character,
            format=request.format,
            lane=request.lane,
            keep_alive_s=keep_alive,
            tags=list(dict.fromkeys(request.tags)),
            reproducible=request.reproducible,
        )
        mask = await settled_mask(request.mask, still.width, still.height)
        painted = await offload(painting, request, sources.stills, still.width, still.height)
        return with_sources(still, request, sources, mask, painted), painted


def _side(name: str, asked: int | None, default: int, model: Model) -> int:
    step = model.folder.defaults.multiple
    if asked is not None and asked > default * NATIVE_TIMES:
        problem = f"{asked} is more than {NATIVE_TIMES} times the {default} that {model.name} was made for"
        raise InvalidParams(path=name, problem=problem)
    if asked is not None and asked % step:
        near = [asked - asked % step, asked - asked % step + step]
        raise InvalidParams("multiple", path=name, value=asked, model=model.name, step=step, near=near)
    return default if asked is None else asked


def _check_scheduler(request: StillRequest, model: Model) -> None:
    """Raises UnsupportedParameter for one that the model can't work with, InvalidParams for one that isn't one."""
    fit = schedulers(model.folder.defaults)
    if request.scheduler is None or request.scheduler in fit:
        return
    if request.scheduler in SCHEDULERS:
        wanted = request.scheduler
        raise UnsupportedParameter("choice", path="scheduler", model=model.name, value=wanted, near=fit)
    near = ", ".join(fit)
    raise InvalidParams(path="scheduler", problem=f"there is no {request.scheduler}; for {model.name} there are {near}")


def _check_weights(request: StillRequest, model: Model) -> None:
    """Raises UnsupportedParameter where words are weighed for a family whose encoders we can't weigh."""
    if model.folder.family not in WEIGHING:
        for path, words in zip(("prompt", "negative_prompt"), weighed(request), strict=True):
            if not words.plain:
                raise UnsupportedParameter("weights", path=path, model=model.name)


def _received(
    span: tuple[int, int] | None, final: Still | StillRequest, played: Played | None
) -> tuple[int, int] | None:
    """A span of what was judged, in the prompt as received, or else in the final one."""
    if span is None:
        return None
    span = back(weighed(final)[0].edits, span)
    return span if played is None else played.received(span)


def _merged(request: StillRequest, amendment: Amendment) -> StillRequest:
    """A request with a plugin's changes, checked like any other. Raises InvalidParams.

    Changes go through JSON: what is judged and drawn later must be plain values, not a plugin's own kinds of text and
    list, which may say one thing first and another afterwards.
    """
    try:
        changes = msgspec.json.decode(msgspec.json.encode(amendment), type=dict[str, Any])
        allowed = {name: changes[name] for name in Amendment.__struct_fields__ if name in changes}
        return msgspec.convert({**msgspec.to_builtins(request), **allowed}, StillRequest)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as problem:
        raise InvalidParams(path="prompt", problem=f"a plugin's change doesn't fit: {problem}") from problem
