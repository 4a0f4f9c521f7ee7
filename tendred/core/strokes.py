"""Strokes: few, not too fine and of few colours, together with all that was painted into what a still comes from.

One set after another, over still after still, would be a picture from outside in instalments.
"""

from __future__ import annotations

from collections.abc import Iterable

from tendred.errors import InvalidParams
from tendred.library.strokes import document
from tendred.schema.base import Record
from tendred.schema.sealed import OwnStill
from tendred.schema.source import Rect
from tendred.schema.still import StillRequest
from tendred.schema.stroke import COLOURS, FINENESS, POINTS, SETS, STROKES, Stroke, StrokesUse


class Painting(Record, frozen=True):
    """What is painted in one request: documents by their hash, hashes by role (`image`, `control[0]`), and the sum of it."""

    documents: dict[str, bytes] = {}  # noqa: RUF012 # msgspec copies it for every instance
    roles: dict[str, str] = {}  # noqa: RUF012 # see above
    painted: list[StrokesUse] = []  # noqa: RUF012 # see above


def painting(request: StillRequest, stills: Iterable[OwnStill], width: int, height: int) -> Painting:
    """The strokes of a request for a still of this size, from these stills. Raises InvalidParams past a limit.

    Takes some ten milliseconds where there are many points.
    """
    asked = {} if request.image is None else {"image": request.image.strokes}
    asked |= {f"control[{number}]": one.strokes for number, one in enumerate(request.control)}
    documents: dict[str, bytes] = {}
    roles: dict[str, str] = {}
    painted = {use.sha256: use for still in stills for use in still.painted}
    for role, strokes in asked.items():
        if strokes:
            _check(strokes, f"{role}.strokes", min(width, height))
            data, sha256 = document(strokes)
            documents[sha256], roles[role] = data, sha256
            painted[sha256] = _use(strokes, sha256)
            _check_sum(painted.values(), f"{role}.strokes")
    return Painting(documents=documents, roles=roles, painted=list(painted.values()))


def check_crop(crop: Rect | None, still: OwnStill, path: str) -> None:
    """Raises InvalidParams where it reaches out of the still."""
    if crop is not None and (crop.x + crop.width > still.width or crop.y + crop.height > still.height):
        raise InvalidParams(path=f"{path}.crop", problem=f"it reaches out of {still.width} x {still.height}")


def _check(strokes: list[Stroke], path: str, short: int) -> None:
    for number, stroke in enumerate(strokes):
        if len(stroke.points) % 2:
            raise InvalidParams(path=f"{path}[{number}].points", problem="they go in pairs: x, y, x, y, ...")
        if stroke.width * FINENESS < short:
            problem = f"it must be at least {short / FINENESS:g} here, 1/{FINENESS} of the short side"
            raise InvalidParams(path=f"{path}[{number}].width", problem=problem)


def _check_sum(painted: Iterable[StrokesUse], path: str) -> None:
    uses = [*painted]
    colours = {colour for use in uses for colour in use.colours}
    for many, limit, what in (
        (sum(use.strokes for use in uses), STROKES, "strokes"),
        (sum(use.points for use in uses), POINTS, "points"),
        (len(colours), COLOURS, "colours"),
        (len(uses), SETS, "sets of strokes"),
    ):
        if many > limit:
            problem = f"with what was painted before there are {many} {what}; at most {limit} may be"
            raise InvalidParams(path=path, problem=problem)


def _use(strokes: list[Stroke], sha256: str) -> StrokesUse:
    return StrokesUse(
        sha256=sha256,
        strokes=len(strokes),
        points=sum(len(stroke.points) // 2 for stroke in strokes),
        colours=sorted({stroke.colour for stroke in strokes}),
    )
