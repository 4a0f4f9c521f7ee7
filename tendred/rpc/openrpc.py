"""The OpenRPC 1.3 document, made of the registry that also dispatches. Source: spec.open-rpc.org.

`python -m tendred.rpc.openrpc` prints it; clients/openrpc.json is compared with it.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import msgspec

from tendred.errors import (
    Internal,
    InvalidParams,
    NotPermitted,
    TooLarge,
    catalogue,
    registry,
)
from tendred.rpc import guard
from tendred.rpc.jsonrpc import Method, Registry
from tendred.rpc.methods import registry as methods_registry
from tendred.rpc.methods.events import EventNotice
from tendred.rpc.socket import LAGGED, STOPPING, STRANGER
from tendred.schema.error import ErrorInfo
from tendred.schema.event import LIVE, TOPICS

API: Final = "1.0"
_COMMON: Final = (InvalidParams, Internal, NotPermitted, TooLarge)
_REF: Final = "#/components/schemas/{name}"
_OUTSIDE: Final = 1000
"""Codes from 0 to here are HTTP statuses and exit codes."""


def document(methods: Registry[Any]) -> dict[str, Any]:
    """Every method with its params, result and errors; every error kind; every event topic."""
    listed = sorted(methods.methods.values(), key=lambda method: method.name)
    types = [kind for method in listed for kind in (method.params, method.result)]
    schemas, components = msgspec.json.schema_components([*types, EventNotice, ErrorInfo], ref_template=_REF)
    results = dict(zip((method.name for method in listed), schemas[1::2], strict=False))
    described = [_method(method, components[method.params.__name__], results[method.name]) for method in listed]
    params = {method.params.__name__ for method in listed}
    return {
        "openrpc": "1.3.2",
        "info": {"title": "tendred", "version": API, "license": {"name": "Apache-2.0"}},
        "methods": described,
        "components": {
            "schemas": {name: components[name] for name in sorted(components) if name not in params},
            "errors": _errors(),
        },
        "x-events": {
            "params": {"$ref": _REF.format(name="EventNotice")},
            "topics": [{"name": topic, "stored": topic not in LIVE} for topic in TOPICS],
        },
        "x-http-errors": [{"kind": kind, "status": status} for kind, status in guard.STATUS.items()],
        "x-close-codes": [{"code": code, "reason": reason} for code, reason in (LAGGED, STRANGER, STOPPING)],
    }


def _method(method: Method[Any], params: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    required = set(params.get("required", []))
    errors = sorted({error.kind for error in (*_COMMON, *method.errors)})
    return {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": [
            _param(name, schema, required=name in required) for name, schema in params.get("properties", {}).items()
        ],
        "result": {"name": method.name.replace(".", "_") + "_result", "schema": result},
        "errors": [{"$ref": f"#/components/errors/{kind}"} for kind in errors],
        "x-scope": method.scope,
        "x-needs-socket": method.needs_socket,
    }


def _param(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "required": required, "schema": schema}
    choices = [schema, *schema.get("anyOf", [])]
    if description := next((choice["description"] for choice in choices if "description" in choice), None):
        made["description"] = description
    return made


def _errors() -> dict[str, Any]:
    words = catalogue("en")
    return {
        kind: {"code": error.code, "message": words[kind]["message"], "data": {"kind": kind}}
        for kind, error in sorted(registry().items())
        if not 0 <= error.code < _OUTSIDE
    }


def text() -> str:
    """The document as it stands in clients/openrpc.json."""
    return msgspec.json.format(msgspec.json.encode(document(methods_registry())), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
