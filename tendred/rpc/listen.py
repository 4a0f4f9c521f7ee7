"""Sockets to listen on: loopback and Unix, nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path
from typing import Final

from tendred.errors import PortInUse

LOOPBACK: Final = "127.0.0.1"


def bind_loopback(port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises PortInUse."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # A port whose last connections still fade away can be taken again; one that is listened on can't.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port))
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port=port) from None
        raise
    return bound


def bind_unix(path: Path) -> socket.socket:
    """A bound socket file, 0600, in a directory that is made 0700 if it isn't there.

    What a crash left at its place is removed; the caller holds the lock that makes it ours.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.is_socket():
            path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        os.chmod(path, 0o600)  # nobody can connect before this: it listens only afterwards
    except OSError:
        bound.close()
        raise
    return bound
