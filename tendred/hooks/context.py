"""What a plugin is given."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tendred.config.secret import Secret

AskKey = Callable[[], Awaitable[Secret | None]]
"""Gives a provider's key, for one call: it is kept nowhere."""


@dataclass(frozen=True)
class Context:
    """A plugin's own corner: its name, settings ([plugins.settings.NAME]), a folder for its data, and a logger."""

    name: str
    settings: dict[str, Any]
    data: Path
    log: logging.Logger
