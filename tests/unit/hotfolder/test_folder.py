import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tendred.config.schema import HotfolderSection
from tendred.errors import BoundaryRefused, EngineDied, InvalidParams, NotFound, OutOfMemory, QueueFull
from tendred.fs import SystemFs

POLLED = HotfolderSection(settle_s=0.05, rescan_s=0.2, poll="always")
EVENTS = HotfolderSection(settle_s=0.05, rescan_s=3600, poll="never")


def prompts(studio):
    return sorted(job.request["prompt"] for job in studio.jobs.values())


async def test_one_prompt_becomes_one_picture_with_its_receipt(bench, until):
    await bench.open()
    bench.drop("fox.txt", "a red fox\n")
    await until(lambda: "fox.receipt.json" in bench.names("done") and bench.quiet())
    assert bench.names("done") == ["fox.png", "fox.receipt.json", "fox.txt"]
    receipt = json.loads((bench.done / "fox.receipt.json").read_text())
    assert [made["file"] for made in receipt["made"]] == ["fox.png"]
    assert receipt["asked"] == {"prompt": "a red fox"}
    assert receipt["origin"] == {"door": "hotfolder", "client": None, "file": "fox.txt"}
    assert (bench.done / "fox.txt").read_text() == "a red fox\n"
    assert (bench.done / "fox.png").stat().st_nlink == 1
    (job_id,) = bench.studio.jobs
    told = [(topic, data["file"], data["job_ids"]) for topic, data in bench.studio.announced]
    assert told == [("hotfolder.claimed", "fox.txt", [job_id]), ("hotfolder.done", "fox.txt", [job_id])]


@pytest.mark.parametrize("config", [EVENTS, POLLED], ids=["events", "polled"])
async def test_a_file_written_by_another_process_is_taken(bench, until, config):
    await bench.open(config)
    code = "import sys,time; f=open(sys.argv[1],'w'); f.write('a red '); f.flush(); time.sleep(0.3); f.write('fox')"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(bench.hot / "fox.txt")], check=True)
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert prompts(bench.studio) == ["a red fox"]


@pytest.mark.parametrize("config", [EVENTS, POLLED], ids=["events", "polled"])
async def test_a_slow_writer_is_never_cut_short(bench, until, config):
    door = await bench.open(config)
    with (bench.hot / "slow.txt").open("w") as file:
        for word in ["a ", "red ", "fox"]:
            file.write(word)
            file.flush()
            await asyncio.sleep(config.settle_s * 4)
            await door.rescan(None)
        assert not bench.studio.jobs
    await until(lambda: "slow.receipt.json" in bench.names("done"))
    assert prompts(bench.studio) == ["a red fox"]


async def test_files_that_stood_there_at_the_start_are_taken(bench, until):
    bench.drop("fox.txt")
    await bench.open(EVENTS)
    await until(lambda: "fox.receipt.json" in bench.names("done"))


async def test_names_in_progress_are_left_alone_until_they_are_renamed(bench, until):
    await bench.open()
    for name in ("fox.txt.part", ".fox.txt", "~$fox.txt", "fox.crdownload", "fox.txt~", "fox.tmp"):
        bench.drop(name)
    bench.drop("other.txt", "a cat")
    await until(lambda: "other.receipt.json" in bench.names("done"))
    assert prompts(bench.studio) == ["a cat"]
    (bench.hot / "fox.txt.part").rename(bench.hot / "fox.txt")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert len(bench.studio.jobs) == 2


async def test_what_is_no_regular_file_is_left_alone(bench, until):
    door = await bench.open()
    secret = bench.home / "secret.txt"
    secret.write_text("do not read me")
    (bench.hot / "link.txt").symlink_to(secret)
    os.mkfifo(bench.hot / "pipe.txt")
    (bench.hot / "folder.txt").mkdir()
    bench.drop("fox.txt")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    await door.rescan(None)
    bench.drop("cat.txt", "a cat")
    await until(lambda: "cat.receipt.json" in bench.names("done"))
    assert prompts(bench.studio) == ["a cat", "a red fox"]
    assert {"link.txt", "pipe.txt", "folder.txt"} <= set(bench.names("."))
    assert (await door.list())[0].waiting == 0


async def test_a_hard_link_is_taken_and_its_other_name_stays(bench, until):
    original = bench.home / "mine.txt"
    original.write_text("a red fox")
    await bench.open()
    os.link(original, bench.hot / "fox.txt")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert original.read_text() == "a red fox"


class Forgetful(SystemFs):
    """Saves the time of several thousand syncs where a test is about something else."""

    def sync(self, path):
        pass

    def sync_dir(self, path):
        pass


async def test_a_burst_is_processed_exactly_once(bench, until):
    await bench.open(fs=Forgetful())
    for number in range(500):
        (bench.hot / f"{number}.txt").write_text(f"fox number {number}")
    await until(lambda: len(bench.studio.announced) == 1000, timeout_s=27)
    await until(bench.quiet)
    assert prompts(bench.studio) == sorted(f"fox number {number}" for number in range(500))
    assert len([name for name in bench.names("done") if name.endswith(".png")]) == 500
    assert len([name for name in bench.names("done") if name.endswith(".receipt.json")]) == 500


async def test_the_same_name_twice_is_two_jobs_and_two_results(bench, until):
    await bench.open()
    bench.drop("fox.txt", "a red fox")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    bench.drop("fox.txt", "a red fox")
    await until(lambda: "fox~2.receipt.json" in bench.names("done"))
    assert bench.names("done") == [
        "fox.png", "fox.receipt.json", "fox.txt", "fox~2.png", "fox~2.receipt.json", "fox~2.txt",
    ]  # fmt: skip
    receipt = json.loads((bench.done / "fox~2.receipt.json").read_text())
    assert receipt["made"][0]["file"] == "fox~2.png"
    assert len(bench.studio.jobs) == 2


async def test_several_rows_and_counts_are_numbered(bench, until):
    await bench.open()
    rows = [{"prompt": "a fox", "count": 2}, {"prompt": "a cat", "format": "jpeg"}]
    bench.drop("zoo.json", json.dumps(rows))
    await until(bench.quiet)
    await until(lambda: len(bench.names("done")) == 6)
    assert bench.names("done") == [
        "zoo-001.png", "zoo-001.receipt.json", "zoo-002.png", "zoo-003.jpg", "zoo-003.receipt.json", "zoo.json",
    ]  # fmt: skip
    first = json.loads((bench.done / "zoo-001.receipt.json").read_text())
    assert [made["file"] for made in first["made"]] == ["zoo-001.png", "zoo-002.png"]


@pytest.mark.parametrize(
    ("name", "data", "kind", "says"),
    [
        ("x.txt", b"\x89PNG\r\n\x00", "invalid_params", "byte 0"),
        ("x.txt", b"caf\xe9", "invalid_params", "byte 3"),
        ("x.txt", b"  \n", "invalid_params", "no prompt"),
        ("x.json", b'{"prompt": "a",\n "prompt": }', "invalid_params", "line 2"),
        ("x.json", b'{"prompt": "a", "step": 3}', "invalid_params", "step"),
        ("x.toml", b'prompt = "a"\nsteps = ', "invalid_params", "line 2"),
        ("x.yaml", b"prompt: a\nsteps: [1", "invalid_params", "line 2"),
        ("x.csv", b"prompt,steps\na,1\nb,many\n", "invalid_params", "line 3"),
        ("x.json", b'[{"prompt":"a"},{"prompt":"b","steps":900}]', "invalid_params", "[1].steps"),
        ("x.png", b"\x89PNG", "invalid_params", ".png"),
        ("x.txt", b"f" * 3_000_000, "too_large", "3000000"),
        ("x.yaml", b"prompt: a\nkind: clip\n", "invalid_params", "provider"),
    ],
)
async def test_bad_files_go_to_failed_with_their_reason(bench, until, name, data, kind, says):
    await bench.open()
    bench.drop(name, data)
    await until(bench.quiet)
    assert bench.names("failed") == sorted([name, f"{name}.reason.json", f"{name}.reason.txt"])
    assert (bench.failed / name).read_bytes() == data
    reason = json.loads((bench.failed / f"{name}.reason.json").read_text())
    words = (bench.failed / f"{name}.reason.txt").read_text()
    assert reason["kind"] == kind
    assert says in words
    assert reason["message"] in words
    assert reason["next"] in words
    assert not bench.studio.jobs
    assert [topic for topic, _ in bench.studio.announced] == ["hotfolder.failed"]


async def test_a_huge_file_costs_nothing(bench, until):
    await bench.open()
    with (bench.home / "huge").open("wb") as file:
        file.truncate(1 << 30)
    (bench.home / "huge").rename(bench.hot / "huge.txt")
    await until(bench.quiet)
    assert "huge.txt.reason.txt" in bench.names("failed")
    assert (bench.failed / "huge.txt").stat().st_size == 1 << 30


async def test_a_refusal_is_told_in_words(bench, until):
    bench.studio.language = "fr"
    bench.studio.judge = lambda submission, origin: BoundaryRefused(
        rule="real_person", reason="…", span=None, policy="p", path="prompt"
    )
    await bench.open()
    bench.drop("fox.txt")
    await until(bench.quiet)
    assert "Refusé par la règle real_person" in (bench.failed / "fox.txt.reason.txt").read_text()
    assert bench.names("done") == []


@pytest.mark.parametrize(
    ("name", "text"), [("zoo.txt", "a red\nfox jumps"), ("zoo.csv", 'prompt\n"hills"\n"a red fox jumps"')]
)
async def test_which_words_were_refused_is_told_in_words(bench, until, name, text):
    refused = BoundaryRefused(rule="r", reason="x", span=(2, 9), policy="p", path="prompt")
    bench.studio.judge = lambda submission, origin: refused if "fox" in submission.request.prompt else None
    await bench.open()
    bench.drop(name, text)
    await until(lambda: f"{name}.reason.txt" in bench.names("failed") and bench.quiet())
    assert "\n  a [red fox] jumps\n" in (bench.failed / f"{name}.reason.txt").read_text()


async def test_a_full_queue_is_waited_for(bench, until):
    refusals = [QueueFull(queued=5, retry_after_s=0.05), QueueFull(queued=5, retry_after_s=0.05)]
    bench.studio.judge = lambda submission, origin: refusals.pop() if refusals else None
    await bench.open()
    bench.drop("fox.txt")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert not refusals
    assert bench.names("failed") == []


async def test_a_failed_job_is_told_and_the_other_rows_are_delivered(bench, until):
    bench.studio.auto = False
    await bench.open()
    bench.drop("zoo.csv", "prompt\na fox\na cat\na dog\n")
    await until(lambda: len(bench.studio.jobs) == 3)
    first, second, third = bench.studio.jobs
    bench.studio.finish(first)
    bench.studio.fail(second, OutOfMemory(free_bytes=1, needed_bytes=2, would_fit="512 x 512"))
    bench.studio.fail(third, EngineDied(problem="signal 11"), "parked")
    await until(bench.quiet)
    assert bench.names("done") == ["zoo.png", "zoo.receipt.json"]
    assert bench.names("failed") == ["zoo.csv", "zoo.csv.reason.json", "zoo.csv.reason.txt"]
    reason = json.loads((bench.failed / "zoo.csv.reason.json").read_text())
    assert reason["path"] == "[1]"
    assert [row["row"] for row in reason["detail"]["rows"]] == [1, 2]
    words = (bench.failed / "zoo.csv.reason.txt").read_text()
    assert "[1] a cat\n" in words
    assert "[2] a dog\n" in words
    assert "a fox" not in words


async def test_a_cancelled_job_is_a_failure_that_says_so(bench, until):
    bench.studio.auto = False
    await bench.open()
    bench.drop("fox.txt")
    await until(lambda: bench.studio.jobs)
    (job_id,) = bench.studio.jobs
    bench.studio.end(job_id, "cancelled")
    await until(bench.quiet)
    assert json.loads((bench.failed / "fox.txt.reason.json").read_text())["kind"] == "cancelled"


async def test_news_that_were_lost_are_asked_for(bench, until):
    bench.studio.auto = False
    await bench.open()
    bench.drop("fox.txt")
    await until(lambda: bench.studio.jobs and bench.studio.announced)
    (job_id,) = bench.studio.jobs
    bench.studio.make(job_id, 1)
    bench.studio.jobs[job_id] = type(bench.studio.jobs[job_id])(
        **{**{f: getattr(bench.studio.jobs[job_id], f) for f in bench.studio.jobs[job_id].__struct_fields__},
           "state": "succeeded"}
    )  # fmt: skip
    await until(lambda: "fox.receipt.json" in bench.names("done"))


async def test_a_restart_in_the_middle_makes_no_second_job(bench, until):
    bench.studio.auto = False
    await bench.open()
    bench.drop("fox.txt")
    await until(lambda: bench.studio.announced)
    await bench.kill()
    await bench.open()
    (job_id,) = bench.studio.jobs
    bench.studio.finish(job_id)
    await until(lambda: bench.quiet())
    assert len(bench.studio.jobs) == 1
    assert bench.names("done") == ["fox.png", "fox.receipt.json", "fox.txt"]


async def test_a_folder_that_goes_away_comes_back_by_itself(bench, until):
    bench.studio.auto = False
    door = await bench.open()
    bench.drop("fox.txt")
    await until(lambda: bench.studio.announced)
    bench.hot.rename(bench.home / "away")
    while (await door.list())[0].state != "missing":
        await asyncio.sleep(0.01)
    (job_id,) = bench.studio.jobs
    bench.studio.finish(job_id)
    await until(lambda: not bench.hot.exists())
    (bench.home / "away").rename(bench.hot)
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    bench.drop("cat.txt", "a cat")
    await until(lambda: len(bench.studio.jobs) == 2)
    assert (await door.list())[0].state == "ok"


async def counted(door, expected):
    """Wait until the one folder shows these counts: waiting, claimed, done, failed."""
    deadline = time.monotonic() + 15
    while True:
        (folder,) = await door.list()
        counts = (folder.waiting, folder.claimed, folder.done, folder.failed)
        if counts == expected:
            return folder
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.01)


async def test_counts(bench, until):
    bench.studio.auto = False
    door = await bench.open()
    bench.drop("fox.txt")
    bench.drop("bad.json", "{")
    bench.drop(".hidden.txt")
    folder = await counted(door, (0, 1, 0, 1))
    assert (folder.path, folder.watch, folder.state) == (str(bench.hot), "events", "ok")
    await until(lambda: bench.studio.jobs)
    bench.studio.finish(next(iter(bench.studio.jobs)))
    await counted(door, (0, 0, 1, 1))


async def test_another_folder_can_be_added_and_removed(bench, until):
    door = await bench.open()
    other = bench.home / "other"
    other.mkdir()
    added = await door.add(str(other))
    (other / "fox.txt").write_text("a red fox")
    await until(lambda: (other / "done" / "fox.receipt.json").exists())
    await bench.kill()
    door = await bench.open()
    assert [folder.id for folder in await door.list()][1:] == [added.id]
    await door.remove(added.id)
    assert len(await door.list()) == 1
    assert (other / "done" / "fox.png").exists()
    with pytest.raises(NotFound):
        await door.remove(added.id)
    with pytest.raises(NotFound):
        await door.rescan(added.id)


async def test_the_first_folder_stays_removed_until_it_is_added_again(bench):
    door = await bench.open()
    (first,) = await door.list()
    await door.remove(first.id)
    await bench.kill()
    door = await bench.open()
    assert await door.list() == []
    assert (await door.add(str(bench.hot))).id == first.id
    await bench.kill()
    door = await bench.open()
    assert [folder.id for folder in await door.list()] == [first.id]


@pytest.mark.parametrize("path", ["hot", "{home}/nowhere", "{home}/hot", "{home}/hot/done", "{home}/hot/../hot"])
async def test_folders_that_cannot_be_added(bench, path):
    door = await bench.open()
    bench.done.mkdir()
    with pytest.raises(InvalidParams) as caught:
        await door.add(path.format(home=bench.home))
    assert caught.value.variant == "folder"


async def test_a_door_that_is_off_watches_nothing(bench):
    door = await bench.open(HotfolderSection(enabled=False))
    assert await door.list() == []
    assert not bench.hot.exists()


async def test_lost_events_are_made_up_for_by_a_scan(bench, until):
    await bench.open(EVENTS)
    bench.drop("first.txt")
    await until(lambda: "first.receipt.json" in bench.names("done"))
    # A claim put back by hand tells of nothing in the folder itself, as after events that were lost.
    lost = bench.hot / ".tendred" / "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    lost.mkdir()
    (lost / "second.txt").write_text("a cat")
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    await until(lambda: "second.receipt.json" in bench.names("done"))


async def test_a_name_that_somebody_takes_meanwhile_is_not_overwritten(bench, until):
    door = await bench.open()
    bench.done.mkdir()
    (bench.done / "fox.png").write_text("the user's own")
    bench.drop("fox.txt")
    await until(lambda: "fox~2.receipt.json" in bench.names("done"))
    assert (bench.done / "fox.png").read_text() == "the user's own"
    assert (await door.list())[0].state == "ok"


async def test_results_wait_while_nothing_can_be_written(bench, until):
    door = await bench.open()
    bench.done.symlink_to(bench.home / "a disk that is not there")
    bench.drop("fox.txt")
    while (await door.list())[0].state != "unwritable":
        await asyncio.sleep(0.01)
    assert (await door.list())[0].claimed == 1
    bench.done.unlink()
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert (await counted(door, (0, 0, 1, 0))).state == "ok"


@pytest.mark.heavy
@pytest.mark.parametrize("how", ["read-only", "full"])
async def test_a_disk_that_takes_nothing(bench, until, how):
    bench.done.mkdir(parents=True)
    small = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(bench.done)]
    if subprocess.run(small, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        if how == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(bench.done)], check=True)
        else:
            (bench.done / "ballast").write_bytes(b"x" * 4096)
        door = await bench.open()
        bench.drop("fox.txt")
        while (await door.list())[0].state != "unwritable":
            await asyncio.sleep(0.01)
        assert len(bench.claims()) == 1
        subprocess.run(["mount", "-o", "remount,rw,size=1m", str(bench.done)], check=True)
        await until(lambda: "fox.receipt.json" in bench.names("done"))
        await until(bench.quiet)
        assert not [name for name in bench.names("done") if name.startswith(".")]
        assert len(bench.studio.jobs) == 1
    finally:
        await bench.kill()
        subprocess.run(["umount", str(bench.done)], check=True)


async def state(door, expected):
    deadline = time.monotonic() + 15
    while (await door.list())[0].state != expected:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_of_two_daemons_one_watches(bench, until):
    bench.studio.auto = False
    first = await bench.open()
    bench.drop("fox.txt")
    await until(lambda: bench.studio.announced)
    other = type(bench)(bench.home)
    second = await other.open()
    await state(second, "unwritable")
    bench.drop("cat.txt", "a cat")
    await until(lambda: len(bench.studio.announced) == 2)
    await second.rescan(None)
    assert (await second.list())[0].claimed == 0
    assert not other.studio.jobs
    assert (await first.list())[0].state == "ok"
    await bench.kill()
    await second.rescan(None)
    await until(lambda: len(other.studio.jobs) == 2)
    await state(second, "ok")
    await other.kill()


async def test_claims_behind_a_link_are_left_alone(bench, until):
    elsewhere = bench.home / "elsewhere"
    (elsewhere / "01ARZ3NDEKTSV4RRFFQ69G5FAV").mkdir(parents=True)
    diary = elsewhere / "01ARZ3NDEKTSV4RRFFQ69G5FAV" / "diary.txt"
    diary.write_text("red hills")
    bench.hot.mkdir()
    (bench.hot / ".tendred").symlink_to(elsewhere)
    door = await bench.open()
    await state(door, "unwritable")
    assert not bench.studio.jobs
    (bench.hot / ".tendred").unlink()
    bench.drop("fox.txt")
    await until(lambda: "fox.receipt.json" in bench.names("done"))
    assert diary.read_text() == "red hills"
    await state(door, "ok")


async def test_a_planted_plan_moves_nothing(bench, until):
    folder = bench.hot / ".tendred" / "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    (folder / ".out").mkdir(parents=True)
    (folder / ".out" / "1").write_text("evil")
    secret = bench.home / "secret"
    secret.write_text("secret")
    moves = [
        {"source": ".out/1", "target": str(bench.home / "evil"), "last": False},
        {"source": str(secret), "target": "done/stolen", "last": False},
    ]
    (folder / ".plan.json").write_text(json.dumps({"file": "x.txt", "failed": False, "job_ids": [], "moves": moves}))
    await bench.open()
    await until(lambda: not folder.exists())
    assert secret.read_text() == "secret"
    assert not (bench.home / "evil").exists()
    assert bench.names("done") == []


@pytest.mark.parametrize(("tries", "where"), [(1, "done"), (2, "failed")])
async def test_what_was_never_parsed_to_the_end_is_given_up(bench, until, tries, where):
    folder = bench.hot / ".tendred" / "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    folder.mkdir(parents=True)
    (folder / "fox.txt").write_text("a red fox")
    (folder / ".attempts").write_text("." * tries)
    await bench.open()
    await until(lambda: "fox.txt" in bench.names(where) and bench.quiet())
    if where == "failed":
        assert json.loads((bench.failed / "fox.txt.reason.json").read_text())["kind"] == "internal"
        assert not bench.studio.jobs


async def test_a_claim_that_was_parsed_may_be_adopted_any_number_of_times(bench, until):
    bench.studio.auto = False
    for _ in range(5):
        door = await bench.open()
        bench.drop("fox.txt") if not bench.studio.jobs else None
        await counted(door, (0, 1, 0, 0))
        await until(lambda: bench.studio.announced)
        await bench.kill()
    await bench.open()
    (job_id,) = bench.studio.jobs
    bench.studio.finish(job_id)
    await until(lambda: "fox.receipt.json" in bench.names("done"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zoo.csv", "prompt,steps\na fox,1\na cat,900\n"),
        ("zoo.csv", "prompt,steps\na fox,1\na cat\n"),
        ("zoo.json", '[{"prompt": "a fox"}, {"prompt": "a cat", "stepps": 1}]'),
        ("zoo.json", '[{"prompt": "a fox"}, {"prompt": "a bad cat"}]'),
    ],
)
async def test_a_bad_row_says_that_no_row_was_made(bench, until, name, text):
    bench.studio.judge = lambda submission, origin: (
        BoundaryRefused(rule="r", reason="x", span=None, policy="p") if "bad" in submission.request.prompt else None
    )
    await bench.open()
    bench.drop(name, text)
    await until(lambda: f"{name}.reason.txt" in bench.names("failed") and bench.quiet())
    assert f"None of the rows of {name} was made." in (bench.failed / f"{name}.reason.txt").read_text()
    assert not bench.studio.jobs


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/", "belongs to the system"),
        ("/etc", "belongs to the system"),
        ("/usr/share", "belongs to the system"),
        ("{person}", "is a home"),
        ("{library}", "keeps its own files"),
        ("{library}/inside", "keeps its own files"),
        ("{home}", "keeps its own files"),
        ("{link}", "keeps its own files"),
        ("{full}", "it holds 2 files already"),
    ],
)
async def test_folders_that_hold_something_else_are_not_taken(bench, path, problem):
    full, library, link = bench.home / "full", bench.home / "own", bench.home / "link"
    for folder in (full, library / "inside"):
        folder.mkdir(parents=True)
    link.symlink_to(library)
    for name in ("diary.txt", "photo.jpg", ".hidden"):
        (full / name).write_text("mine")
    door = await bench.open(private=[library])
    with pytest.raises(InvalidParams) as caught:
        await door.add(path.format(home=bench.home, person=Path.home(), library=library, link=link, full=full))
    assert caught.value.variant == "folder"
    assert problem in str(caught.value)
    assert (full / "diary.txt").read_text() == "mine"


async def test_hidden_files_and_folders_do_not_make_a_folder_full(bench):
    root = bench.home / "new"
    (root / "done").mkdir(parents=True)
    (root / ".directory").write_text("")
    door = await bench.open(private=[bench.home / "own"])
    assert (await door.add(str(root))).path == str(root)
