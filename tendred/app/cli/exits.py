"""What the process ends with. Scripts rely on these numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final


class Exit(IntEnum):
    """The exit codes, in the words of `--help`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_DAEMON = 3
    BOUNDARY = 4
    CANCELLED = 5
    CONSENT = 6
    TIMED_OUT = 7
    INTERRUPTED = 130


EPILOG: Final = (
    "exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 refused by the content boundary, 5 cancelled, "
    "6 consent or cap, 7 timed out, 130 interrupted (the job goes on)"
)

_KINDS: Final = {
    "invalid_params": Exit.USAGE,
    "config_broken": Exit.USAGE,
    "already_running": Exit.USAGE,
    "port_in_use": Exit.USAGE,
    "store_broken": Exit.USAGE,
    "no_daemon": Exit.NO_DAEMON,
    "boundary_refused": Exit.BOUNDARY,
    "output_withheld": Exit.BOUNDARY,
    "still_not_ours": Exit.BOUNDARY,
    "cancelled": Exit.CANCELLED,
    "consent_required": Exit.CONSENT,
    "cap_exceeded": Exit.CONSENT,
}


def of_kind(kind: str) -> Exit:
    """The exit code of an error kind."""
    return _KINDS.get(kind, Exit.FAILED)


def of_job(job: dict[str, Any]) -> Exit:
    """The exit code of a job that nobody waits for any longer."""
    if job["state"] == "succeeded":
        return Exit.DONE
    if job["state"] == "cancelled":
        return Exit.CANCELLED
    return of_kind(job["error"]["kind"]) if job["error"] else Exit.FAILED
