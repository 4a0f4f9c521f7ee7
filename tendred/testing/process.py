"""A daemon in a process of its own, as a user starts it, or on a faulty machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from tendred.app.client import Client, alive, read_discovery
from tendred.clock import SystemClock
from tendred.config.paths import Paths, resolve
from tendred.config.schema import PathsSection

PATIENCE_S: Final = 60.0
_TICK_S: Final = 0.02
_CLOCK: Final = SystemClock()


def until(condition: Callable[[], object], what: str | Callable[[], str], limit_s: float = PATIENCE_S) -> None:
    """Wait until it holds. Raises TimeoutError, saying what was waited for."""
    end = _CLOCK.mono() + limit_s
    while not condition():
        if _CLOCK.mono() > end:
            raise TimeoutError(what if isinstance(what, str) else what())
        threading.Event().wait(_TICK_S)


class DaemonProcess:
    """`python -m MODULE` on a home. Its words go to `stderr.txt` there; use it as a context, which kills it."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        module: str = "tendred.testing.faulty",
        before: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._stderr = home / "stderr.txt"
        environment = {**os.environ, "TENDRED_HOME": str(home), "LANG": "C.UTF-8", **(env or {})}
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-P", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=environment,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    @property
    def paths(self) -> Paths:
        return resolve(PathsSection(), {"TENDRED_HOME": str(self.home)})

    @property
    def words(self) -> str:
        """What it said on stderr."""
        return self._stderr.read_text()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def client(self, limit_s: float = PATIENCE_S) -> Client | None:
        """A client, once it listens; None if it ended before."""
        until(lambda: self._listens() or not self.running, "the daemon listens", limit_s)
        return Client.find(self.paths) if self.running and self._listens() else None

    def ready(self) -> Client:
        """A client, once it listens. The daemon must not end before."""
        client = self.client()
        assert client is not None, self.words
        return client

    def end(self, limit_s: float = PATIENCE_S) -> int:
        """Ask it to end by SIGTERM. Returns its exit status. Raises subprocess.TimeoutExpired."""
        self.process.terminate()
        return self.process.wait(limit_s)

    def _listens(self) -> bool:
        found = read_discovery(self.paths.discovery)
        if found is None:
            return False
        # Under strace the process that we started is strace.
        return found.pid == self.process.pid or (alive(found.pid) and _parent(found.pid) == self.process.pid)


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None
