"""The same picture once more, and pictures near it: recipes out of the library, judged anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import fields, replace

from tendred.backend import Residency
from tendred.clock import Rng
from tendred.core.submit import SEED_BITS, Settled, Submitter
from tendred.errors import InvalidParams, ModelMissing, ModelRefused, NotFound, StillNotOurs
from tendred.library.index import Index
from tendred.library.receipts import Receipts
from tendred.models.catalog import Catalog
from tendred.models.shelf import Shelf
from tendred.schema.again import Again, Difference
from tendred.schema.asset import Asset, EngineInfo, Identity
from tendred.schema.base import Record
from tendred.schema.job import Origin, Submitted
from tendred.schema.sealed import Conditioning
from tendred.schema.still import Lane, Repeat, Still, StillRequest, Variation
from tendred.tasks import offload

STEPS: Final = 16
"""So many variations of variations: each is one more noise to draw."""
_ALIKE: Final = ("version", "torch", "diffusers", "device", "threads", "hardware")
"""What of an engine is compared by name; libraries, number format and batch size have rules of their own."""
_DEFAULTS: Final[dict[str, Any]] = {
    field.name: field.default if field.default is not NODEFAULT else field.default_factory()
    for field in fields(StillRequest)
    if not field.required
}


class Wish(Record, frozen=True):
    """Who asks, in which words (`asked`), and the idempotency key, scoped by the door."""

    origin: Origin
    asked: dict[str, Any]
    key: str | None
    lane: Lane = "normal"


def recipe(asset: Asset) -> Still:
    """The request that an asset was made with, by itself. Raises StillNotOurs, InvalidParams for what wasn't drawn."""
    if asset.kind != "still":
        raise StillNotOurs(path="asset_id", asset_id=asset.id)
    if "factor" in asset.settings:
        raise InvalidParams(path="asset_id", problem="it was made larger, not drawn; upscale what it was made from")
    if "prompt" not in asset.settings:
        raise InvalidParams(path="asset_id", problem="its words were erased, so there is nothing to make it from again")
    # What an older version wrote down lacks the fields that came later: it was made without them.
    still = msgspec.convert({**_DEFAULTS, **asset.settings}, Still)
    return replace(still, again=None, reproducible=True)


def engine_differences(then: EngineInfo, now: Identity, dtype: str) -> list[Difference]:
    """What of an engine may change the last bits, and did change. `dtype` is the number format for the model now."""
    pairs: dict[str, tuple[str | int, str | int]] = {name: (getattr(then, name), getattr(now, name)) for name in _ALIKE}
    pairs["dtype"] = (then.dtype, dtype)
    # One by one is how it is drawn now (see ARCHITECTURE).
    pairs["batch_size"] = (then.batch_size, 1)
    for name in sorted({*then.libraries, *now.libraries}):
        pairs[f"libraries.{name}"] = (then.libraries.get(name, ""), now.libraries.get(name, ""))
    return [
        Difference(what=what, then=before or None, now=after or None)
        for what, (before, after) in pairs.items()
        if before != after or not before
    ]


class Recipes:
    """What was made, as something to make."""

    def __init__(
        self,
        *,
        index: Index,
        receipts: Receipts,
        catalog: Catalog,
        shelf: Shelf,
        residency: Residency,
        submitter: Submitter,
        rng: Rng,
    ) -> None:
        self._index = index
        self._receipts = receipts
        self._catalog = catalog
        self._shelf = shelf
        self._residency = residency
        self._submitter = submitter
        self._rng = rng

    async def again(self, asset_id: str, wish: Wish, *, dry_run: bool, insist: bool) -> Again:
        """Follow a recipe once more, where the same pixels can be promised or somebody insists; see `schema.again`.

        The row is enough: what was removed, or whose file is gone, can be made again. Raises NotFound, StillNotOurs,
        EngineMissing, EngineDied, and what the road raises: today's boundary may refuse what it once allowed.
        """
        if (known := await self._submitter.known(wish.key, wish.asked)) is not None:
            promised = known.again is not None and known.again.promised
            return Again(promised=promised, differences=[], job=known, deduplicated=True)
        asset = await self._index.get(asset_id)
        still = replace(recipe(asset), lane=wish.lane)
        weights = await self._weights(asset)
        differences = [*weights, *await self._engine(asset)]
        settled: Settled | None = None
        if (insist and not dry_run) or all(found.now is not None for found in weights):
            settled = await self._submitter.settle(still, wish.origin)
            differences += await self._words(asset, settled.policy, settled.conditioning)
        promised = not differences
        if settled is None or dry_run or not (promised or insist):
            return Again(promised=promised, differences=differences, job=None, deduplicated=False)
        repeat = Repeat(asset_id=asset.id, pixels_sha256=asset.pixels_sha256, promised=promised)
        made = await self._enter(settled, wish, again=repeat)
        return Again(promised=promised, differences=differences, job=made.job, deduplicated=made.deduplicated)

    async def keep_promise(self, still: Still, policy: str, conditioning: Conditioning) -> None:
        """Look once more, before it is drawn: it may have waited for long. Raises ModelRefused, and as `again` does."""
        if still.again is None or not still.again.promised:
            return
        asset = await self._index.get(still.again.asset_id)
        found = [
            *await self._weights(asset),
            *await self._engine(asset),
            *await self._words(asset, policy, conditioning),
        ]
        if found:
            problem = f"changed since: {', '.join(one.what for one in found)}"
            raise ModelRefused("promise", name=still.model, reason="changed", problem=problem)

    async def variations(
        self, asset_id: str, wish: Wish, *, count: int, strength: float, seed: int | None
    ) -> Submitted:
        """Pictures near one of the library: its recipe, from noise `strength` of the way to that of other seeds.

        Raises NotFound, StillNotOurs, InvalidParams, and what the road raises.
        """
        if (known := await self._submitter.known(wish.key, wish.asked)) is not None:
            return Submitted(job=known, deduplicated=True)
        still = recipe(await self._index.get(asset_id))
        if len(still.variations) >= STEPS:
            raise InvalidParams(path="asset_id", problem=f"it is a variation of a variation {STEPS} times over")
        chosen = self._rng.below(1 << SEED_BITS) if seed is None else seed
        steps = [*still.variations, Variation(asset_id=asset_id, seed=chosen, strength=strength)]
        still = replace(still, count=count, variations=steps, lane=wish.lane)
        return await self._enter(await self._submitter.settle(still, wish.origin), wish)

    async def _enter(self, settled: Settled, wish: Wish, again: Repeat | None = None) -> Submitted:
        settled = replace(settled, still=replace(settled.still, again=again))
        return await self._submitter.enter(settled, asked=wish.asked, key=wish.key, origin=wish.origin)

    async def _weights(self, asset: Asset) -> list[Difference]:
        """The model and the LoRAs, compared by what they hash to."""
        found: list[Difference] = []
        now: str | None = None
        try:
            now = (await self._catalog.get(asset.model.name)).sha256
        except (ModelMissing, ModelRefused):
            now = None
        if now != asset.model.sha256:
            found.append(Difference(what="model", then=asset.model.sha256, now=now))
        for number, lora in enumerate(asset.loras):
            try:
                now = (await self._shelf.lora(lora.name)).sha256
            except (NotFound, ModelRefused):
                now = None
            if now != lora.sha256:
                found.append(Difference(what=f"loras[{number}]", then=lora.sha256, now=now))
        return found

    async def _engine(self, asset: Asset) -> list[Difference]:
        identity = await self._residency.identity()
        kind = "transformer"
        try:
            model = await self._catalog.get(asset.model.name)
            kind = "unet" if await offload(_has_unet, Path(model.path)) else kind
        except (ModelMissing, ModelRefused):
            # Said already, and which number format it would have can't be told.
            return engine_differences(asset.engine, identity, asset.engine.dtype)
        return engine_differences(asset.engine, identity, identity.dtypes.get(kind, ""))

    async def _words(self, asset: Asset, policy: str, conditioning: Conditioning) -> list[Difference]:
        """What the encoders got, and would get now: the words are the same, but the boundary adds its own to them."""
        found = [Difference(what="policy", then=asset.policy, now=policy)]
        try:
            verdict = (await self._receipts.get(asset.receipt_id)).verdict
        except NotFound:
            return [one for one in found if one.then != one.now]  # its job hasn't ended, so it was just judged
        found.append(Difference(what="anchor", then=verdict.anchor or "", now=conditioning.anchor or ""))
        return [one for one in found if one.then != one.now]


def _has_unet(model: Path) -> bool:
    """Whole files are of families that have one."""
    return model.is_file() or (model / "unet").is_dir()
