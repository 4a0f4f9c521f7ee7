"""The lights go out at every operation of a job: what was acknowledged is there, and nothing half made is shown."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tendred.app.assembly import Machine
from tendred.app.daemon import Daemon
from tendred.testing.daemon import SCRIPT, TestDaemon, quiet
from tendred.testing.fs import Crash, LossyFs
from tendred.testing.instant import InstantDaemon
from tendred.testing.invariants import moment, settled
from tendred.testing.spawn import SpawnFakes

PROMPT = "red hills"
KEY = "rpc:test:1"
STILL = {"width": 64, "height": 64, "steps": 1, "count": 2}
DROPS = {"call": {}, "file": {"hills.txt": PROMPT.encode()}}


class Cut:
    """A daemon on a disk that forgets, with one job; then another one on what the disk remembered."""

    def __init__(self, folder: Path, door: str, kind: type[Daemon], fs: Callable[[Path, Path], LossyFs]) -> None:
        self.home = folder / "home"
        self.shadow = folder / "shadow"
        self.door = door
        self.kind = kind
        self.acknowledged: str | None = None
        (self.home / "hot").mkdir(parents=True)
        (self.home / SCRIPT).write_text('{"steps": 1}')
        for name, words in DROPS[door].items():
            (self.home / "hot" / name).write_bytes(words)
        self.fs = fs(self.home, self.shadow)

    async def live(self, at: int | None) -> None:
        """Until the cut, or until the job is done; in the second case the lights go out then."""
        self.fs.power_cut_at = at
        machine = Machine(fs=self.fs, spawn=SpawnFakes(script=self.home / SCRIPT), inline=True)
        try:
            daemon = await self._start(self.home, machine)
        except Crash:
            return
        try:
            if self.door == "call":
                self.acknowledged = (await daemon.submit(PROMPT, key=KEY, **STILL)).id
            await self._done(daemon)
        except Crash:
            pass
        finally:
            self.fs.cut()
            # The shadow is written: what the old daemon still does on its way out is nobody's business any more.
            self.fs.power_cut_at, self.fs.crashed = None, False
            await daemon.stop()

    async def again(self) -> list[str]:
        """What is wrong on what the disk remembered, and after another daemon's work on it."""
        faults = moment(self.shadow) if (self.shadow / "data" / "tendred.db").exists() else []
        daemon = await self._start(self.shadow, Machine(spawn=SpawnFakes(script=self.shadow / SCRIPT)))
        try:
            if self.acknowledged is not None:
                known = {job.id for job in (await daemon.studio.jobs(state=None, kind=None, limit=9, cursor=None)).jobs}
                faults += [] if self.acknowledged in known else ["acknowledged and absent"]
            if self.door == "call":
                await daemon.submit(PROMPT, key=KEY, **STILL)
            await self._done(daemon)
        finally:
            await daemon.stop()
        return faults + settled(self.shadow, [PROMPT], DROPS[self.door])

    async def _start(self, home: Path, machine: Machine) -> TestDaemon:
        return await TestDaemon.start(
            home, [*quiet(), "hotfolder.rescan_s=0.2", "hotfolder.settle_s=0.05"], machine, self.kind
        )

    async def _done(self, daemon: TestDaemon) -> None:
        """Wait for the end of the one job, and of its delivery."""
        hot = daemon.home / "hot"
        names = [hot / place / name for name in DROPS[self.door] for place in ("done", "failed")]

        def over() -> bool:
            claims = list((hot / ".tendred").iterdir()) if (hot / ".tendred").is_dir() else []
            return any(path.exists() for path in names) and not claims

        while not self.fs.crashed or daemon.home == self.shadow:
            jobs = (await daemon.studio.jobs(state=None, kind=None, limit=9, cursor=None)).jobs
            ended = bool(jobs) and all(job.state in {"succeeded", "failed", "parked"} for job in jobs)
            if ended and (self.door == "call" or over()):
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def cut_at(tmp_path):
    numbers = iter(range(10_000))

    async def cut(at, door, kind=InstantDaemon, fs=LossyFs):
        folder = tmp_path / str(next(numbers))
        life = Cut(folder, door, kind, fs)
        await life.live(at)
        operations = life.fs.operations
        faults = await life.again()
        shutil.rmtree(folder)
        return operations, faults

    return cut


async def cuts(cut_at, door, *, step, kind=InstantDaemon):
    """A whole life, then one that is cut at every `step`-th operation of it. What was wrong, by operation."""
    total, faults = await cut_at(None, door, kind)
    found = {0: faults} if faults else {}
    points = range(1, total + 1, step)
    for at in points:
        if faults := (await cut_at(at, door, kind))[1]:
            found[at] = faults
    print(f"{door}: {total} operations, {len(points)} cuts, {len(found)} with faults")  # noqa: T201 - the figures, for pytest -s
    assert total > 40
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("door", ["call", "file"])
async def test_some_cuts(cut_at, door):
    assert await cuts(cut_at, door, step=9) == {}


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("door", ["call", "file"])
async def test_a_cut_at_every_operation(cut_at, door):
    assert await cuts(cut_at, door, step=1) == {}


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("door", ["call", "file"])
async def test_cuts_with_child_processes(cut_at, door):
    assert await cuts(cut_at, door, step=4, kind=Daemon) == {}


class NoSync(LossyFs):
    """A disk that lies: it says that a file is safe, and isn't. In the folders that a job's results go to."""

    def sync(self, path: Path) -> None:
        if lied_about(path):
            self._step("sync", path)
        else:
            super().sync(path)


class NoSyncDir(LossyFs):
    """The same for names."""

    def sync_dir(self, path: Path) -> None:
        if lied_about(path):
            self._step("sync_dir", path)
        else:
            super().sync_dir(path)


def lied_about(path):
    return {"pictures", "hot"} & set(path.parts)


@pytest.mark.parametrize("liar", [NoSync, NoSyncDir])
@pytest.mark.parametrize("door", ["call", "file"])
async def test_a_disk_that_lies_is_noticed(cut_at, door, liar):
    _, faults = await cut_at(None, door, fs=liar)
    print(faults)  # noqa: T201 - shown with pytest -s
    assert faults != []
