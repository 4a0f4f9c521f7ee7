"""Compares a request with what a provider's documents say, and names every field too many, too few or wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, Literal, cast

import msgspec

Body = Literal["json", "bytes", "multipart", "json or multipart", "none"]
ORDINARY: Final = frozenset({
    "host", "accept", "accept-encoding", "user-agent", "content-length", "content-type", "connection", "authorization",
    "transfer-encoding", "range", "if-range",
})  # fmt: skip
"""Headers that HTTP itself brings along."""
TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a body. `line`: where the reference says so."""

    name: str
    type: Literal["string", "integer", "number", "boolean", "picture", "file"]
    line: int
    required: bool = False
    values: list[str | int] | None = None
    pattern: str | None = None


class Together(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where fields have one of these values, others must have one of those; one that isn't there is left alone."""

    line: int
    where: dict[str, list[str | int]]
    then: dict[str, list[str | int]]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request. `like`: everything else as in the request of that path; `inside`: the fields stand under this one."""

    op: str
    method: str
    path: str
    line: int
    on: Literal["api", "storage"] = "api"
    like: str | None = None
    body: Body = "none"
    inside: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    headers_may: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    query: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    fields: list[Field] = msgspec.field(default_factory=list[Field])
    together: list[Together] = msgspec.field(default_factory=list[Together])


@dataclass
class Asked:
    """A request as it arrived. `fields` is its JSON object or its form; `files` are the form's files."""

    on: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    data: bytes
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    op: str = ""
    groups: dict[str, str] = field(default_factory=dict[str, str])


class Schema:
    """All requests of one provider."""

    def __init__(self, provider: str) -> None:
        text = resources.files("tendred.testing.providers.schemas").joinpath(f"{provider}.toml").read_text("utf-8")
        rows = msgspec.convert(tomllib.loads(text)["requests"], list[Shape])
        self.shapes: list[Shape] = []
        for row in rows:
            self.shapes.append(self._whole(row))

    def find(self, asked: Asked) -> Shape | None:
        """The request that this is; its path's parts are put into `asked.groups`."""
        for shape in self.shapes:
            if (shape.on, shape.method) == (asked.on, asked.method) and (hit := re.fullmatch(shape.path, asked.path)):
                asked.op, asked.groups = shape.op, hit.groupdict()
                return shape
        return None

    def _whole(self, row: Shape) -> Shape:
        if row.like is None:
            return row
        base = next(shape for shape in self.shapes if shape.path == row.like)
        own = {one.name for one in row.fields}
        return msgspec.structs.replace(
            base, path=row.path, line=row.line, op=row.op, method=row.method,
            fields=[*(one for one in base.fields if one.name not in own), *row.fields],
            together=[*base.together, *row.together],
        )  # fmt: skip


def problems(shape: Shape, asked: Asked) -> list[str]:
    """Everything that the documents don't have, in words; none for a good request."""
    return [*_headers(shape, asked), *_query(shape, asked), *_body(shape, asked)]


def _headers(shape: Shape, asked: Asked) -> list[str]:
    known = {**shape.headers_may, **shape.headers}
    found = [f"header {name} is missing" for name in shape.headers if name not in asked.headers]
    for name, value in asked.headers.items():
        if name in known and not re.fullmatch(known[name], value):
            found.append(f"header {name} is wrong")
        elif name not in known and name not in ORDINARY:
            found.append(f"header {name} is unknown")
    if shape.on == "storage" and "authorization" in asked.headers and "authorization" not in shape.headers:
        found.append("authorization at a foreign host")
    return found


def _query(shape: Shape, asked: Asked) -> list[str]:
    return [
        f"query {name}" for name, value in asked.query.items() if not re.fullmatch(shape.query.get(name, "(?!)"), value)
    ]


def _body(shape: Shape, asked: Asked) -> list[str]:
    kind = asked.headers.get("content-type", "").partition(";")[0]
    match shape.body:
        case "none":
            return ["a body that nobody asked for"] if asked.data else []
        case "bytes":
            return [] if asked.data else ["no body"]
        case "json" if kind != "application/json":
            return [f"a body of {kind}"]
        case "multipart" if kind != "multipart/form-data":
            return [f"a body of {kind}"]
        case _:
            return _fields(shape, asked, as_text=kind == "multipart/form-data")


def _fields(shape: Shape, asked: Asked, *, as_text: bool) -> list[str]:
    given: dict[str, Any] = {**asked.fields, **asked.files}
    if shape.inside is not None:
        if set(given) != {shape.inside}:
            return [f"fields {sorted(given)} instead of {shape.inside}"]
        given = cast("dict[str, Any]", given[shape.inside])
    known = {one.name: one for one in shape.fields}
    found = [f"field {name} is unknown" for name in given if name not in known]
    found += [f"field {one.name} is missing" for one in shape.fields if one.required and one.name not in given]
    for name, value in given.items():
        if name in known and not _fits(known[name], value, as_text=as_text):
            found.append(f"field {name} is wrong (line {known[name].line})")
    found += [f"fields don't go together (line {rule.line})" for rule in shape.together if _breaks(rule, given)]
    return found


def _fits(known: Field, value: Any, *, as_text: bool) -> bool:
    if known.type in {"file", "picture"}:
        return isinstance(value, bytes) or (known.type == "picture" and _is_reference(value))
    if as_text:
        value = _from_text(known.type, value)
    if not isinstance(value, TYPES[known.type]) or (isinstance(value, bool) and known.type != "boolean"):
        return False
    if known.values is not None and value not in known.values:
        return False
    return known.pattern is None or re.match(known.pattern, str(value)) is not None


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) in ({"image_url"}, {"file_id"})


def _from_text(kind: str, value: Any) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(str(value))
    if kind in {"integer", "number"}:
        return int(value) if re.fullmatch(r"-?\d+", str(value)) else None
    return value


def _breaks(rule: Together, given: Mapping[str, Any]) -> bool:
    return all(given.get(name) in values for name, values in rule.where.items()) and any(
        name in given and given[name] not in values for name, values in rule.then.items()
    )
