"""From a request to a row: plugins, settled values, the boundary, the seal, the queue."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from tendred.backend import Residency
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Ids, Rng
from tendred.core.characters import Cast, Played
from tendred.core.loras import check_fit, path_of, resolved
from tendred.core.refusals import Refusals
from tendred.errors import (
    BoundaryRefused,
    EngineMissing,
    InvalidParams,
    TendredError,
    TooLarge,
    UnsupportedParameter,
)
from tendred.hooks.manager import Plugins
from tendred.models.catalog import Catalog, Model
from tendred.models.shelf import Lora, Shelf
from tendred.queue.store import NewJob, Queue
from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.sealed import Conditioning, Reviewed, Verdict
from tendred.schema.still import PROMPT_BYTES, SCHEDULERS, Amendment, Still, StillRequest
from tendred.tasks import offload

SEED_BITS: Final = 32
"""A chosen seed fits what every other tool can type in."""
QUICK_CHARS: Final = 600
NATIVE_TIMES: Final = 8
"""A side over so many times the model's own only costs hours and memory; nothing comes of it."""


class Submission(Record, frozen=True):
    """One request on its way in. `asked` is what the client wrote; `key` the idempotency key, scoped by the door."""

    request: StillRequest
    asked: dict[str, Any]
    key: str | None


def names_of(said: Still | StillRequest, loras: list[Lora], file: str | None) -> dict[str, str]:
    """What is judged besides the prompts, by where it stands in a request. LoRA files speak for themselves too."""
    names = {path_of(number): lora.name for number, lora in enumerate(said.loras)}
    names |= {f"loras[{number}]": lora.adapter.words for number, lora in enumerate(loras) if lora.adapter.words}
    names |= {f"tags[{number}]": tag for number, tag in enumerate(said.tags)}
    who = said.character.name if isinstance(said.character, CharacterUse) else said.character
    named = {"character": who, "file name": file}
    return names | {path: name for path, name in named.items() if name is not None}


def words_of(
    said: Still | StillRequest,
    loras: list[Lora],
    *,
    file: str | None = None,
    kind: Literal["still", "clip"] = "still",
) -> Words:
    """Everything of a request that says what will be seen, with the LoRAs behind the names in it."""
    return Words(
        prompt=said.prompt,
        negative_prompt=said.negative_prompt,
        names=list(names_of(said, loras, file).values()),
        kind=kind,
        character=said.character is not None,
    )


async def judged(boundary: Boundary, words: Words, lang: str) -> tuple[Verdict, Conditioning | None]:
    """The boundary's answer. Long texts are judged in a thread: built to be slow, they take a tenth of a second."""
    if sum(map(len, (words.prompt, words.negative_prompt, *words.names))) <= QUICK_CHARS:
        return boundary.judge(words, lang=lang)
    return await offload(boundary.judge, words, lang=lang)


class Submitter:
    """The front door of the road."""

    def __init__(
        self,
        *,
        plugins: Plugins,
        catalog: Catalog,
        shelf: Shelf,
        cast: Cast,
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
        self._shelf = shelf
        self._cast = cast
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
                ready.append(await self._prepare(submission, origin))
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

    async def _prepare(self, submission: Submission, origin: Origin) -> NewJob | Job:
        """A request judged and sealed; or the job that its key had made before, whatever has changed since."""
        key_hash = hashlib.sha256(canonical(submission.request)).digest()
        if submission.key is not None and (known := await self._queue.by_key(submission.key, key_hash)) is not None:
            return known
        if self._residency.state().state == "missing":
            raise EngineMissing(problem="torch or diffusers can't be imported")
        played = await self._cast.play(await self._amended(submission.request))
        _check_prompts(played.request)
        model = await self._catalog.get(played.request.model)
        loras = await self._loras(played, model)
        still = self._settled(played, model)
        job_id = self._ids.new("job")
        reviewed, removed = await self.review(job_id, still, model, loras, origin, played)
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

    async def check(self, request: StillRequest, kind: Literal["still", "clip"], lang: str) -> Verdict:
        """What the boundary would say of the words of a request, whatever model draws it. Stores nothing.

        Raises what the names in it lead to (NotFound, ModelMissing, ModelRefused, InvalidParams), and TooLarge.
        """
        played = await self._cast.play(request)
        _check_prompts(played.request)
        loras = await resolved(self._shelf, played.request.loras, played.path_of)
        verdict, _ = await judged(self._boundary, words_of(played.request, loras, kind=kind), lang)
        return replace(verdict, span=played.received(verdict.span))

    async def review(
        self, job_id: str, still: Still, model: Model, loras: list[Lora], origin: Origin, played: Played | None = None
    ) -> tuple[Reviewed, list[str]]:
        """Have the final request judged and sealed. Raises BoundaryRefused, having noted it.

        The span that it tells is one of the prompt as received, for which `played` is needed.
        """
        words = words_of(still, loras, file=origin.file)
        verdict, conditioning = await judged(self._boundary, words, self._language())
        if verdict.verdict == "refuse" or conditioning is None:
            await self._refusals.note(verdict, still.prompt, origin)
            path = "prompt"
            if verdict.span is None:
                path = await offload(self._culprit, still, loras, origin.file)
            raise BoundaryRefused(
                "named" if path not in {None, "prompt"} else "",
                path=path,
                rule=verdict.rule,
                reason=verdict.reason,
                span=verdict.span if played is None else played.received(verdict.span),
                policy=verdict.policy,
            )
        return self._sealed(job_id, still, model, loras, conditioning), verdict.removed

    async def _loras(self, played: Played, model: Model) -> list[Lora]:
        loras = await resolved(self._shelf, played.request.loras, played.path_of)
        await check_fit(loras, model, played.path_of)
        return loras

    def _culprit(self, still: Still, loras: list[Lora], file: str | None) -> str | None:
        """Which part of a request is refused by itself, where it isn't the prompt."""
        parts = {"negative_prompt": Words(prompt="", negative_prompt=still.negative_prompt)}
        parts |= {path: Words(prompt="", names=[name]) for path, name in names_of(still, loras, file).items()}
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

    def _settled(self, played: Played, model: Model) -> Still:
        """Every open value filled with the model's own default, or chosen."""
        request, defaults = played.request, model.folder.defaults
        if request.scheduler is not None and request.scheduler not in (*SCHEDULERS, defaults.scheduler):
            near = ", ".join(SCHEDULERS)
            raise InvalidParams(path="scheduler", problem=f"there is no {request.scheduler}; there are {near}")
        if request.negative_prompt and model.folder.family == "flux":
            raise UnsupportedParameter(path="negative_prompt", model=model.name)
        keep_alive = self._keep_alive_s if request.keep_alive_s is None else request.keep_alive_s
        return Still(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=model.name,
            width=_side("width", request.width, defaults.width, model),
            height=_side("height", request.height, defaults.height, model),
            steps=defaults.steps if request.steps is None else request.steps,
            guidance=defaults.guidance if request.guidance is None else request.guidance,
            scheduler=request.scheduler or defaults.scheduler,
            seed=self._rng.below(1 << SEED_BITS) if request.seed is None else request.seed,
            count=request.count,
            loras=request.loras,
            character=played.character,
            format=request.format,
            lane=request.lane,
            keep_alive_s=keep_alive,
            tags=list(dict.fromkeys(request.tags)),
        )


def _side(name: str, asked: int | None, default: int, model: Model) -> int:
    step = model.folder.defaults.multiple
    if asked is not None and asked > default * NATIVE_TIMES:
        problem = f"{asked} is more than {NATIVE_TIMES} times the {default} that {model.name} was made for"
        raise InvalidParams(path=name, problem=problem)
    if asked is not None and asked % step:
        near = [asked - asked % step, asked - asked % step + step]
        raise InvalidParams("multiple", path=name, value=asked, model=model.name, step=step, near=near)
    return default if asked is None else asked


def _check_prompts(request: StillRequest) -> None:
    for path, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > PROMPT_BYTES:
            raise TooLarge("prompt", path=path, size_bytes=size, limit_bytes=PROMPT_BYTES)


def _merged(request: StillRequest, amendment: Amendment) -> StillRequest:
    """A request with a plugin's changes, checked like any other. Raises InvalidParams."""
    changes = {name: value for name, value in asdict(amendment).items() if value is not UNSET}
    try:
        return msgspec.convert(msgspec.to_builtins(replace(request, **changes)), StillRequest)
    except msgspec.ValidationError as problem:
        raise InvalidParams(path="prompt", problem=f"a plugin's change doesn't fit: {problem}") from problem
