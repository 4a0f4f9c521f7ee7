"""What a file is, without a daemon, a token or the network: `verify(path)`, and `tendre verify FILE` on top of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from tendred.config.load import load
from tendred.config.marks import looked_at
from tendred.config.paths import Paths, resolve
from tendred.config.schema import MarksSection
from tendred.errors import FileUnreadable, Internal
from tendred.schema.marks import Verified

MODULE: Final = "tendred.media.worker.verify"
TIMEOUT_S: Final = 120.0
_ENV: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "USERPROFILE", "LD_LIBRARY_PATH", "PYTHONPATH")


def verify(
    path: str | os.PathLike[str], *, deep: bool = False, paths: Paths | None = None, marks: MarksSection | None = None
) -> Verified:
    """Look at a still or a clip of anybody's, in a process of its own. Raises FileUnreadable, Internal.

    `deep` looks for the mark in the pixels even where the credentials hold. Without `paths` and `marks`, those of this
    user's configuration say whose signatures are ours or known.
    """
    file = Path(path).absolute()
    if paths is None or marks is None:
        config = load().config
        paths, marks = paths or resolve(config.paths), marks or config.marks
    if not file.is_file():
        # Said before anything is started, and for a folder or a pipe too, from which a read would never come back.
        raise FileUnreadable(file=str(file), problem="there is no file of that name")
    order = msgspec.json.encode(looked_at(marks, paths, file, deep=deep))
    env = {name: os.environ[name] for name in _ENV if name in os.environ}
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", MODULE],
            input=order,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=env,
        )
    except subprocess.TimeoutExpired as slow:
        raise FileUnreadable(file=str(file), problem=f"it could not be looked at within {TIMEOUT_S:g} s") from slow
    if ran.returncode == 1 and ran.stderr:
        raise FileUnreadable(file=str(file), problem=_last(ran.stderr))
    try:
        return msgspec.json.decode(ran.stdout, type=Verified)
    except msgspec.DecodeError as problem:
        raise Internal(
            problem=f"the process that looks at files ended with {ran.returncode}: {_last(ran.stderr)}"
        ) from problem


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
