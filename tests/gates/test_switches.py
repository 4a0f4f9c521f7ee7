"""The boundary has no switch: nothing is named like one, the room looks at nothing but its data, and few may seal."""

from __future__ import annotations

import ast
import re

from tendred.config.load import FIELDS
from tendred.rpc.methods import registry
from tendred.rpc.openrpc import document

SWITCH = re.compile(
    r"boundary|safe|nsfw|filter|polic|anchor|censor|adult|minor|person|judge|verdict|refus|seal|strict", re.IGNORECASE
)


def test_there_is_no_switch_by_any_name():
    document_ = document(registry())
    params = [param["name"] for method in document_["methods"] for param in method["params"]]
    settings = [f"{section}.{key}" for section, keys in FIELDS.items() for key in keys]
    assert [name for name in settings if SWITCH.search(name)] == []
    assert [name for name in params if SWITCH.search(name)] == []
    named = [method["name"] for method in document_["methods"] if SWITCH.search(method["name"])]
    assert named == ["boundary.check"]


def test_the_room_looks_at_nothing_but_what_it_is_handed(package):
    """No environment, no configuration, no clock, no network, no file but its own data."""
    allowed = re.compile(
        r"(__future__|collections|typing|functools|itertools|dataclasses|re|unicodedata|bisect|math|hashlib|hmac|"
        r"json|struct|tomllib|importlib|msgspec|datetime|array|base64|binascii|html|string|zlib|tendred\.(boundary|schema|errors))\b"
    )
    for source in package:
        if source.name.startswith("tendred/boundary/"):
            for node in ast.walk(source.tree):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert [name for name in names if not allowed.match(name)] == [], source.name


CALLERS = {
    "approve": {
        "tendred/core/submit.py",
        "tendred/core/upscale.py",
        "tendred/core/grids.py",
        "tendred/core/clipjudge.py",
        "tendred/core/finals.py",
    },
    "seal": {"tendred/boundary/judge.py"},
    "Boundary": {"tendred/app/daemon.py"},
    "reseal": {"tendred/engine/supervisor.py", "tendred/engine/keeper.py"},
}
"""Who may seal, and make what seals. Whoever is new here must judge before; a test of its door shows that it does."""


def test_a_seal_is_made_in_few_places(package):
    for name, files in CALLERS.items():
        found = {
            source.name
            for source in package
            for call in source.calls()
            if not source.name.startswith("tendred/testing/")
            and (getattr(call.func, "attr", None) or getattr(call.func, "id", "")).lstrip("_") == name
        }
        assert found <= files, name
        assert found, name
