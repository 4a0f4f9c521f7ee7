"""Every place of a JSON schema that carries text, bytes or anything at all, and documents that fill just that place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, cast

Leaf = tuple[str | int, ...]
"""Names of fields, 0 for an item of a list, "*" for a key that a client chooses."""

ANY_KEY: Final = "*"
Schema = Mapping[str, Any]


def leaves(schema: Schema, components: Schema, path: Leaf = ()) -> Iterator[Leaf]:
    """Where text may stand. Choices (`enum`) carry none; `{}` may hold text as well as anything else."""
    schema = resolved(schema, components)
    if "anyOf" in schema:
        for choice in schema["anyOf"]:
            yield from leaves(choice, components, path)
    elif "enum" in schema or "const" in schema:
        return
    else:
        match schema.get("type"):
            case "array":
                yield from leaves(schema.get("items", {}), components, (*path, 0))
            case "object":
                yield from _fields(schema, components, path)
            case "string" | None:
                yield path
            case _:
                return


def _fields(schema: Schema, components: Schema, path: Leaf) -> Iterator[Leaf]:
    for name, field in schema.get("properties", {}).items():
        yield from leaves(field, components, (*path, name))
    free = schema.get("additionalProperties", "properties" not in schema)
    if free:
        yield from leaves({} if free is True else free, components, (*path, ANY_KEY))


def resolved(schema: Schema, components: Schema) -> Schema:
    """Behind its references."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return schema


def filled(schema: Schema, components: Schema, base: Any, leaf: Leaf, text: Any, samples: Mapping[str, Any]) -> Any:
    """A copy of `base`, which fits `schema`, with `text` at the leaf. What must stand beside it comes from `samples`."""
    if not leaf:
        return text
    schema = _that_holds(schema, components, leaf[0])
    step, rest = leaf[0], leaf[1:]
    if isinstance(step, int):
        items = deepcopy(cast("list[Any]", base)) if isinstance(base, list) else []
        first = items[0] if items else None
        return [filled(schema.get("items", {}), components, first, rest, text, samples), *items[1:]]
    fields: dict[str, Any] = deepcopy(cast("dict[str, Any]", base)) if isinstance(base, dict) else {}
    for name in schema.get("required", ()):
        if name not in fields:
            fields[name] = _sample(name, schema["properties"][name], components, samples)
    if step == ANY_KEY:
        return {**fields, samples[ANY_KEY]: text}
    return {**fields, step: filled(schema["properties"][step], components, fields.get(step), rest, text, samples)}


def _that_holds(schema: Schema, components: Schema, step: str | int) -> Schema:
    schema = resolved(schema, components)
    choices = [resolved(choice, components) for choice in schema.get("anyOf", [schema])]
    kind = "array" if isinstance(step, int) else "object"
    return next(choice for choice in choices if choice.get("type") == kind)


def _sample(name: str, schema: Schema, components: Schema, samples: Mapping[str, Any]) -> Any:
    if name in samples:
        return samples[name]
    schema = resolved(schema, components)
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "array":
            return [_sample("", schema.get("items", {}), components, samples)] * schema.get("minItems", 0)
        case "object":
            required = schema.get("required", ())
            return {key: _sample(key, schema["properties"][key], components, samples) for key in required}
        case "boolean":
            return False
        case _:
            return schema.get("enum", ["x"])[0]


def shown(leaf: Leaf) -> str:
    """A leaf as people write it: `loras[].name`."""
    return "".join("[]" if step == 0 else f".{step}" for step in leaf).removeprefix(".")
