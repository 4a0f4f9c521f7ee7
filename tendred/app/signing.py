"""A certificate that the user brought is looked at before the daemon opens: else the first picture would tell.

In a process of its own, which ends at once: the daemon loads no cryptography.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import msgspec

from tendred.errors import SignerBroken
from tendred.schema.marks import Signing, SigningTrouble

MODULE: Final = "tendred.media.worker.credentials"
TIMEOUT_S: Final = 60.0
_ENV: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "USERPROFILE", "LD_LIBRARY_PATH", "PYTHONPATH")


def check(signing: Signing) -> None:
    """Raises SignerBroken where a brought certificate or key is no use. This installation's own are made at the first file."""
    if not signing.certificate and not signing.key:
        return
    if not signing.certificate or not signing.key:
        raise SignerBroken(
            "file", file="marks.key" if signing.certificate else "marks.certificate", problem="it is not set"
        )
    env = {name: os.environ[name] for name in _ENV if name in os.environ}
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", MODULE],
            input=msgspec.json.encode(signing),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=env,
        )
        trouble = msgspec.json.decode(ran.stdout, type=SigningTrouble | None)
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as problem:
        raise SignerBroken(problem=f"{signing.certificate} could not be looked at") from problem
    if trouble is not None:
        raise SignerBroken(trouble.variant, **trouble.detail)
