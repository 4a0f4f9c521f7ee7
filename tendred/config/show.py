"""The settings as a table, with where each comes from."""

from __future__ import annotations

from typing import Any

import msgspec

from tendred.config.load import Loaded


def rows(loaded: Loaded) -> list[tuple[str, Any, str]]:
    """`(dotted key, value, origin)` of every setting."""
    values = msgspec.to_builtins(loaded.config)
    return [(key, _at(values, key), origin) for key, origin in loaded.origins.items()]


def _at(values: Any, key: str) -> Any:
    # A plugin's own keys may hold dots, so the longest name that is there wins.
    if not key or key in values:
        return values[key] if key else values
    parts = key.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        if name in values:
            return _at(values[name], ".".join(parts[count:]))
    raise KeyError(key)
