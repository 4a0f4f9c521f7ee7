"""Contact sheets: a job like any other, but put together by the media process instead of drawn."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import asdict, replace

from tendred import __version__
from tendred.backend import Media
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.seal import canonical
from tendred.clock import Ids
from tendred.core.again import Wish
from tendred.core.keep import Keeper
from tendred.core.refusals import Refusals
from tendred.core.submit import judged
from tendred.errors import BoundaryRefused, Internal, InvalidParams, NotFound, StillNotOurs
from tendred.library.files import SUFFIX, stem
from tendred.library.index import Index, Query
from tendred.queue.store import Claim, NewJob, Queue
from tendred.schema.asset import Asset, EngineInfo, LoraRecord, ModelUse
from tendred.schema.base import Record
from tendred.schema.character import CharacterUse
from tendred.schema.job import Origin, Submitted
from tendred.schema.sealed import Conditioning, Reviewed
from tendred.schema.sheet import CELLS, ROWS, Sheet, SheetRequest
from tendred.schema.still import Format
from tendred.schema.work import Cell, Compose, Output
from tendred.tasks import offload

NOTHING: Final = Conditioning(prompt=[], negative=[], anchor=None)
"""Nobody encodes a sheet's words."""
_ENGINE: Final = EngineInfo(
    version=__version__, torch="", diffusers="", device="cpu", dtype="", threads=1, batch_size=1
)


class SheetRun(Record, frozen=True):
    """A claimed sheet, opened; see keep.Making."""

    claim: Claim
    sheet: Sheet
    assets: list[Asset]
    created: float
    conditioning: Conditioning = NOTHING
    model: None = None
    kind: Literal["still", "sheet"] = "sheet"
    count: int = 1

    @property
    def id(self) -> str:
        return self.claim.job.id

    @property
    def stem(self) -> str:
        return stem(self.id, self.created, self.sheet.prompt or "sheet")

    @property
    def words(self) -> str:
        return " ".join([self.sheet.prompt, *self.sheet.labels])

    @property
    def format(self) -> Format:
        return self.sheet.format

    @property
    def tags(self) -> list[str]:
        return self.sheet.tags

    @property
    def parents(self) -> list[str]:
        return self.sheet.asset_ids

    @property
    def request(self) -> dict[str, Any]:
        return msgspec.to_builtins(self.sheet)

    @property
    def model_use(self) -> ModelUse:
        """The one that drew all of them, or none."""
        used = {asset.model for asset in self.assets}
        return used.pop() if len(used) == 1 else ModelUse(name="", sha256="")

    @property
    def lora_records(self) -> list[LoraRecord]:
        return []

    @property
    def character(self) -> CharacterUse | None:
        """The one on all of them, or none."""
        used = {asset.character for asset in self.assets}
        return used.pop() if len(used) == 1 else None

    def file(self, index: int) -> str:
        del index
        return f"{self.stem}.{SUFFIX[self.sheet.format]}"

    def settings(self, index: int) -> dict[str, Any]:
        del index
        return self.request

    def parameters(self, output: Output) -> str:
        del output
        return self.sheet.prompt


class Sheets:
    """Takes them in, and makes them."""

    def __init__(
        self,
        *,
        index: Index,
        boundary: Boundary,
        queue: Queue,
        keeper: Keeper,
        media: Media,
        refusals: Refusals,
        ids: Ids,
        language: Callable[[], str],
    ) -> None:
        self._index = index
        self._boundary = boundary
        self._queue = queue
        self._keeper = keeper
        self._media = media
        self._refusals = refusals
        self._ids = ids
        self._language = language

    async def submit(self, request: SheetRequest, wish: Wish) -> Submitted:
        """Take a sheet in. Raises InvalidParams, NotFound, StillNotOurs, BoundaryRefused, QueueFull."""
        key_hash = hashlib.sha256(canonical(wish.asked)).digest()
        if wish.key is not None and (known := await self._queue.by_key(wish.key, key_hash)) is not None:
            return Submitted(job=known, deduplicated=True)
        assets = await self._pictures(request)
        if request.labels is not None and len(request.labels) != len(assets):
            problem = f"there are {len(request.labels)} of them for {len(assets)} pictures"
            raise InvalidParams(path="labels", problem=problem)
        columns = request.columns or math.ceil(math.sqrt(len(assets)))
        if (rows := -(-len(assets) // columns)) > ROWS:
            raise InvalidParams(path="columns", problem=f"{rows} rows are more than {ROWS}; ask for more columns")
        sheet = Sheet(
            prompt=request.title,
            asset_ids=[asset.id for asset in assets],
            labels=[_label(asset) for asset in assets] if request.labels is None else request.labels,
            columns=columns,
            format=request.format,
            lane=wish.lane,
            tags=list(dict.fromkeys(request.tags)),
        )
        job_id = self._ids.new("job")
        new = NewJob(
            id=job_id, kind="sheet", lane=sheet.lane, request=asdict(sheet), asked=wish.asked, origin=wish.origin,
            reviewed=await self._review(job_id, sheet, wish.origin), removed=[], retry_of=None, key=wish.key,
            key_hash=key_hash,
        )  # fmt: skip
        [(job, deduplicated)] = await self._queue.add([new])
        return Submitted(job=job, deduplicated=deduplicated)

    async def open(self, claimed: Claim) -> SheetRun:
        """Break the seal; if the policy changed since, have the words judged anew."""
        request, _ = self._boundary.open(claimed.reviewed)
        sealed: dict[str, Any] = msgspec.json.decode(request)
        if sealed["job_id"] != claimed.job.id:
            raise Internal(problem="the seal belongs to another job")
        sheet = msgspec.convert(sealed, Sheet)
        if claimed.reviewed.policy != self._boundary.policy:
            reviewed = await self._review(claimed.job.id, sheet, claimed.job.origin)
            claimed = replace(claimed, reviewed=reviewed)
        assets = [await self._picture(place, one) for place, one in enumerate(sheet.asset_ids)]
        return SheetRun(claim=claimed, sheet=sheet, assets=assets, created=await self._queue.created(claimed.job.id))

    async def make(self, run: SheetRun) -> None:
        """Put it together and keep it. Raises StillNotOurs for a file that was exchanged, DiskFull, FolderUnwritable."""
        if not await self._keeper.missing(run):
            return
        staging = await self._keeper.stage(run.id)
        cells = [
            Cell(asset_id=asset.id, path=asset.path, sha256=asset.sha256, label=label)
            for asset, label in zip(run.assets, run.sheet.labels, strict=True)
        ]
        made = await self._media.compose(
            Compose(title=run.sheet.prompt, cells=cells, columns=run.sheet.columns, target=str(staging / "sheet.rgb"))
        )
        output = Output(
            index=0, path=made.path, width=made.width, height=made.height, seed=0, pixels_sha256=made.pixels_sha256,
            engine=_ENGINE,
        )  # fmt: skip
        await self._keeper.keep(run, output, staging)

    async def _pictures(self, request: SheetRequest) -> list[Asset]:
        if bool(request.asset_ids) == (request.character is not None):
            raise InvalidParams(path="asset_ids", problem="a sheet shows the pictures of a list, or of one character")
        if request.character is None:
            return [await self._picture(place, one) for place, one in enumerate(request.asset_ids)]
        page = await self._index.search(Query(character=request.character, kind="still", limit=CELLS))
        found = [asset for asset in reversed(page.assets) if asset.state == "kept"]
        if not found:
            raise NotFound(path="character", noun="still of the character", name=request.character, near=[])
        return found

    async def _picture(self, place: int, asset_id: str) -> Asset:
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

    async def _review(self, job_id: str, sheet: Sheet, origin: Origin) -> Reviewed:
        """Have its words judged and sealed. Raises BoundaryRefused, having noted it."""
        said = {"title": sheet.prompt}
        said |= {f"labels[{number}]": label for number, label in enumerate(sheet.labels)}
        said |= {f"tags[{number}]": tag for number, tag in enumerate(sheet.tags)}
        verdict, _ = await judged(self._boundary, Words(prompt="", names=list(said.values())), self._language())
        if verdict.verdict == "refuse":
            await self._refusals.note(verdict, " ".join(said.values()), origin)
            path = await offload(self._culprit, said)
            raise BoundaryRefused(
                "named", path=path, rule=verdict.rule, reason=verdict.reason, span=None, policy=verdict.policy
            )
        return self._boundary.approve(canonical({**asdict(sheet), "job_id": job_id}), NOTHING)

    def _culprit(self, said: dict[str, str]) -> str | None:
        words = {path: Words(prompt="", names=[text]) for path, text in said.items()}
        return next((path for path, text in words.items() if self._boundary.judge(text)[0].verdict == "refuse"), None)


def _label(asset: Asset) -> str:
    """What tells a picture from its neighbours."""
    parts = [f"v{asset.character.version}"] if asset.character is not None else []
    parts.append(f"seed {asset.seed}")
    steps: list[dict[str, Any]] = asset.settings.get("variations") or []
    parts += [f"{step['strength']:g} of {step['seed']}" for step in steps]
    return ", ".join(parts)
