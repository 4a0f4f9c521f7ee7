import os
import sys

import pytest

from tendred.errors import InvalidParams, TooLarge
from tendred.fs import SystemFs
from tendred.hotfolder import claim
from tendred.testing.fs import CrashingFs

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def fs():
    return CrashingFs(SystemFs(), 0)


def test_a_file_is_moved_and_its_move_is_durable(tmp_path, fs):
    (tmp_path / "fox.txt").write_text("a red fox")
    folder = claim.take(fs, tmp_path, "fox.txt", ID)
    assert folder == tmp_path / ".tendred" / ID
    assert claim.dropped_name(folder) == "fox.txt"
    assert claim.read(folder, "fox.txt", 100) == b"a red fox"
    assert not (tmp_path / "fox.txt").exists()
    root = tmp_path.name
    assert fs.names == [
        f"mkdir {ID}", f"sync_dir {root}", "sync_dir .tendred", "rename fox.txt",
        "sync fox.txt", f"sync_dir {ID}", f"sync_dir {root}",
    ]  # fmt: skip
    assert claim.survey(tmp_path) == (claim.identity(tmp_path), [], [ID])


def test_links_pipes_and_folders_are_not_taken(tmp_path, fs):
    (tmp_path / "real").write_text("secret")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real")
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("link.txt", "folder.txt", "pipe.txt", "gone.txt"):
        assert claim.take(fs, tmp_path, name, ID) is None
    assert fs.names == []
    assert claim.survey(tmp_path).names == ["real"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_was_swapped_after_the_look_is_not_read(tmp_path, kind):
    (tmp_path / "secret").write_text("secret")
    if kind == "link":
        (tmp_path / "x.txt").symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(tmp_path / "x.txt")
    else:
        (tmp_path / "x.txt").mkdir()
    with pytest.raises(InvalidParams) as caught:
        claim.read(tmp_path, "x.txt", 100)
    assert caught.value.variant == "file"


def test_the_size_is_looked_at_before_reading(tmp_path):
    with (tmp_path / "x.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TooLarge) as caught:
        claim.read(tmp_path, "x.txt", 100)
    assert caught.value.detail["size_bytes"] == 1 << 40


@pytest.mark.skipif(sys.platform != "linux", reason="read leases are Linux's")
def test_a_file_open_for_writing_is_busy(tmp_path, fs):
    with (tmp_path / "x.txt").open("w") as file:
        file.write("half of")
        file.flush()
        with pytest.raises(claim.Busy):
            claim.take(fs, tmp_path, "x.txt", ID)
    with (tmp_path / "x.txt").open():
        assert claim.take(fs, tmp_path, "x.txt", ID) is not None


def test_a_linked_claims_folder_is_not_followed(tmp_path, fs):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hot").mkdir()
    (tmp_path / "hot" / ".tendred").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "hot" / "x.txt").write_text("a")
    with pytest.raises(NotADirectoryError):
        claim.take(fs, tmp_path / "hot", "x.txt", ID)
    assert (tmp_path / "hot" / "x.txt").exists()


def test_names_that_are_no_text_are_kept_as_text(tmp_path, fs):
    name = os.fsdecode(b"caf\xe9" * 40 + b".txt")
    (tmp_path / name).write_text("a")
    folder = claim.take(fs, tmp_path, name, ID)
    kept = claim.dropped_name(folder)
    assert kept == claim.kept_name(name)
    assert kept.startswith("caf\ufffd")
    assert kept.endswith(".txt")
    assert len(kept.encode()) <= 255


def test_clearing_leaves_what_is_not_ours(tmp_path, fs):
    folder = tmp_path / ID
    (folder / claim.OUT).mkdir(parents=True)
    (folder / claim.OUT / "1").write_text("x")
    (folder / claim.PLAN).write_text("x")
    (folder / "fox.txt").write_text("the user's")
    claim.clear(fs, folder)
    assert os.listdir(folder) == ["fox.txt"]
    (folder / "fox.txt").unlink()
    claim.clear(fs, folder)
    assert not folder.exists()


def test_nothing_stands_where_there_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    assert claim.survey(tmp_path / "gone") is None
    assert claim.survey(tmp_path / "file") is None
    assert claim.identity(tmp_path / "file") is None


def test_only_real_folders_are_claims(tmp_path):
    claims = tmp_path / ".tendred"
    (claims / ID).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (claims / f"{ID[:-1]}1").symlink_to(tmp_path / "elsewhere")
    (claims / f"{ID[:-1]}2").write_text("")
    (claims / "other").mkdir()
    assert claim.survey(tmp_path).claims == [ID]


def test_claims_behind_a_link_are_refused(tmp_path):
    (tmp_path / "elsewhere" / ID).mkdir(parents=True)
    (tmp_path / "hot").mkdir()
    (tmp_path / "hot" / ".tendred").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        claim.survey(tmp_path / "hot")


def test_a_link_for_what_was_prepared_is_removed_and_not_followed(tmp_path, fs):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1").write_text("mine")
    folder = tmp_path / ID
    folder.mkdir()
    (folder / claim.OUT).symlink_to(tmp_path / "elsewhere")
    claim.clear(fs, folder)
    assert not folder.exists()
    assert (tmp_path / "elsewhere" / "1").read_text() == "mine"


def test_attempts_are_counted_until_one_gets_past_parsing(tmp_path, fs):
    assert [claim.attempt(fs, tmp_path) for _ in range(3)] == [True, True, False]
    claim.parsed(fs, tmp_path)
    assert claim.attempt(fs, tmp_path)


def test_attempts_are_not_written_through_a_link(tmp_path, fs):
    (tmp_path / "mine").write_text("mine, and long")
    (tmp_path / claim.ATTEMPTS).symlink_to(tmp_path / "mine")
    assert claim.attempt(fs, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine, and long"
