from pathlib import Path

import pytest

from tendred.app.cli.drop import vacant
from tendred.testing.rpc_peer import PIXEL


@pytest.fixture
def prompt(tmp_path):
    file = tmp_path / "hello.md"
    file.write_text("a red egg")
    return file


def test_a_dropped_file_becomes_a_picture(tendre, peer, prompt):
    ran = tendre("drop", prompt)
    assert ran.code == 0
    [picture] = ran.out.splitlines()
    assert picture == str(peer.paths.hot / "done" / "hello.png")
    assert Path(picture).read_bytes() == PIXEL
    assert prompt.read_text() == "a red egg"


def test_the_same_file_again_gets_a_name_of_its_own(tendre, peer, prompt):
    first = tendre("drop", prompt, "--json").document["files"][0]
    again = tendre("drop", prompt, "--json").document["files"][0]
    assert (first["file"], again["file"]) == ("hello.md", "hello~2.md")
    assert [Path(path).name for path in again["pictures"]] == ["hello~2.png"]
    assert [Path(path).name for path in again["receipts"]] == ["hello~2.receipt.json"]


def test_what_failed_is_told_and_the_rest_still_comes(tendre, peer, prompt, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text("a child")
    ran = tendre("drop", bad, prompt)
    assert ran.code == 2
    assert [Path(line).name for line in ran.out.splitlines()] == ["hello.png"]
    assert "bad.txt: There is no prompt." in ran.err


@pytest.mark.parametrize("name", ["missing.md", ".hidden.md", "~x.md", "picture.png", "bare", "half.md.part"])
def test_what_the_hot_folder_would_ignore_is_refused_before_anything_is_dropped(tendre, peer, prompt, tmp_path, name):
    if name != "missing.md":
        (tmp_path / name).write_text("x")
    assert tendre("drop", prompt, tmp_path / name).code == 2
    assert list(peer.paths.hot.iterdir()) == []


def test_without_a_daemon_a_file_can_wait(tendre, home, prompt):
    assert tendre("drop", prompt).code == 3
    ran = tendre("drop", prompt, "--no-wait")
    assert ran.code == 0
    assert "tendre up" in ran.err
    assert [file.name for file in (home / "hot").iterdir()] == ["hello.md"]


def test_without_a_folder_that_works_it_says_so(tendre, peer, prompt):
    peer.studio.hotfolders.folders.clear()
    ran = tendre("drop", prompt)
    assert ran.code == 1
    assert "tendre hotfolders" in ran.err


def test_a_name_is_free_when_no_result_could_be_mistaken_for_its_own(tmp_path):
    for place in ("done/a-001.png", "failed/b.txt.reason.json", "c.md", "done/ab.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    assert [vacant(tmp_path, name) for name in ("a.md", "b.txt", "c.txt", "d.md")] == [
        "a~2.md",
        "b~2.txt",
        "c~2.txt",
        "d.md",
    ]
    (tmp_path / "done" / "d-1.png").touch()
    assert vacant(tmp_path, "d.md") == "d.md"


def test_a_folder_is_called_one(tendre, peer, tmp_path):
    ran = tendre("drop", tmp_path)
    assert ran.code == 2
    assert f"{tmp_path} is a folder" in ran.err
