"""What this process gives up at its start. Best effort: a system that has none of it is no reason not to work."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

ADDRESS_SPACE = 2 * 1024**3
_PR_SET_PDEATHSIG = 1


def confine() -> None:
    """Bounded memory, no core dumps, private files, and no life after the daemon's."""
    os.umask(0o077)
    # numpy's BLAS would set room aside for a thread on every core, which this process doesn't have.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in ((resource.RLIMIT_AS, ADDRESS_SPACE), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
