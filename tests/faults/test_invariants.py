"""The judge of all fault tests is itself judged: whatever is wrong with a home, it says so."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tendred.testing.daemon import TestDaemon, quiet
from tendred.testing.instant import InstantDaemon
from tendred.testing.invariants import moment, settled

STILL = {"width": 64, "height": 64, "steps": 1}
PROMPTS = ["blue hills", "red hills"]
DROPS = {"red.txt": b"red hills", "broken.json": b"{"}


async def finished(home: Path) -> None:
    (home / "hot").mkdir(parents=True)
    for name, data in DROPS.items():
        (home / "hot" / name).write_bytes(data)
    daemon = await TestDaemon.start(home, [*quiet(), "hotfolder.settle_s=0.05"], kind=InstantDaemon)
    assert (await daemon.still("blue hills", count=2, **STILL)).state == "succeeded"
    wanted = [home / "hot" / "done" / "red.txt", home / "hot" / "failed" / "broken.json"]
    claims = home / "hot" / ".tendred"
    assert await daemon.eventually(lambda: all(path.exists() for path in wanted) and not list(claims.iterdir()))
    await daemon.stop()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    home = tmp_path_factory.mktemp("original") / "home"
    asyncio.run(finished(home))
    return home


@pytest.fixture
def home(original, tmp_path):
    return shutil.copytree(original, tmp_path / "home")


def pictures(home):
    return sorted(path for path in (home / "pictures").rglob("*.png"))


def sql(*statements):
    def tamper(home):
        with closing(sqlite3.connect(home / "data" / "tendred.db")) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    return tamper


def cut_short(home):
    path = pictures(home)[0]
    path.write_bytes(path.read_bytes()[:-100])


def another_picture(home):
    one, other, *_ = pictures(home)
    shutil.copy(other, one)


def other_words(home):
    [path] = (home / "hot" / "done").glob("*.receipt.json")
    receipt = next(path for path in (home / "pictures").rglob("*.receipt.json"))
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "finished_at": "never"}))
    assert path.exists()


def garbage(home):
    path = home / "data" / "tendred.db"
    sql("PRAGMA wal_checkpoint(TRUNCATE)")(home)
    data = bytearray(path.read_bytes())
    data[8192:16384] = bytes(8192)
    path.write_bytes(data)


def stray_claim(home):
    (home / "hot" / ".tendred" / "01AAAAAAAAAAAAAAAAAAAAAAAA").mkdir()


ALWAYS = {
    "a picture is gone": lambda home: pictures(home)[0].unlink(),
    "a picture is cut short": cut_short,
    "a picture is another one": another_picture,
    "half a file was published": lambda home: (home / "pictures" / "half.png").write_bytes(b"\x89PNG"),
    "an asset is there twice": sql(
        "INSERT INTO asset(id, job_id, idx, kind, state, created_at, model, path, words, doc) "
        "SELECT 'ast_2', job_id, idx, kind, state, created_at, model, path, words, doc FROM asset LIMIT 1"
    ),
    "an event is missing": sql("DELETE FROM event WHERE seq = 3"),
    "the tally is wrong": sql("UPDATE tally SET count = count + 1 WHERE state = 'succeeded'"),
    "one that doesn't wait is in line": sql(
        "INSERT INTO waiting SELECT id, lane_rank, 'x', model, 1, 0, 0, NULL FROM job LIMIT 1"
    ),
    "what clients have waiting doesn't add up": sql("INSERT INTO share VALUES (1, 'x', 1, 0, 0)"),
    "a receipt file is gone": lambda home: next((home / "pictures").rglob("*.receipt.json")).unlink(),
    "a receipt file has other words": other_words,
    "half a receipt": lambda home: next((home / "pictures").rglob("*.receipt.json")).write_text("{"),
    # By somebody who may write the database, and so its triggers too.
    "the chain is broken": sql("DROP TRIGGER receipt_fixed", "UPDATE receipt SET prev_sha256 = 'x' WHERE n = 2"),
    "media of a receipt have no rows": sql("DELETE FROM asset WHERE idx = 0"),
    "a delivered picture is gone": lambda home: (home / "hot" / "done" / "red.png").unlink(),
    "a delivered picture is another one": lambda home: shutil.copy(
        pictures(home)[0], home / "hot" / "done" / "red.png"
    ),
    "the database is broken": garbage,
}
IN_THE_END = {
    "a file has no row": lambda home: shutil.copy(pictures(home)[0], home / "pictures" / "more.png"),
    "something is left in staging": lambda home: (home / "pictures" / ".staging" / "job_1").mkdir(),
    "a job is absent": sql(
        "DELETE FROM job WHERE id = (SELECT min(id) FROM job)", "UPDATE tally SET count = 1 WHERE state = 'succeeded'"
    ),
    "a job failed": sql("UPDATE job SET state = 'failed' WHERE id = (SELECT min(id) FROM job)"),
    "a job is there twice": sql(
        "CREATE TEMP TABLE more AS SELECT * FROM job LIMIT 1",
        "UPDATE more SET id = 'job_2', idem = NULL",
        "INSERT INTO job SELECT * FROM more",
    ),
    "a prompt file still waits": lambda home: (home / "hot" / "red.txt").write_bytes(b"red hills"),
    "a claim is left": stray_claim,
    "a prompt file is gone": lambda home: (home / "hot" / "done" / "red.txt").unlink(),
    "a prompt file is in both": lambda home: shutil.copy(home / "hot/done/red.txt", home / "hot/failed/red.txt"),
    "a prompt file came out twice": lambda home: shutil.copy(home / "hot/done/red.txt", home / "hot/done/red~2.txt"),
    "a prompt file has other words": lambda home: (home / "hot" / "done" / "red.txt").write_bytes(b"green hills"),
    "a failure has no reason": lambda home: (home / "hot" / "failed" / "broken.json.reason.txt").unlink(),
}


def test_a_home_in_order_is_told_as_such(home):
    assert moment(home) == []
    assert settled(home, PROMPTS, DROPS) == []


@pytest.mark.parametrize("tamper", ALWAYS.values(), ids=ALWAYS)
def test_what_must_never_be(home, tamper):
    tamper(home)
    assert moment(home) != []


@pytest.mark.parametrize("tamper", IN_THE_END.values(), ids=IN_THE_END)
def test_what_must_not_be_in_the_end(home, tamper):
    tamper(home)
    assert moment(home) == []
    assert settled(home, PROMPTS, DROPS) != []
