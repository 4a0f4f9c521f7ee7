import pytest

from tendred.fs import SystemFs
from tendred.testing.fs import Crash, CrashingFs, LossyFs


def test_a_crash_leaves_half_a_write_and_ends_everything(tmp_path):
    fs = CrashingFs(SystemFs(), 2)
    fs.mkdir(tmp_path / "a")
    with pytest.raises(Crash):
        fs.write(tmp_path / "a" / "b", b"12345678")
    assert (tmp_path / "a" / "b").read_bytes() == b"1234"
    with pytest.raises(Crash):
        fs.unlink(tmp_path / "a" / "b")
    assert (fs.operations, fs.crashed) == (2, True)
    assert fs.names == ["mkdir a", "write b"]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home" / "old").mkdir(parents=True)
    (tmp_path / "home" / "old" / "kept").write_text("kept")
    return tmp_path / "home"


@pytest.fixture
def fs(home, tmp_path):
    return LossyFs(home, tmp_path / "shadow")


def shadow(fs, tmp_path):
    fs.cut()
    root = tmp_path / "shadow"
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_what_was_there_is_durable_and_what_was_not_synced_is_gone(fs, home, tmp_path):
    fs.write(home / "new", b"new")
    fs.unlink(home / "old" / "kept")
    assert shadow(fs, tmp_path) == {"old/kept": "kept"}


def test_a_name_without_its_content_is_an_empty_file(fs, home, tmp_path):
    fs.write(home / "new", b"new")
    fs.sync_dir(home)
    assert shadow(fs, tmp_path) == {"old/kept": "kept", "new": ""}


def test_content_without_its_name_is_gone(fs, home, tmp_path):
    fs.write(home / "new", b"new")
    fs.sync(home / "new")
    assert "new" not in shadow(fs, tmp_path)


def test_both_make_it_durable_and_later_changes_do_not_count(fs, home, tmp_path):
    fs.write(home / "new", b"new")
    fs.sync(home / "new")
    fs.sync_dir(home)
    fs.write(home / "new", b"newer")
    assert shadow(fs, tmp_path)["new"] == "new"


def test_a_folder_that_nobody_synced_takes_its_files_with_it(fs, home, tmp_path):
    fs.mkdir(home / "folder")
    fs.write(home / "folder" / "new", b"new")
    fs.sync(home / "folder" / "new")
    fs.sync_dir(home / "folder")
    assert shadow(fs, tmp_path) == {"old/kept": "kept"}


@pytest.mark.parametrize(
    ("synced", "left"),
    [([], {"old/kept"}), (["."], {"moved"}), (["old"], set()), (["old", "."], {"moved"})],
    ids=["neither", "where it went", "where it came from", "both"],
)
def test_renames(fs, home, tmp_path, synced, left):
    fs.rename(home / "old" / "kept", home / "moved")
    for name in synced:
        fs.sync_dir(home / name)
    assert shadow(fs, tmp_path) == dict.fromkeys(left, "kept")


def test_what_others_made_counts_once_it_is_synced(fs, home, tmp_path):
    (home / "theirs").write_text("theirs")
    fs.sync(home / "theirs")
    fs.sync_dir(home)
    assert shadow(fs, tmp_path)["theirs"] == "theirs"


def test_a_committed_database_is_durable_with_its_log(fs, home, tmp_path):
    fs.mkdir(home / "data")
    (home / "data" / "db").write_text("pages")
    (home / "data" / "db-wal").write_text("log")
    (home / "data" / "other").write_text("other")
    fs.committed(home / "data" / "db")
    assert shadow(fs, tmp_path) == {"old/kept": "kept", "data/db": "pages", "data/db-wal": "log"}


def test_the_lights_go_out_before_the_operation_and_stay_out(fs, home, tmp_path):
    fs.power_cut_at = 3
    fs.write(home / "new", b"new")
    fs.sync(home / "new")
    with pytest.raises(Crash):
        fs.sync_dir(home)
    with pytest.raises(Crash):
        fs.sync_dir(home)
    assert fs.crashed
    assert shadow(fs, tmp_path) == {"old/kept": "kept"}
