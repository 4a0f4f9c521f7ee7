"""A daemon that kills itself, its children or all of them at a chosen operation on files or rows.

`TENDRED_HOME=DIR python -m tendred.testing.faulty [--at N --who daemon|engine|media|all] [-o SECTION.KEY=VALUE]`.
Operations are counted from the start, a database commit among them. Without `--at` nothing is killed, and the names
of all operations stand in `DIR/operations` once the daemon has ended. SIGUSR1 breaks it by an exception that nobody
catches. The engine is the stand-in of
tendred.testing.engine_worker, unless `--engine real`; it does what `DIR/engine-script.json` says.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from tendred.app.assembly import Machine
from tendred.app.daemon import serve
from tendred.app.instance import prepare
from tendred.app.logs import setup
from tendred.backend import Fs
from tendred.config.load import load
from tendred.config.paths import resolve
from tendred.errors import TendredError, describe
from tendred.fs import SystemFs
from tendred.testing.fs import SteppingFs
from tendred.testing.spawn import FAKES, SpawnFakes

Who = Literal["daemon", "engine", "media", "all"]
MODULES: Final[Mapping[Who, tuple[str, ...]]] = {
    "daemon": (),
    "engine": ("tendred.engine.worker",),
    "media": ("tendred.media.worker",),
    "all": ("tendred.engine.worker", "tendred.media.worker"),
}
OPERATIONS: Final = "operations"
PIDS: Final = "children.pids"
SCRIPT: Final = "engine-script.json"


class Children(SpawnFakes):
    """See SpawnFakes. Knows which child is which, and writes every process id to a file, for who looks for orphans."""

    def __init__(self, modules: Mapping[str, str], home: Path) -> None:
        super().__init__(modules, home / SCRIPT)
        self._pids = home / PIDS
        self._by_module: dict[str, asyncio.subprocess.Process] = {}

    async def __call__(self, module: str, env: Mapping[str, str], stderr: Path) -> asyncio.subprocess.Process:
        process = await super().__call__(module, env, stderr)
        self._by_module[module] = process
        with self._pids.open("a") as file:
            file.write(f"{process.pid}\n")
        return process

    def kill(self, modules: tuple[str, ...]) -> bool:
        """Kill these children. False, and nothing is done, while not all of them run."""
        processes = [self._by_module.get(module) for module in modules]
        alive = [process for process in processes if process is not None and process.returncode is None]
        if len(alive) < len(modules):
            return False
        for process in alive:
            os.kill(process.pid, signal.SIGKILL)
        return True


class Killer:
    """Kills once, at the `at`-th operation or at the first one after it at which everybody concerned runs."""

    def __init__(self, at: int, who: Who, children: Children, ended: Path) -> None:
        self._at = at
        self._who: Who = who
        self._children = children
        self._ended = ended
        self._done = at == 0

    def due(self, number: int) -> bool:
        """Whether this operation is the daemon's last; kills children on the way."""
        if self._done or number < self._at or not self._children.kill(MODULES[self._who]):
            return False
        self._done = True
        # For the test, which wants to know that it tested something; not through the Fs, so it isn't counted.
        self._ended.write_text(f"{number}\n")
        return self._who in {"daemon", "all"}


class KillingFs(SteppingFs):
    """Dies in the middle of the operation that is due: a write or a copy is then half done."""

    def __init__(self, inner: Fs, due: Callable[[int], bool]) -> None:
        super().__init__(inner)
        self._due = due

    def _step(self, name: str, path: Path, data: bytes | Path = b"") -> None:
        if self._due(self._next(name, path)):
            self._half(name, path, data)
            os.kill(os.getpid(), signal.SIGKILL)


class Broken(Exception):  # noqa: N818 - a fault of ours, as it could be any
    """Nobody catches it."""


def _break(_number: int, _frame: object) -> None:
    raise Broken("this daemon was broken on purpose")


def main() -> int:
    """Like `python -m tendred`, on such a machine."""
    parser = argparse.ArgumentParser(prog="python -m tendred.testing.faulty")
    parser.add_argument("--at", type=int, default=0)
    parser.add_argument("--who", choices=get_args(Who), default="daemon")
    parser.add_argument("--engine", choices=("fake", "real"), default="fake")
    parser.add_argument("-o", dest="overrides", action="append", default=[])
    given = parser.parse_args()
    home = Path(os.environ["TENDRED_HOME"])
    if not (home / SCRIPT).exists():
        (home / SCRIPT).write_text("{}")
    children = Children(FAKES if given.engine == "fake" else {}, home)
    fs = KillingFs(SystemFs(), Killer(given.at, given.who, children, home / "killed").due)
    signal.signal(signal.SIGUSR1, _break)
    try:
        config = load(given.overrides).config
        paths = resolve(config.paths)
        prepare(paths)
        os.umask(0o077)
        log = setup(paths.logs / "tendred.log", config.log)
        asyncio.run(serve(config, paths, log.hide, Machine(fs=fs, spawn=children)))
    except TendredError as problem:
        print(" ".join(describe(problem, "en")), file=sys.stderr)  # noqa: T201 - it has no other door yet
        return 1
    finally:
        (home / OPERATIONS).write_text("\n".join(fs.names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
