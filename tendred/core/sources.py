"""What a request names besides words and LoRAs: stills of ours to begin from or be guided by, and parts of models.

Found, told apart from what isn't ours, and refused by name where the model has no use for it.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec.structs import replace

from tendred.core import masks
from tendred.core.strokes import Painting, check_crop
from tendred.errors import InvalidParams, ModelRefused, NotFound, StillNotOurs, UnsupportedParameter
from tendred.library.own import OwnStills
from tendred.library.strokes import Strokes
from tendred.models.catalog import Model
from tendred.models.shelf import Part, Shelf
from tendred.models.takes import can_of, lacks
from tendred.schema.base import Record
from tendred.schema.families import task
from tendred.schema.marks import Parent
from tendred.schema.sealed import OwnClip, OwnStill
from tendred.schema.source import ControlUse, Mask, PartUse, SourceUse
from tendred.schema.still import Still, StillRequest
from tendred.schema.work import PartFile
from tendred.tasks import offload

SIDES: Final = range(64, 4097)


class Sources(Record, frozen=True):
    """What was found, in the request's order. `controls` and `nets` go in pairs: a picture and its weights."""

    image: OwnStill | None = None
    controls: list[OwnStill] = []  # noqa: RUF012 # msgspec copies it for every instance
    nets: list[Part] = []  # noqa: RUF012 # see above
    vae: Part | None = None
    strokes: dict[str, str] = {}  # noqa: RUF012 # see above
    """Paths of the documents of what is painted, by the role of the picture below."""

    @property
    def stills(self) -> list[OwnStill]:
        """Every picture that it comes from."""
        return [*([self.image] if self.image else []), *self.controls]

    @property
    def parts(self) -> list[Part]:
        """Every part of a model that it is drawn with."""
        return [*self.nets, *([self.vae] if self.vae else [])]

    @property
    def parents(self) -> list[str]:
        """Their ids, each once."""
        return list(dict.fromkeys(still.asset_id for still in self.stills))

    def marks(self, *, changed: bool) -> list[Parent]:
        """What credentials tell of them: changed themselves, or looked at while something was made."""
        return [
            Parent(path=still.path, sha256=still.sha256, relation="parentOf" if changed else "inputTo")
            for still in {still.asset_id: still for still in self.stills}.values()
        ]

    def names(self) -> dict[str, str]:
        """What is judged of them, by where it stands in a request. What a picture shows, its own words tell."""
        said = {"image.asset_id": self.image.words} if self.image else {}
        said |= {f"control[{number}].asset_id": still.words for number, still in enumerate(self.controls)}
        said |= {f"control[{number}].model": net.name for number, net in enumerate(self.nets)}
        return {path: words for path, words in {**said, "vae": self.vae.name if self.vae else ""}.items() if words}

    def files(self) -> list[PartFile]:
        """Where all of it lies, for the engine."""
        found = [("image", self.image), ("vae", self.vae)]
        found += [(f"control[{number}]", still) for number, still in enumerate(self.controls)]
        found += [(f"controlnet[{number}]", net) for number, net in enumerate(self.nets)]
        files = [PartFile(role=role, path=one.path) for role, one in found if one is not None]
        return [*files, *(PartFile(role=f"{role}.strokes", path=path) for role, path in self.strokes.items())]


NOTHING: Final = Sources()
UNPAINTED: Final = Painting()


class Finder:
    """Looks in the library and on the `shelf`."""

    def __init__(self, stills: OwnStills, shelf: Shelf, strokes: Strokes) -> None:
        self._stills = stills
        self._strokes = strokes
        self.shelf = shelf

    async def find(self, request: StillRequest, model: Model) -> Sources:
        """What a request names. Raises UnsupportedParameter, StillNotOurs, NotFound, ModelRefused, InvalidParams."""
        check_abilities(request, model)
        image = None
        if request.image is not None:
            image = await self.own(request.image.asset_id, "image.asset_id")
            check_crop(request.image.crop, image, "image")
        controls: list[OwnStill] = []
        nets: list[Part] = []
        for number, one in enumerate(request.control):
            if one.start >= one.end:
                raise InvalidParams(path=f"control[{number}].end", problem=f"it must be more than start ({one.start})")
            controls.append(await self.own(one.asset_id, f"control[{number}].asset_id"))
            check_crop(one.crop, controls[-1], f"control[{number}]")
            nets.append(await self.shelf.part("controlnet", one.model, f"control[{number}].model"))
        vae = None if request.vae is None else await self.shelf.part("vae", request.vae, "vae")
        return Sources(image=image, controls=controls, nets=nets, vae=vae)

    async def again(self, still: Still) -> Sources:
        """What a sealed request names: the same bytes as then. Raises StillNotOurs or ModelRefused where they aren't."""
        image = None if still.image is None else await self.same(still.image, "image.asset_id")
        controls: list[OwnStill] = []
        nets: list[Part] = []
        for number, use in enumerate(still.control):
            path = f"control[{number}]"
            controls.append(await self.same(use, f"{path}.asset_id"))
            nets.append(_same_part(await self.shelf.part("controlnet", use.model, path), use.model_sha256, path))
        vae = None
        if still.vae is not None:
            vae = _same_part(await self.shelf.part("vae", still.vae.name, "vae"), still.vae.sha256, "vae")
        return Sources(image=image, controls=controls, nets=nets, vae=vae, strokes=await offload(self._painted, still))

    async def keep(self, painting: Painting) -> None:
        """Make what is painted durable, before a request names it. Raises DiskFull, FolderUnwritable."""
        for sha256, document in painting.documents.items():
            await offload(self._strokes.keep, document, sha256)

    def _painted(self, still: Still) -> dict[str, str]:
        """Documents by role. Their bytes are compared by whoever draws them."""
        uses = {} if still.image is None else {"image": still.image.strokes}
        uses |= {f"control[{number}]": use.strokes for number, use in enumerate(still.control)}
        paths = {role: self._strokes.path(sha256) for role, sha256 in uses.items() if sha256 is not None}
        for role, path in paths.items():
            if not path.is_file():
                raise NotFound(path=f"{role}.strokes", noun="set of strokes", name=path.stem, near=[])
        return {role: str(path) for role, path in paths.items()}

    async def own(self, asset_id: str, path: str) -> OwnStill:
        """A still of ours. Raises StillNotOurs."""
        return await self._stills.find(asset_id, path)

    async def clip(self, use: PartUse, path: str) -> OwnClip:
        """The very clip that was locked, by id and hash. Raises StillNotOurs."""
        clip = await self._stills.clip(use.name, path)
        if clip.sha256 != use.sha256:
            raise StillNotOurs("changed", path=path, asset_id=use.name)
        return clip

    async def same(self, use: SourceUse | ControlUse, path: str) -> OwnStill:
        """The very still that was judged. Raises StillNotOurs."""
        still = await self.own(use.asset_id, path)
        if still.sha256 != use.sha256:
            raise StillNotOurs("changed", path=path, asset_id=use.asset_id)
        return still


def check_abilities(request: StillRequest, model: Model) -> None:
    """Refuse by name what the model would pass over. Raises UnsupportedParameter, InvalidParams."""
    can = can_of(model.folder)
    if request.mask is not None and request.image is None:
        raise InvalidParams(path="mask", problem="it needs an image, which it is laid over")
    asked = {"control": bool(request.control), "mask": request.mask is not None, "image": request.image is not None}
    for path, there in {**asked, "image": asked["image"] and not asked["mask"]}.items():
        alone = task(can, image=path != "control", mask=path == "mask", control=path == "control")
        if there and alone is None:
            raise UnsupportedParameter(path=path, model=model.name)
    if any(asked.values()) and task(can, **asked) is None:
        raise UnsupportedParameter(
            "together", path="control", other="mask" if asked["mask"] else "image", model=model.name
        )
    said = {
        "negative_prompt": bool(request.negative_prompt),
        "guidance": request.guidance is not None,
        "clip_skip": request.clip_skip is not None,
    }
    for path in lacks(model.folder):
        if said.get(path):
            raise UnsupportedParameter(path=path, model=model.name)
    layers = model.folder.clip_layers
    if request.clip_skip is not None and layers and request.clip_skip >= layers:
        raise InvalidParams(path="clip_skip", problem=f"the text encoder of {model.name} has {layers} layers")


def sides(request: StillRequest, model: Model, image: OwnStill | None) -> tuple[int | None, int | None]:
    """Width and height as asked, or, where both are left open, those of the image, cut to what the model takes."""
    if image is None or (request.width, request.height) != (None, None):
        return request.width, request.height
    step, used = model.folder.defaults.multiple, request.image
    shown = image if used is None or used.crop is None else used.crop
    seen = (shown.width, shown.height)
    if used is not None and used.turn % 180:
        seen = (shown.height, shown.width)
    width, height = (max(SIDES[0], side - side % step) for side in seen)
    return min(width, SIDES[-1]), min(height, SIDES[-1])


async def settled_mask(mask: Mask | None, width: int, height: int) -> Mask | None:
    """See masks.settled. In a thread: one of many runs takes some milliseconds."""
    return None if mask is None else await offload(masks.settled, mask, width, height)


def with_sources(
    still: Still, request: StillRequest, found: Sources, mask: Mask | None, painting: Painting = UNPAINTED
) -> Still:
    """The final request with what was found in it, by hash. Raises InvalidParams where no step would be left."""
    painted = painting.roles.get
    image = None
    if found.image is not None and request.image is not None:
        strength = request.image.strength
        if int(still.steps * strength) < 1:
            least = math.ceil(100 / still.steps) / 100
            problem = f"of {still.steps} steps none is left; use at least {least:g}, or more steps"
            raise InvalidParams(path="image.strength", problem=problem)
        image = SourceUse(
            asset_id=found.image.asset_id, sha256=found.image.sha256, strength=strength, crop=request.image.crop,
            mirror=request.image.mirror, turn=request.image.turn, strokes=painted("image"),
        )  # fmt: skip
    control = [
        ControlUse(
            asset_id=picture.asset_id, sha256=picture.sha256, model=net.name, model_sha256=net.sha256,
            scale=one.scale, start=one.start, end=one.end, crop=one.crop, mirror=one.mirror, turn=one.turn,
            strokes=painted(f"control[{number}]"),
        )
        for number, (one, picture, net) in enumerate(zip(request.control, found.controls, found.nets, strict=True))
    ]  # fmt: skip
    vae = None if found.vae is None else PartUse(name=found.vae.name, sha256=found.vae.sha256)
    return replace(
        still, image=image, mask=mask, control=control, clip_skip=request.clip_skip, vae=vae, painted=painting.painted
    )


def _same_part(part: Part, sha256: str, path: str) -> Part:
    if part.sha256 != sha256:
        problem = "it changed since the request was judged"
        raise ModelRefused("part", path=path, name=part.name, reason="header", problem=problem)
    return part
