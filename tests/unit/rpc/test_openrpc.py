from __future__ import annotations

from typing import Any

import pytest

from tendred.errors import registry as errors
from tendred.rpc.methods import registry
from tendred.rpc.openrpc import document, text
from tendred.schema.event import LIVE, TOPICS
from tendred.testing.door import Door


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(registry())


def test_it_is_the_same_every_time(described: dict[str, Any]) -> None:
    assert document(registry()) == described
    assert text() == text()


async def test_discover_answers_with_it(door: Door, described: dict[str, Any]) -> None:
    assert (await door.call("rpc.discover"))["result"] == described


def test_every_method_is_there_with_its_params(described: dict[str, Any]) -> None:
    methods = {method["name"]: method for method in described["methods"]}
    assert list(methods) == sorted(registry().methods)
    for name, method in registry().methods.items():
        listed = [param["name"] for param in methods[name]["params"]]
        assert listed == list(method.params.__struct_fields__)
        assert methods[name]["paramStructure"] == "by-name"
        assert methods[name]["summary"]


def test_params_say_what_they_take(described: dict[str, Any]) -> None:
    methods = {method["name"]: method for method in described["methods"]}
    params = {param["name"]: param for param in methods["images.generate"]["params"]}
    assert [name for name, param in params.items() if param["required"]] == ["prompt"]
    assert params["count"]["schema"] == {
        "type": "integer", "minimum": 1, "maximum": 64, "default": 1, "description": "How many stills."
    }  # fmt: skip
    assert params["steps"]["description"] == "Denoising steps."
    assert params["idempotency_key"]["schema"]["anyOf"][0]["maxLength"] == 64


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    found = references(described)
    assert found
    for reference in found:
        node: Any = described
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_error_kind_and_topic_is_listed(described: dict[str, Any]) -> None:
    listed = {kind: entry["code"] for kind, entry in described["components"]["errors"].items()}
    assert listed == {kind: cls.code for kind, cls in errors().items() if cls.code < 0 or cls.code >= 1000}
    assert listed["queue_full"] == 1101
    topics = {topic["name"]: topic["stored"] for topic in described["x-events"]["topics"]}
    assert topics == {topic: topic not in LIVE for topic in TOPICS}
    http = {entry["kind"]: entry["status"] for entry in described["x-http-errors"]}
    assert http["host_refused"] == 421
