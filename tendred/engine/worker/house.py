"""What the process settles about itself before any library is imported."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

ENVIRONMENT: Final = {
    # Stills are local: no library may as much as look for the network.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # A model folder is data; no code of its own, no kernels from elsewhere.
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "DIFFUSERS_TRUST_REMOTE_KERNELS": "0",
    "USE_HUB_KERNELS": "0",
    # The log is for what went wrong: no progress bars, no advice about torchvision.
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    # cuBLAS is deterministic only with a workspace of fixed size; it reads this at its first use.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # An operation that Apple's GPU lacks runs on the CPU instead of failing.
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
}
_PR_SET_PDEATHSIG: Final = 1
_OOM_SCORE: Final = b"500"


def set_environment() -> None:
    """Offline, quiet, deterministic: whatever the environment said before."""
    os.environ.update(ENVIRONMENT)


def tie_to_parent() -> None:
    """On Linux: die with the daemon even when stuck in a C call, and be the first to go when memory runs out."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_OOM_SCORE)
