"""What a child's last words mean."""

from __future__ import annotations

import signal
from typing import Final

from tendred.errors import Internal, TendredError, registry
from tendred.schema.frames import Failed

SPEAKABLE: Final = frozenset(
    {
        "disk_full",
        "engine_missing",
        "folder_unwritable",
        "internal",
        "model_missing",
        "model_refused",
        "out_of_memory",
        "still_not_ours",
        "unsupported_parameter",
    }
)
"""The kinds a child may answer with. It holds foreign weights, so nothing else is believed of it."""


def error_of(frame: Failed) -> TendredError:
    """The error a Failed frame stands for."""
    detail = {name: value for name, value in frame.detail.items() if name not in ("path", "variant")}
    kind = registry()[frame.kind] if frame.kind in SPEAKABLE else Internal
    return kind(frame.variant, path=frame.path, **detail)


def ending(status: int) -> str:
    """An exit status in words: `exit status 3`, `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
