"""CSV after RFC 4180, with field names as its header; cells become the types that their fields have.

Where a comma divides numbers, spreadsheets write semicolons between cells: those and tabs do as well, if the header
has them and no comma.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

from tendred.hotfolder.plain_json import Broken
from tendred.schema.still import StillRequest

WHOLE: Final = frozenset({"width", "height", "steps", "seed", "count", "clip_skip"})
NUMBERS: Final = frozenset({"guidance", "keep_alive_s"})
FLAGS: Final = {"true": True, "false": False}
TOLD_LATER: Final = frozenset({"kind", "idempotency_key"})
"""Columns that are no fields of a still, and are judged like those of other formats."""

_KNOWN: Final = (*StillRequest.__struct_fields__, *sorted(TOLD_LATER))
_RECT: Final = ("x", "y", "width", "height")
_SHOWN: Final = 60
_FIRST: Final = re.compile(r"[^\r\n]*")
_INT: Final = re.compile(r"-?[0-9]{1,40}")
_FLOAT: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?")


def load(text: str, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """`(line, fields)` of every row; empty cells are left out, empty lines skipped. Raises Broken.

    Stops after `limit` rows.
    """
    lines = _lines(text, _separator(text))
    first = next(lines, None)
    names = [name.strip() for name in first[1]] if first else []
    for index, name in enumerate(names):
        _column(name, names[:index])
    rows = ((line, _fields(line, names, cells)) for line, cells in lines if cells)
    return list(itertools.islice(rows, limit))


def _separator(text: str) -> str:
    header = _FIRST.match(text)
    line = header[0] if header else ""
    return next((sign for sign in ",;\t" if sign in line), ",")


def _column(name: str, before: list[str]) -> None:
    if not name:
        raise Broken(1, "a field has no name")
    if name in before:
        raise Broken(1, f"the field {name} stands twice in the header")
    if name not in _KNOWN:
        near = difflib.get_close_matches(name[:_SHOWN], _KNOWN, 1)
        hint = f"; perhaps it should be {near[0]}" if near else f"; fields are {', '.join(_KNOWN[:-2])}"
        raise Broken(1, f"column {name[:_SHOWN]} is no field of a request{hint}")


def _lines(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line on which it begins: a quoted cell may span several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Broken(line, str(error)) from None
        yield line, cells


def _fields(line: int, names: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(names):
        raise Broken(line, f"it has {len(cells)} cells, and the header has {len(names)}")
    found: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        # A prompt that was left empty is told as that, not as a field that is missing.
        if cell or name == "prompt":
            found[name] = _value(line, name, cell)
    return found


def _value(line: int, name: str, cell: str) -> Any:
    if name in WHOLE:
        if not _INT.fullmatch(cell):
            raise Broken(line, f"{name} must be a whole number, not {cell[:40]!r}")
        return int(cell)
    if name in NUMBERS:
        return _number(line, name, cell)
    if name == "reproducible":
        if cell.lower() not in FLAGS:
            raise Broken(line, f"{name} must be true or false, not {cell[:40]!r}")
        return FLAGS[cell.lower()]
    if name == "tags":
        return cell.split("|")
    if name == "loras":
        return [_lora(line, part) for part in cell.split("|")]
    if name == "image":
        return _image(line, cell)
    if name == "mask":
        return {"rects": [_rect(line, part) for part in cell.split("|")]}
    if name == "control":
        return [_control(line, part) for part in cell.split("|")]
    return cell


def _number(line: int, name: str, cell: str) -> float:
    if not _FLOAT.fullmatch(cell):
        raise Broken(line, f"{name} must be a number, not {cell[:40]!r}")
    return float(cell)


def _lora(line: int, part: str) -> dict[str, Any]:
    name, colon, weight = part.rpartition(":")
    if not colon:
        return {"name": part}
    return {"name": name, "weight": _number(line, "the weight of a LoRA", weight)}


def _image(line: int, cell: str) -> dict[str, Any]:
    asset_id, colon, strength = cell.partition(":")
    return {"asset_id": asset_id, **({"strength": _number(line, "strength", strength)} if colon else {})}


def _rect(line: int, part: str) -> dict[str, int]:
    """`x y width height`: commas and semicolons divide cells."""
    sides = part.split()
    if len(sides) != len(_RECT) or not all(_INT.fullmatch(side) for side in sides):
        raise Broken(line, f"a rectangle of a mask is {' '.join(_RECT)}, not {part[:40]!r}")
    return {name: int(side) for name, side in zip(_RECT, sides, strict=True)}


def _control(line: int, part: str) -> dict[str, Any]:
    asset_id, first, rest = part.partition(":")
    model, second, scale = rest.partition(":")
    if not first:
        raise Broken(line, f"a control is asset_id:model or asset_id:model:scale, not {part[:40]!r}")
    return {"asset_id": asset_id, "model": model, **({"scale": _number(line, "scale", scale)} if second else {})}
