"""Grids and contact sheets: from what was asked for to the jobs that make it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
from msgspec.structs import replace

from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Ids, Rng
from tendred.core.again import Wish
from tendred.core.refusals import Refusals
from tendred.core.sheets import refused
from tendred.core.submit import SEED_BITS, Submission, Submitter, asked_hash
from tendred.core.wording import Writer
from tendred.errors import BoundaryRefused, InvalidParams, ModelMissing, NotFound, StillNotOurs, TendredError, TooLarge
from tendred.library.index import Index, Query
from tendred.queue.store import NewJob, Queue
from tendred.schema.asset import Asset
from tendred.schema.character import Character
from tendred.schema.decode import convert
from tendred.schema.job import Job, Origin, Submitted
from tendred.schema.sealed import Conditioning, Reviewed
from tendred.schema.sheet import CELLS, NO_AXIS, ROWS, Axis, Cell, ContactRequest, Grid, GridRequest, SheetRequest
from tendred.schema.still import PROMPT_BYTES, StillRequest
from tendred.tasks import offload

_FIELDS: Final = tuple(name for name in StillRequest.__struct_fields__ if name not in NO_AXIS)
_WORDS: Final = frozenset({"prompt", "negative_prompt"})
_SHOWN: Final = 80
_NOTHING: Final = Conditioning(prompt=[], negative=[], anchor=None)


class Grids:
    """Takes all the jobs of a sheet or none."""

    def __init__(
        self,
        *,
        submitter: Submitter,
        writer: Writer,
        queue: Queue,
        index: Index,
        boundary: Boundary,
        refusals: Refusals,
        ids: Ids,
        rng: Rng,
        language: Callable[[], str],
    ) -> None:
        self._submitter = submitter
        self._writer = writer
        self._queue = queue
        self._index = index
        self._boundary = boundary
        self._refusals = refusals
        self._ids = ids
        self._rng = rng
        self._language = language

    async def grid(self, request: GridRequest, asked: Mapping[str, Any], key: str | None, origin: Origin) -> Grid:
        """A job for each cell, and one for the sheet. One seed for all of them, unless it is an axis.

        Raises TooLarge before anything is made, and what `images.generate` raises; the path of a value is its place
        on its axis (`x.values[2]`).
        """
        key_hash = asked_hash(request)
        if (known := await self._queue.by_key(key, key_hash)) is not None:
            return _grid(known, deduplicated=True)
        axes = _axes(request)
        base, said = await self._base(request, asked, axes)
        places = [
            (x, y) for y in range(len(axes[1].values) if len(axes) > 1 else 1) for x in range(len(axes[0].values))
        ]
        jobs = [await self._cell(base, said, axes, place, origin) for place in places]
        cells = [
            Cell(x=x, y=y, job_id=job.id, asset_id=None, label=None) for job, (x, y) in zip(jobs, places, strict=True)
        ]
        first = jobs[0].request
        sheet = SheetRequest(
            title=_short(str(first["prompt"]) or str(first["model"])),
            columns=[label(axes[0], value) for value in axes[0].values],
            rows=[label(axes[1], value) for value in axes[1].values] if len(axes) > 1 else [],
            cells=cells,
            format=base.format,
            lane=base.lane,
            tags=list(dict.fromkeys(base.tags)),
            seed=first["seed"],
        )
        made = await self._sheet(sheet, dict(asked), origin, key, key_hash)
        *_, (job, deduplicated) = await self._queue.add([*jobs, made])
        return _grid(job, deduplicated=deduplicated)

    async def contact(self, who: Character, version: int | None, limit: int, origin: Origin) -> Submitted:
        """A sheet of a character's newest stills, those of one version or of all. Raises NotFound without any."""
        stills = await self._stills(who.name, version, limit)
        if not stills:
            raise NotFound("stills", path="name", name=who.name)
        title = who.name if version is None else f"{who.name} v{version}"
        sheet = _contact(ContactRequest(asset_ids=[], title=title), stills, [told(still) for still in stills])
        asked = {"name": who.name, "version": version, "limit": limit}
        [(job, _)] = await self._queue.add([await self._sheet(sheet, asked, origin, None, b"")])
        return Submitted(job=job, deduplicated=False)

    async def chosen(self, request: ContactRequest, wish: Wish) -> Submitted:
        """A sheet of the stills that were named. Raises InvalidParams, NotFound, StillNotOurs, BoundaryRefused, QueueFull."""
        key_hash = asked_hash(wish.asked)
        if (known := await self._queue.by_key(wish.key, key_hash)) is not None:
            return Submitted(job=known, deduplicated=True)
        stills = [await self._still(place, one) for place, one in enumerate(request.asset_ids)]
        labels = [told(still) for still in stills] if request.labels is None else request.labels
        if len(labels) != len(stills):
            raise InvalidParams(path="labels", problem=f"there are {len(labels)} of them for {len(stills)} pictures")
        sheet = _contact(replace(request, lane=wish.lane), stills, labels)
        new = await self._sheet(sheet, wish.asked, wish.origin, wish.key, key_hash)
        [(job, deduplicated)] = await self._queue.add([new])
        return Submitted(job=job, deduplicated=deduplicated)

    async def _still(self, place: int, asset_id: str) -> Asset:
        path = f"asset_ids[{place}]"
        try:
            asset = await self._index.get(asset_id)
        except NotFound as problem:
            problem.path = path
            raise
        if asset.kind != "still":
            raise StillNotOurs(path=path, asset_id=asset_id)
        if asset.state != "kept":
            raise NotFound(path=path, noun="file of asset", name=asset_id, near=[])
        return asset

    async def _stills(self, name: str, version: int | None, limit: int) -> list[Asset]:
        """The newest of a character, looked for in pages: those of an old version may lie far back."""
        found: list[Asset] = []
        query: Query | None = Query(character=name, kind="still", limit=CELLS)
        while query is not None and len(found) < limit:
            page = await self._index.search(query)
            found += [one for one in page.assets if version in {None, one.character and one.character.version}]
            query = None if page.next is None else replace(query, cursor=page.next)
        return found[:limit]

    async def _base(
        self, request: GridRequest, asked: Mapping[str, Any], axes: list[Axis]
    ) -> tuple[StillRequest, dict[str, Any]]:
        """What all cells share, and which fields of it were written."""
        base = StillRequest(**{name: getattr(request, name) for name in StillRequest.__struct_fields__})
        said = {name: value for name, value in asked.items() if name not in {"x", "y"}}
        fields = {axis.field for axis in axes}
        if "preset" not in fields:
            base = await self._writer.filled(base, said)
        if base.count != 1:
            raise InvalidParams(path="count", problem="a cell is one still; take seed as an axis for several")
        if "seed" not in fields:
            seed = await self._writer.seed_of(base)
            seed = self._rng.below(1 << SEED_BITS) if seed is None else seed
            base, said = replace(base, seed=seed), {**said, "seed": seed}
        return base, said

    async def _cell(
        self, base: StillRequest, said: dict[str, Any], axes: list[Axis], place: tuple[int, int], origin: Origin
    ) -> NewJob:
        request, asked = base, said
        for name, axis, at in zip("xy", axes, place, strict=False):
            where, value = f"{name}.values[{at}]", axis.values[at]
            if axis.replace is not None:
                value = _replaced(getattr(request, axis.field), axis, value, name, where)
            try:
                fields = {**msgspec.to_builtins(request), axis.field: value}
                request = convert(fields, StillRequest)
            except TendredError as problem:
                problem.path = where
                raise
            asked = {**asked, axis.field: value}
        try:
            job = await self._submitter.prepare(Submission(request=request, asked=asked, key=None), origin)
            _check_one(job.request["count"], request.preset)
            return cast("NewJob", job)
        except TendredError as problem:
            known = problem.path or ("model" if isinstance(problem, ModelMissing) else "")
            field = known.partition(".")[0].partition("[")[0]
            at = next((number for number, axis in enumerate(axes) if axis.field == field), None)
            if at is not None:
                problem.path = f"{'xy'[at]}.values[{place[at]}]"
            raise

    async def _sheet(
        self, request: SheetRequest, asked: dict[str, Any], origin: Origin, key: str | None, key_hash: bytes
    ) -> NewJob:
        """The job that puts it together."""
        job_id = self._ids.new("job")
        return NewJob(
            id=job_id,
            kind="sheet",
            lane=request.lane,
            request=msgspec.to_builtins(request),
            asked=asked,
            origin=origin,
            reviewed=await self.review(job_id, request, origin),
            removed=[],
            retry_of=None,
            key=key,
            key_hash=key_hash,
        )

    async def review(self, job_id: str, request: SheetRequest, origin: Origin) -> Reviewed:
        """Have the words of a sheet judged, and the whole sealed like a still. Raises BoundaryRefused, having noted it."""
        if verdict := await refused(self._boundary, request, self._language()):
            await self._refusals.note(verdict, request.title, origin)
            path = await offload(self._culprit, request)
            raise BoundaryRefused(
                "named" if path else "", path=path, rule=verdict.rule, reason=verdict.reason, span=None,
                policy=verdict.policy, passes=verdict.passes,
            )  # fmt: skip
        return self._boundary.approve(canonical({**msgspec.to_builtins(request), "job_id": job_id}), _NOTHING)

    def _culprit(self, request: SheetRequest) -> str | None:
        """Which of the words on a sheet are refused by themselves, by where they stood in what was asked for."""
        said = {"title": request.title}
        said |= {f"labels[{number}]": cell.label for number, cell in enumerate(request.cells) if cell.label}
        for path, words in (("x.values", request.columns), ("y.values", request.rows), ("tags", request.tags)):
            said |= {f"{path}[{number}]": text for number, text in enumerate(words)}
        parts = {path: Words(prompt="", names=[text]) for path, text in said.items()}
        return next((path for path, words in parts.items() if self._boundary.judge(words)[0].verdict == "refuse"), None)


def told(still: Asset) -> str:
    """What tells a still from its neighbours."""
    parts = [f"v{still.character.version}"] if still.character is not None else []
    steps: list[dict[str, Any]] = still.settings.get("variations") or []
    return ", ".join([*parts, f"seed {still.seed}", *(f"{step['strength']:g} of {step['seed']}" for step in steps)])


def _contact(request: ContactRequest, stills: list[Asset], labels: list[str]) -> SheetRequest:
    """Stills in reading order. Raises InvalidParams for a sheet that would be too long."""
    wide = request.columns or math.ceil(math.sqrt(len(stills)))
    if (rows := -(-len(stills) // wide)) > ROWS:
        raise InvalidParams(path="columns", problem=f"{rows} rows are more than {ROWS}; ask for more columns")
    cells = [
        Cell(x=at % wide, y=at // wide, job_id=None, asset_id=still.id, label=label)
        for at, (still, label) in enumerate(zip(stills, labels, strict=True))
    ]
    return SheetRequest(
        title=request.title, columns=[], rows=[], cells=cells, format=request.format, lane=request.lane,
        tags=list(dict.fromkeys(request.tags)), seed=stills[0].seed,
    )  # fmt: skip


def label(axis: Axis, value: Any) -> str:
    """What stands over a column, or beside a row."""
    if axis.field in _WORDS:
        return _short(str(value))
    return _short(f"{axis.field} {_said(value)}")


def _said(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_said, cast("list[Any]", value))) or "none"
    if isinstance(value, dict):
        use = cast("dict[str, Any]", value)
        return f"{use.get('name')}:{_said(use.get('weight', 1.0))}"
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _axes(request: GridRequest) -> list[Axis]:
    axes = [request.x] if request.y is None else [request.x, request.y]
    cells = len(request.x.values) * (1 if request.y is None else len(request.y.values))
    if cells > CELLS:
        raise TooLarge("grid", path="x.values", cells=cells, limit=CELLS)
    for name, axis in zip("xy", axes, strict=False):
        if axis.field not in _FIELDS:
            problem = f"it is no field that an axis can take; there are {', '.join(_FIELDS)}"
            raise InvalidParams(path=f"{name}.field", problem=problem)
        if axis.replace is not None and axis.field not in _WORDS:
            raise InvalidParams(path=f"{name}.replace", problem="only words can be replaced")
    if len(axes) > 1 and axes[0].field == axes[1].field and axes[1].replace is None:
        raise InvalidParams(path="y.field", problem=f"both axes are {axes[0].field}")
    return axes


def _check_one(count: int, preset: str | None) -> None:
    """A preset along an axis is looked up with its cell and no earlier, and plugins have their say. Raises InvalidParams."""
    if count != 1:
        whose = "a plugin" if preset is None else f"the preset {preset}"
        problem = f"{whose} asks for {count} stills, and a cell is one; take seed as an axis for several"
        raise InvalidParams(path="count" if preset is None else "preset", problem=problem)


def _replaced(text: str, axis: Axis, value: Any, name: str, where: str) -> str:
    words = axis.replace or ""
    if not isinstance(value, str):
        raise InvalidParams(path=where, problem="it must be text")
    if words not in text:
        raise InvalidParams(path=f"{name}.replace", problem=f"{words} isn't in the {axis.field}")
    # Before it is made: a short text of many such words, and a long value, are a hundred times what may be asked for.
    taken, given = (len(one.encode("utf-8", "surrogatepass")) for one in (words, value))
    size = len(text.encode("utf-8", "surrogatepass")) + text.count(words) * (given - taken)
    if size > PROMPT_BYTES:
        raise TooLarge("prompt", path=where, size_bytes=size, limit_bytes=PROMPT_BYTES)
    return text.replace(words, value)


def _grid(job: Job, *, deduplicated: bool) -> Grid:
    return Grid(job=job, cells=msgspec.convert(job.request["cells"], list[Cell]), deduplicated=deduplicated)
