"""A document that somebody sent, made into a Struct; what doesn't fit is told by path and in words."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import inspect

from tendred.errors import InvalidParams

_T = TypeVar("_T")

_SHOWN: Final = 100
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<where>[^`]*)`)?$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)
_TYPE: Final = re.compile(r"^Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`$")
_RANGE: Final = re.compile(r"^Expected `(?P<type>\w+)`(?P<length> of length)? (?P<sign>[<>]=?) (?P<limit>\S+)$")
_STEP: Final = re.compile(r"(?P<index>\[[^\]]*\])|\.?(?P<name>[^.\[]+)")
_PATTERN: Final = re.compile(r"^Expected `str` matching regex '(?P<pattern>.*)'$")

_NAMES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SIGNS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_UNITS: Final = {"str": "characters", "array": "items", "object": "fields"}


def convert(value: object, type: type[_T], *, prefix: str = "") -> _T:  # noqa: A002 - msgspec's own word
    """`value` (dicts, lists, text, numbers) as `type`.

    Raises InvalidParams. Its path is dotted, without `$`, behind `prefix` (`loras[0].weight`, `[3].steps`); a
    field that doesn't exist has the variant `unknown_field` and the nearest names, anything else a `problem`.
    """
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        raise explain(str(error), type, prefix=prefix) from None


def explain(message: str, type: type[object], *, prefix: str = "") -> InvalidParams:  # noqa: A002 - as above
    """What msgspec says of a value that isn't a `type`, as our error."""
    match = _AT.match(message)
    what, where = (match["what"], (match["where"] or "").removeprefix(".")) if match else (message, "")
    if unknown := _UNKNOWN.match(what):
        field = unknown["field"]
        names = [known.encode_name for known in _fields(_node(type, where))]
        near = difflib.get_close_matches(field, names, n=3) or names
        return InvalidParams("unknown_field", path=prefix + _join(where, field), near=near)
    if missing := _MISSING.match(what):
        return InvalidParams(path=prefix + _join(where, missing["field"]), problem="it is missing")
    return InvalidParams(path=(prefix + where).strip(".") or "request", problem=_words(what, type, where))


def _join(where: str, field: str) -> str:
    return f"{where}.{field[:_SHOWN]}" if where else field[:_SHOWN]


def _words(what: str, root: type[object], where: str) -> str:
    if found := _TYPE.match(what):
        wanted = " or ".join(_NAMES.get(name, name) for name in found["wanted"].split(" | "))
        got = "a number with a fraction" if found["got"] == "float" else _NAMES.get(found["got"], found["got"])
        return f"it must be {wanted}, not {got}"
    if found := _RANGE.match(what):
        limit = found["limit"].removesuffix(".0")
        if not found["length"]:
            return f"it must be {_SIGNS[found['sign']]} {limit}"
        return f"it must have {_SIGNS[found['sign']]} {limit} {_UNITS.get(found['type'], 'items')}"
    if what.startswith("Invalid enum value"):
        return "it must be one of " + ", ".join(str(choice) for choice in _choices(_node(root, where)))
    if found := _PATTERN.match(what):
        about = _about(_node(root, where))
        if about:
            return f"it hasn't the form that is wanted ({about[:1].lower()}{about[1:].rstrip('.')})"
        return f"it must match {found['pattern']}"
    return what[:1].lower() + what[1:].replace("`", "")


@lru_cache(maxsize=64)
def _info(root: type[object]) -> inspect.Type:
    return inspect.type_info(root)


def _node(root: type[object], where: str) -> inspect.Type | None:
    """The type that stands at a path."""
    node: inspect.Type | None = _info(root)
    for step in _STEP.finditer(where):
        node = _inside(node, step["name"])
    return node


def _inside(node: inspect.Type | None, name: str | None) -> inspect.Type | None:
    for part in _parts(node):
        if name is None and isinstance(part, inspect.ListType):
            return part.item_type
        if name is None and isinstance(part, inspect.DictType):
            return part.value_type
        for field in _fields(part):
            if field.encode_name == name:
                return field.type
    return None


def _about(node: inspect.Type | None) -> str:
    """What a field says of itself."""
    if isinstance(node, inspect.Metadata):
        schema = cast("dict[str, Any]", getattr(node, "extra_json_schema", None) or {})
        return str(schema.get("description", "")) or _about(node.type)
    if isinstance(node, inspect.UnionType):
        return next((said for member in node.types if (said := _about(member))), "")
    return ""


def _parts(node: inspect.Type | None) -> list[inspect.Type]:
    """A union's members, and what stands behind `Annotated`."""
    if isinstance(node, inspect.Metadata):
        return _parts(node.type)
    if isinstance(node, inspect.UnionType):
        return [part for member in node.types for part in _parts(member)]
    return [] if node is None else [node]


def _fields(node: inspect.Type | None) -> tuple[inspect.Field, ...]:
    return tuple(field for part in _parts(node) if isinstance(part, inspect.StructType) for field in part.fields)


def _choices(node: inspect.Type | None) -> list[Any]:
    return [value for part in _parts(node) if isinstance(part, inspect.LiteralType) for value in part.values]
