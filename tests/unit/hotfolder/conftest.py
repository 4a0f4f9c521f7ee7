import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tendred.clock import Ids, SystemClock, SystemRng
from tendred.config.schema import HotfolderSection
from tendred.fs import SystemFs
from tendred.hotfolder.folder import HotFolderDoor
from tendred.tasks import Tasks
from tendred.testing.hot_studio import HotStudio

QUICK = HotfolderSection(settle_s=0.05, rescan_s=0.2, poll="never")


class Bench:
    """A hot folder `hot`, a studio, and doors that are stopped at the end."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path
        self.hot = tmp_path / "hot"
        self.done = self.hot / "done"
        self.failed = self.hot / "failed"
        self.studio = HotStudio(tmp_path / "library")
        self._running: list[tuple[HotFolderDoor, Tasks]] = []

    async def open(self, config=QUICK, fs=None, hot=None, studio=None, private=()) -> HotFolderDoor:
        clock, tasks = SystemClock(), Tasks()
        door = HotFolderDoor(
            studio or self.studio,
            config=config,
            default=hot or self.hot,
            private=private,
            fs=fs or SystemFs(),
            clock=clock,
            ids=Ids(clock, SystemRng()),
            tasks=tasks,
        )
        self._running.append((door, tasks))
        await door.start()
        return door

    async def kill(self) -> None:
        """End every door the hard way: nothing more is done."""
        for door, tasks in self._running:
            await tasks.stop()
            await door.stop()
            await tasks.stop()
        self._running.clear()

    def drop(self, name: str, text: str | bytes = "a red fox") -> None:
        """Write elsewhere, then move in: finished at once."""
        self.hot.mkdir(exist_ok=True)
        outside = self.home / f"outside-{name}"
        outside.write_bytes(text if isinstance(text, bytes) else text.encode())
        outside.rename(self.hot / name)

    def claims(self) -> list[Path]:
        folder = self.hot / ".tendred"
        return sorted(folder.iterdir()) if folder.exists() else []

    def quiet(self) -> bool:
        """Nothing waits and nothing is claimed."""
        waiting = [path for path in self.hot.iterdir() if path.is_file() and not path.is_symlink()]
        return not waiting and not self.claims()

    def names(self, where: str) -> list[str]:
        folder = self.hot / where
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        await asyncio.sleep(0.005)


@pytest.fixture(name="until")
def _until():
    return until


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.kill()
