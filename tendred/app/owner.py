"""The owner's token: it may spend and make other tokens. It lies in the state folder, and no program is handed it but `tendre`."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tendred.config.secret import Secret
from tendred.errors import FolderUnwritable, StoreBroken

if TYPE_CHECKING:  # these two bring asyncio along, and the CLI should start fast
    from tendred.backend import Fs
    from tendred.clock import Rng

BYTES: Final = 32
_FORM: Final = re.compile(rf"own_[0-9a-f]{{{2 * BYTES}}}")
_MOST: Final = 256
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def owner_token(path: Path, rng: Rng, fs: Fs) -> Secret:
    """The token; made durably at first start. Raises StoreBroken("token") for anything else there, FolderUnwritable."""
    found = read_owner(path)
    if found is not None:
        return found
    made = Secret(f"own_{rng.bytes(BYTES).hex()}")
    part = path.with_name(f".{path.name}.part")
    try:
        fs.write(part, made.reveal().encode())
        fs.sync(part)
        fs.rename(part, path)
        fs.sync_dir(path.parent)
    except OSError as problem:
        raise FolderUnwritable(folder=str(path.parent), problem=problem.strerror) from problem
    return made


def read_owner(path: Path) -> Secret | None:
    """The token that is there; None without one. Raises StoreBroken("token") for a file that isn't ours alone."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise StoreBroken("token", file=str(path), problem=problem.strerror) from problem
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise StoreBroken("token", file=str(path), problem="it is no ordinary file")
        if os.name != "nt" and stat.S_IMODE(state.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise StoreBroken("token", file=str(path), problem="others can read it (chmod 600 it)")
        text = os.read(descriptor, _MOST).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if not _FORM.fullmatch(text):
        raise StoreBroken("token", file=str(path), problem="it holds no token")
    return Secret(text)
