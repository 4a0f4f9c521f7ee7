"""kill -9 at recorded operations: nothing acknowledged is lost, nothing is made twice, no receipt lacks its media."""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from tendred.testing.faulty import Who

from .lives import Lives
from .orders import orders

WHO = get_args(Who)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A place for homes. What the kernel was given survives a kill, so memory will do, and is three times as fast."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="tendred-kill-", dir=shared))
    yield folder
    shutil.rmtree(folder)


def record(home: Path, size: int, engine: str) -> int:
    """How many operations a whole life has when nobody is killed."""
    lives = Lives(home, orders(size, size), engine=engine)
    assert lives.live() is None
    assert lives.finish() == []
    return lives.operations()


def killed(home: Path, size: int, at: int, who: str, engine: str) -> tuple[list[str], bool]:
    """What is wrong after a kill and another life, and whether there was a kill."""
    lives = Lives(home, orders(size, size), engine=engine)
    status = lives.live(at, who)
    hit = (home / "killed").exists()
    expected = -signal.SIGKILL if hit and who in {"daemon", "all"} else None
    faults = [] if status == expected else [f"the first life ended with {status}"]
    try:
        lives.orphans()
        if status is not None and (again := lives.live()) is not None:
            faults.append(f"the second life ended with {again}")
        faults += lives.finish()
        lives.orphans()
    except TimeoutError as problem:
        faults.append(f"waited too long: {problem}")
    if not faults:
        shutil.rmtree(home)
    return faults, hit


def kill_runs(folder: Path, *, size: int, points: int, engine: str = "fake", workers: int = 2) -> None:
    total = record(folder / "recorded", size, engine)
    assert total > size * 20
    runs = [(1 + number * total // points, WHO[number % len(WHO)]) for number in range(points)]
    with ThreadPoolExecutor(workers) as pool:
        results = list(
            pool.map(lambda run: killed(folder / f"{run[0]}-{run[1]}", size, *run, engine), runs),
        )
    faults = {run: found for run, (found, _) in zip(runs, results, strict=True) if found}
    hits = Counter(who for (_, who), (_, hit) in zip(runs, results, strict=True) if hit)
    print(f"{total} operations, {points} runs, kills: {dict(hits)}, runs with faults: {len(faults)}")  # noqa: T201 - the figures, for pytest -s
    assert faults == {}
    # A child that isn't there at the very end can't be killed any more; nearly all runs must have had their kill.
    assert sum(hits.values()) >= points * 9 // 10


@pytest.mark.timeout(120)
def test_a_few_kills(memory):
    kill_runs(memory, size=5, points=6)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_a_hundred_kills(memory):
    kill_runs(memory, size=50, points=100)


@pytest.mark.heavy
@pytest.mark.engine
@pytest.mark.timeout(1800)
def test_ten_kills_with_the_real_engine(memory):
    kill_runs(memory, size=50, points=10, engine="real")
