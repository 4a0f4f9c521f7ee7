import os
import stat

import pytest

from tendred.fs import SystemFs

FS = SystemFs()


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_it_makes_is_private_whatever_the_umask(tmp_path):
    FS.mkdir(tmp_path / "a" / "b")
    FS.mkdir(tmp_path / "a" / "b")
    FS.write(tmp_path / "a" / "file", b"1")
    FS.copy(tmp_path / "a" / "file", tmp_path / "a" / "copy")
    assert mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path / "a" / "file") == 0o600
    assert mode(tmp_path / "a" / "copy") == 0o600


def test_parents_are_private_too(tmp_path):
    FS.mkdir(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o700, 0o700]


def test_write_replaces_the_whole_file(tmp_path):
    FS.write(tmp_path / "file", b"a long text")
    FS.write(tmp_path / "file", b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_a_copy_is_a_file_of_its_own(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    FS.write(source, os.urandom(3_000_000))
    FS.write(target, b"x" * 4_000_000)
    FS.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_ino != source.stat().st_ino
    assert source.stat().st_nlink == 1
    with target.open("r+b") as file:
        file.write(b"changed")
    assert not source.read_bytes().startswith(b"changed")


def test_links_are_not_written_through(tmp_path):
    (tmp_path / "secret").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="link"):
        FS.write(tmp_path / "link", b"x")
    with pytest.raises(OSError, match="link"):
        FS.copy(tmp_path / "secret", tmp_path / "link")
    assert (tmp_path / "secret").read_bytes() == b"mine"


def test_rename_replaces_and_unlink_takes_what_is_not_there(tmp_path):
    FS.write(tmp_path / "a", b"a")
    FS.write(tmp_path / "b", b"b")
    FS.rename(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"
    FS.unlink(tmp_path / "b")
    FS.unlink(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_rmdir_leaves_what_is_filled(tmp_path):
    FS.mkdir(tmp_path / "full" / "inner")
    FS.rmdir(tmp_path / "full")
    assert (tmp_path / "full" / "inner").is_dir()
    FS.rmdir(tmp_path / "full" / "inner")
    FS.rmdir(tmp_path / "full")
    FS.rmdir(tmp_path / "full")
    assert not (tmp_path / "full").exists()


def test_files_and_folders_can_be_synced(tmp_path):
    FS.write(tmp_path / "file", b"1")
    FS.sync(tmp_path / "file")
    FS.sync_dir(tmp_path)
    with pytest.raises(FileNotFoundError):
        FS.sync(tmp_path / "absent")
    FS.committed(tmp_path / "file")
