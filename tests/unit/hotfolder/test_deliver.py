import asyncio
import errno
import json
import os

import msgspec
import pytest

from tendred.core.studio import Submission
from tendred.fs import SystemFs
from tendred.hotfolder import claim, deliver
from tendred.hotfolder.outcome import gather
from tendred.hotfolder.parse import parse
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Origin
from tendred.testing.hot_studio import HotStudio

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
REFUSED = ErrorInfo(kind="invalid_params", message="No.", path=None, next="Do.", detail={}, ref="r")


class OtherDisk(SystemFs):
    """As if `done/` and `failed/` were links to another disk."""

    def rename(self, source, target):
        if target.parent.name in {"done", "failed"} and source.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        super().rename(source, target)


async def claimed(root, name, text, studio):
    fs = SystemFs()
    (root / name).write_text(text)
    folder = claim.take(fs, root, name, ID)
    submissions = [
        Submission(request=request, asked=asked, key=None) for request, asked in parse("x.json", text.encode())
    ]
    jobs = [one.job.id for one in await studio.submit(submissions, Origin(door="hotfolder", file=name))]
    await asyncio.sleep(0)
    return folder, await gather(studio, jobs, ["p"] * len(jobs))


async def test_receipts_come_last(tmp_path):
    studio = HotStudio(tmp_path / "library")
    folder, rows = await claimed(tmp_path, "zoo.json", '[{"prompt":"a"},{"prompt":"b"}]', studio)
    plan = deliver.build(SystemFs(), tmp_path, folder, rows, None)
    assert [move.target for move in plan.moves] == [
        "done/zoo-001.png", "done/zoo-002.png", "done/zoo.json",
        "done/zoo-001.receipt.json", "done/zoo-002.receipt.json",
    ]  # fmt: skip
    assert deliver.read_plan(folder) == plan


@pytest.mark.parametrize("fs", [SystemFs(), OtherDisk()], ids=["same disk", "another disk"])
async def test_carrying_out_twice_is_carrying_out_once(tmp_path, fs):
    studio = HotStudio(tmp_path / "library")
    folder, rows = await claimed(tmp_path, "fox.json", '{"prompt":"a"}', studio)
    plan = deliver.build(fs, tmp_path, folder, rows, None)
    deliver.carry_out(fs, tmp_path, folder, plan)
    deliver.carry_out(fs, tmp_path, folder, plan)
    claim.clear(fs, folder)
    assert sorted(os.listdir(tmp_path / "done")) == ["fox.json", "fox.png", "fox.receipt.json"]
    assert not folder.exists()


async def test_a_foreign_file_at_a_planned_name_is_never_overwritten(tmp_path):
    studio, fs = HotStudio(tmp_path / "library"), SystemFs()
    folder, rows = await claimed(tmp_path, "fox.json", '{"prompt":"a"}', studio)
    plan = deliver.build(fs, tmp_path, folder, rows, None)
    (tmp_path / "done").mkdir()
    foreign = tmp_path / "done" / "fox.png"
    foreign.write_text("the user's own")
    with pytest.raises(FileExistsError):
        deliver.carry_out(fs, tmp_path, folder, plan)
    assert foreign.read_text() == "the user's own"
    assert not (tmp_path / "done" / "fox.receipt.json").exists()
    foreign.unlink()
    deliver.carry_out(fs, tmp_path, folder, plan)
    assert (tmp_path / "done" / "fox.receipt.json").exists()


async def test_a_picture_that_was_removed_meanwhile_is_left_out(tmp_path):
    studio = HotStudio(tmp_path / "library")
    folder, rows = await claimed(tmp_path, "fox.json", '{"prompt":"a","count":2}', studio)
    os.unlink(rows[0].pictures[0].path)
    (row,) = await gather(studio, [rows[0].job_id], ["a"])
    plan = deliver.build(SystemFs(), tmp_path, folder, [row], None)
    deliver.carry_out(SystemFs(), tmp_path, folder, plan)
    receipt = json.loads((tmp_path / "done" / "fox.receipt.json").read_text())
    assert [made["file"] for made in receipt["made"]] == ["fox.png"]


@pytest.mark.parametrize("name", ["n" * 251 + ".txt", "é" * 125 + ".txt", "a." + "e" * 250, "plain", "a.b.c.txt"])
def test_long_and_odd_names_fit(tmp_path, name):
    fs = SystemFs()
    for number in (1, 2):
        (tmp_path / name).write_text("x")
        folder = claim.take(fs, tmp_path, name, f"{ID[:-1]}{number}")
        plan = deliver.build(fs, tmp_path, folder, [], REFUSED)
        deliver.carry_out(fs, tmp_path, folder, plan)
    made = os.listdir(tmp_path / "failed")
    assert len(made) == 6
    assert deliver.count_failed(tmp_path / "failed") == 2


def test_counts_of_folders_that_are_not_there(tmp_path):
    assert deliver.count_done(tmp_path / "gone") == deliver.count_failed(tmp_path / "gone") == 0


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (".out/1", "{home}/evil"),
        (".out/1", "done/../../evil"),
        (".out/1", "done/.."),
        (".out/1", "evil"),
        (".out/1", ".tendred/evil"),
        (".out/1", "done/a\0b"),
        ("{home}/secret", "done/stolen"),
        ("../../../secret", "done/stolen"),
        (".out/../fox.txt", "done/stolen"),
        (".out/", "done/stolen"),
        (".plan.json", "done/stolen"),
        (".out/link", "done/stolen"),
    ],
)
def test_a_plan_that_leads_elsewhere_is_none(tmp_path, source, target):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "hot" / ".tendred" / ID
    (folder / ".out").mkdir(parents=True)
    (folder / ".out" / "1").write_text("x")
    (folder / ".out" / "link").symlink_to(tmp_path / "secret")
    good = deliver.Move(source="fox.txt", target="done/fox.txt")
    bad = deliver.Move(source=source.format(home=tmp_path), target=target.format(home=tmp_path))
    for moves, counts in (([good], True), ([good, bad], False)):
        plan = deliver.Plan(file="fox.txt", failed=False, job_ids=[], moves=moves)
        (folder / ".plan.json").write_bytes(msgspec.json.encode(plan))
        assert (deliver.read_plan(folder) == plan) is counts


@pytest.mark.parametrize("file", ["../fox.txt", "..", "", ".plan.json", "/etc/passwd"])
def test_a_plan_for_no_dropped_file_is_none(tmp_path, file):
    move = deliver.Move(source=file, target="done/x")
    plan = deliver.Plan(file=file, failed=False, job_ids=[], moves=[move])
    (tmp_path / ".plan.json").write_bytes(msgspec.json.encode(plan))
    assert deliver.read_plan(tmp_path) is None


def test_prepared_files_behind_a_link_are_none_of_ours(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1").write_text("mine")
    folder = tmp_path / ID
    folder.mkdir()
    (folder / ".out").symlink_to(tmp_path / "elsewhere")
    move = deliver.Move(source=".out/1", target="done/stolen")
    (folder / ".plan.json").write_bytes(
        msgspec.json.encode(deliver.Plan(file="fox.txt", failed=False, job_ids=[], moves=[move]))
    )
    assert deliver.read_plan(folder) is None


def test_a_link_is_not_followed_to_another_disk(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / ".tendred" / ID
    folder.mkdir(parents=True)
    (folder / "fox.txt").symlink_to(tmp_path / "secret")
    plan = deliver.build(SystemFs(), tmp_path, folder, [], REFUSED)
    with pytest.raises(OSError, match="no regular file"):
        deliver.carry_out(OtherDisk(), tmp_path, folder, plan)
    assert os.listdir(tmp_path / "failed") == []


def test_a_second_name_planted_for_a_copy_is_not_written_through(tmp_path):
    fs = OtherDisk()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "fox.txt").write_text("a red fox")
    folder = claim.take(fs, tmp_path, "fox.txt", ID)
    plan = deliver.build(fs, tmp_path, folder, [], REFUSED)
    (tmp_path / "failed").mkdir()
    os.link(tmp_path / "mine", tmp_path / "failed" / f".{ID}-fox.txt.part")
    deliver.carry_out(fs, tmp_path, folder, plan)
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "failed" / "fox.txt").read_text() == "a red fox"
