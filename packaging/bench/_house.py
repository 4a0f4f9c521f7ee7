"""What the benchmarks share: figures, a table, a daemon of their own."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from tendred.app.client import Client, read_discovery
from tendred.config.load import load
from tendred.config.paths import Paths, resolve
from tendred.errors import NoDaemon

HERE = Path(__file__).resolve().parent
PATIENCE_S = 60.0


def arguments(text: str | None, **more: tuple[int, int, str]) -> argparse.Namespace:
    """`--small` for a smoke run, and a number per name: (full size, small size, meaning)."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a smoke run: small sizes, figures that mean little")
    for name, (full, small, meaning) in more.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, help=f"{meaning} ({full:,}; with --small {small:,})")
    found = parser.parse_args()
    for name, (full, small, _) in more.items():
        if getattr(found, name) is None:
            setattr(found, name, small if found.small else full)
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def median(values: Sequence[float]) -> float:
    """The value in the middle, or between the two there."""
    return statistics.median(values)


class Table:
    """Lines of metric, figure, target and ratio to something measured in the same run."""

    def __init__(self, title: str) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
        when = time.strftime("%Y-%m-%d %H:%M")
        print(f"{title}\n{when}, {platform.machine()}, {cores} cores, load {load}, Python {platform.python_version()}")
        print(f"  {'metric':<58} {'figure':>12} {'target':>12}  ratio")

    def add(self, metric: str, figure: str, target: str = "", ratio: str = "") -> None:
        """One line, shown at once."""
        print(f"  {metric:<58} {figure:>12} {target:>12}  {ratio}", flush=True)


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:.1f} ms"


@contextlib.contextmanager
def folder() -> Generator[Path]:
    """A directory for one run, on the disk that TMPDIR names."""
    with tempfile.TemporaryDirectory(prefix="tendred-bench-") as name:
        yield Path(name)


def fsync_s(path: Path) -> float:
    """Median seconds of a durable SQLite transaction here."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE probe (n INTEGER)")
    seconds: list[float] = []
    for number in range(100):
        began = time.perf_counter()
        connection.execute("INSERT INTO probe VALUES (?)", (number,))
        seconds.append(time.perf_counter() - began)
    connection.close()
    return median(seconds)


class House:
    """A real daemon, a process of its own, with every directory under `home`."""

    def __init__(self, home: Path, *overrides: str) -> None:
        self.home = home
        self._overrides = [part for setting in overrides for part in ("-o", setting)]
        self._env = {**os.environ, "TENDRED_HOME": str(home)}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def paths(self) -> Paths:
        return resolve(load(env=self._env).config.paths, self._env)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process; see `client` for when it is ready."""
        self.home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tendred", *self._overrides]
        self.process = subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL)
        return self.process

    def client(self) -> Client:
        """A client, as soon as the daemon answers."""
        discovery = self.home / "runtime" / "tendred.json"
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if (found := read_discovery(discovery)) is not None:
                client = Client(found, folder=self.home)
                with contextlib.suppress(NoDaemon):
                    client.call("system.hello", client="bench", version="1")
                    return client
            time.sleep(0.001)
        raise TimeoutError(discovery)

    def end(self) -> None:
        """Ask it to end, and wait."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None


@contextlib.contextmanager
def house(home: Path, *overrides: str) -> Generator[tuple[House, Client]]:
    """A daemon for the time of a `with`."""
    made = House(home, *overrides)
    made.spawn()
    try:
        yield made, made.client()
    finally:
        made.end()
