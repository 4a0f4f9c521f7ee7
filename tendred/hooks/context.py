"""What a plugin is given."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Context:
    """A plugin's own corner: its name, settings ([plugins.settings.NAME]), a folder for its data, and a logger."""

    name: str
    settings: dict[str, Any]
    data: Path
    log: logging.Logger
