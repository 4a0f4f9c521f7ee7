"""A process that dies at any operation, or a disk that forgets: every prompt is one job, delivered once."""

import json
import shutil
from collections import Counter

import pytest

from tendred.errors import BoundaryRefused
from tendred.fs import SystemFs
from tendred.testing.fs import Crash, CrashingFs, LossyFs

DROPS = {
    "fox.txt": "a red fox",
    "zoo.json": json.dumps([{"prompt": "a cat", "count": 2}, {"prompt": "a dog"}]),
    "no.txt": "a bad word",
    "broken.json": "{",
}
JOBS = ["a cat", "a dog", "a red fox"]
DONE = {
    "fox.txt", "fox.png", "fox.receipt.json",
    "zoo.json", "zoo-001.png", "zoo-002.png", "zoo-003.png", "zoo-001.receipt.json", "zoo-003.receipt.json",
}  # fmt: skip
FAILED = {f"{name}{ending}" for name in ("no.txt", "broken.json") for ending in ("", ".reason.txt", ".reason.json")}


def judge(submission, origin):
    return BoundaryRefused(rule="r", reason="x", span=None, policy="p") if "bad" in submission.request.prompt else None


def whole(hot):
    """No receipt without its pictures, and no picture that is cut short. Holds at every moment, so after any crash."""
    for receipt in hot.glob("done/*.receipt.json"):
        for made in json.loads(receipt.read_text())["made"]:
            assert (receipt.parent / made["file"]).read_bytes().startswith(b"picture")


def delivered(bench):
    assert sorted(job.request["prompt"] for job in bench.studio.jobs.values()) == JOBS
    assert set(bench.names("done")) == DONE
    assert set(bench.names("failed")) == FAILED
    whole(bench.hot)
    asked = Counter(job.request["prompt"] for job in bench.studio.jobs.values())
    assert set(asked.values()) == {1}
    for name, text in DROPS.items():
        where = bench.done if name in DONE else bench.failed
        assert (where / name).read_text() == text


async def run_until_crash(bench, until, fs):
    """One daemon's life: until it dies, or until nothing is left to do."""
    bench.studio.judge = judge
    try:
        await bench.open(fs=fs)
        await until(lambda: fs.crashed or (bench.quiet() and len(bench.names("done")) == len(DONE)))
    except Crash:
        pass
    await bench.kill()


async def crash_at(make_bench, until, at):
    bench = make_bench()
    for name, text in DROPS.items():
        bench.drop(name, text)
    fs = CrashingFs(SystemFs(), at)
    await run_until_crash(bench, until, fs)
    whole(bench.hot)
    await bench.open()
    await until(lambda: bench.quiet() and len(bench.names("done")) >= len(DONE))
    await bench.kill()
    delivered(bench)
    return fs


async def cut_at(make_bench, until, at):
    bench = make_bench()
    bench.hot.mkdir()
    for name, text in DROPS.items():
        bench.drop(name, text)
    fs = LossyFs(bench.hot, bench.home / "shadow")
    fs.power_cut_at = at
    await run_until_crash(bench, until, fs)
    if fs.crashed:
        shutil.rmtree(bench.hot)
        shutil.copytree(bench.home / "shadow", bench.hot)
    whole(bench.hot)
    await bench.open()
    await until(lambda: bench.quiet() and len(bench.names("done")) >= len(DONE))
    await bench.kill()
    delivered(bench)
    return fs


@pytest.fixture
def make_bench(bench, tmp_path):
    numbers = iter(range(10_000))
    return lambda: type(bench)(_made(tmp_path / str(next(numbers))))


def _made(path):
    path.mkdir()
    return path


@pytest.mark.parametrize("life", [crash_at, cut_at], ids=["killed", "power cut"])
async def test_a_few_of_all_points(make_bench, until, life):
    total = (await life(make_bench, until, 0 if life is crash_at else None)).operations
    assert total > 50
    for at in range(1, total, total // 12):
        assert (await life(make_bench, until, at)).crashed


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize("life", [crash_at, cut_at], ids=["killed", "power cut"])
async def test_every_point(make_bench, until, life):
    at = 1
    while (await life(make_bench, until, at)).crashed:
        at += 1
    assert at > 50


async def test_a_file_that_nobody_synced_is_synced_before_it_is_submitted(make_bench, until):
    bench = make_bench()
    bench.hot.mkdir()
    fs = LossyFs(bench.hot, bench.home / "shadow")
    bench.studio.auto = False
    await bench.open(fs=fs)
    bench.drop("fox.txt", "a red fox")
    await until(lambda: bench.studio.jobs)
    fs.cut()
    await bench.kill()
    shutil.rmtree(bench.hot)
    shutil.copytree(bench.home / "shadow", bench.hot)
    await bench.open()
    (job_id,) = bench.studio.jobs
    bench.studio.finish(job_id)
    await until(lambda: len(bench.names("done")) == 3)
    await bench.kill()
    assert len(bench.studio.jobs) == 1
    assert (bench.done / "fox.txt").read_text() == "a red fox"


async def test_one_file_of_one_row_at_every_point(make_bench, until):
    """The same as above for the shortest life there is, at each of its points, in the default suite."""
    at, crashed = 0, True
    while crashed:
        at += 1
        bench = make_bench()
        bench.drop("fox.txt", "a red fox")
        fs = CrashingFs(SystemFs(), at)
        await bench.open(fs=fs)
        await until(lambda: fs.crashed or (bench.quiet() and len(bench.names("done")) == 3))  # noqa: B023 - used at once
        await bench.kill()
        whole(bench.hot)
        await bench.open()
        await until(lambda: bench.quiet() and len(bench.names("done")) == 3)  # noqa: B023 - used at once
        await bench.kill()
        assert len(bench.studio.jobs) == 1
        assert bench.names("done") == ["fox.png", "fox.receipt.json", "fox.txt"]
        crashed = fs.crashed
    assert at > 20


async def test_a_plan_that_the_disk_garbled_is_made_again_and_holds_up_nobody(bench, until):
    folder = bench.hot / ".tendred" / "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    folder.mkdir(parents=True)
    (folder / "fox.txt").write_text("a red fox")
    (folder / ".plan.json").write_text('{"file": "fo')
    bench.drop("cat.txt", "a cat")
    await bench.open()
    await until(lambda: bench.quiet() and len(bench.names("done")) == 6)
    assert not folder.exists()
    whole(bench.hot)
