"""All of an installation in one file: what is in it, what may come out of it, and where it never lands."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import tarfile
from contextlib import closing

import pytest

from tendred.app import instance
from tendred.app.backup import BESIDE, LIST, backup, restore
from tendred.clock import SystemClock
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.errors import AlreadyRunning, BackupBroken
from tendred.store.migrations import migrate


def places(home):
    return resolve(PathsSection(), {"TENDRED_HOME": str(home)})


@pytest.fixture
def full(tmp_path):
    """An installation with a little of everything."""
    paths = places(tmp_path / "old")
    instance.prepare(paths)
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        migrate(database, paths.database, SystemClock())
        database.execute("INSERT INTO setting VALUES ('said', 'true')")
    paths.signing.mkdir()
    for file, data in {
        paths.boundary_key: b"k" * 32,
        paths.signing / "key.pem": b"key",
        paths.config_file: b"[rpc]\nport = 0\n",
        paths.strokes / "ab" / "abc.json": b"[]",
        paths.wildcards / "colours.txt": b"red",
        paths.pictures / "2026-11" / "one.png": b"picture",
        paths.staging / "half.rgb": b"half",
        paths.data / "models" / "loras" / "own.safetensors": b"weights",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return paths


@pytest.fixture
def saved(full, tmp_path):
    backup(full, tmp_path / "all.tar")
    return tmp_path / "all.tar"


def names(file):
    with tarfile.open(file) as tar:
        return [member.name for member in tar]


def rewritten(file, change):
    """The same file after `change(members)`, which is a dict of bytes by name."""
    with tarfile.open(file) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    change(members)
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def test_all_of_it_comes_back_and_nothing_else(full, saved, tmp_path):
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert sorted(names(saved)) == [
        LIST, "config/config.toml", "data/strokes/ab/abc.json", "data/tendred.db", "data/wildcards/colours.txt",
        "pictures/2026-11/one.png", "state/boundary.key", "state/signing/key.pem",
    ]  # fmt: skip
    paths = places(tmp_path / "new")
    made = restore(paths, saved)
    assert (made.files, made.pictures) == (7, True)
    assert paths.boundary_key.read_bytes() == full.boundary_key.read_bytes()
    assert stat.S_IMODE((paths.signing / "key.pem").stat().st_mode) == 0o600
    assert (paths.pictures / "2026-11" / "one.png").read_bytes() == b"picture"
    assert (paths.config / BESIDE).read_bytes() == full.config_file.read_bytes()
    assert not paths.config_file.exists()
    assert [file.name for file in paths.data.iterdir() if file.name.endswith((".part", "-wal", "-shm"))] == []
    with closing(sqlite3.connect(paths.database)) as database:
        kept = dict(database.execute("SELECT name, value FROM setting"))
    assert (kept["said"], json.loads(kept["queue_paused"])) == ("true", True)


def test_a_clip_that_was_not_sent_yet_may_have_been_since(full, tmp_path):
    phases = ["confirmed", "reserved", "submitted", "unknown", "settled"]
    with closing(sqlite3.connect(full.database)) as database, database:
        for phase in phases:
            database.execute(
                "INSERT INTO clip (job_id, quote_id, provider, phase, unwanted, quoted_mcr) VALUES (?, ?, 'ltx', ?, 0, 1)",
                (phase, f"quo_{phase}", phase),
            )
    backup(full, tmp_path / "all.tar")
    paths = places(tmp_path / "new")
    restore(paths, tmp_path / "all.tar")
    with closing(sqlite3.connect(paths.database)) as database:
        found = dict(database.execute("SELECT job_id, phase FROM clip"))
    assert found == {**{phase: phase for phase in phases}, "confirmed": "sending", "reserved": "sending"}


def test_pictures_can_stay_out(full, tmp_path):
    assert not backup(full, tmp_path / "small.tar", pictures=False).pictures
    assert [name for name in names(tmp_path / "small.tar") if name.startswith("pictures")] == []
    assert not restore(places(tmp_path / "new"), tmp_path / "small.tar").pictures


def test_a_link_is_no_picture(full, tmp_path):
    (full.pictures / "link.png").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(b"private")
    backup(full, tmp_path / "all.tar")
    assert "pictures/link.png" not in names(tmp_path / "all.tar")


def test_nothing_is_replaced(full, saved, tmp_path):
    with pytest.raises(BackupBroken) as caught:
        backup(full, saved)
    assert caught.value.variant == "exists"
    with pytest.raises(BackupBroken) as caught:
        backup(places(tmp_path / "nowhere"), tmp_path / "other.tar")
    assert caught.value.variant == "nothing"
    assert not (tmp_path / "other.tar").exists()
    with pytest.raises(BackupBroken) as caught:
        restore(full, saved)
    assert caught.value.variant == "there"
    started = places(tmp_path / "started")
    instance.prepare(started)
    started.boundary_key.write_bytes(b"x" * 32)
    with pytest.raises(BackupBroken) as caught:
        restore(started, saved)
    assert (caught.value.variant, started.boundary_key.read_bytes()) == ("key", b"x" * 32)
    assert not started.database.exists()


def test_a_picture_of_that_name_stays_and_one_that_is_the_same_is_fine(saved, tmp_path):
    same, other = places(tmp_path / "same"), places(tmp_path / "other")
    for paths, data in ((same, b"picture"), (other, b"another")):
        (paths.pictures / "2026-11").mkdir(parents=True)
        (paths.pictures / "2026-11" / "one.png").write_bytes(data)
    assert restore(same, saved).files == 7
    with pytest.raises(BackupBroken) as caught:
        restore(other, saved)
    assert caught.value.variant == "there"
    assert ((other.pictures / "2026-11" / "one.png").read_bytes(), other.database.exists()) == (b"another", False)
    # Out of the way, it comes back whole: what was put there before is the same.
    (other.pictures / "2026-11" / "one.png").unlink()
    assert restore(other, saved).files == 7


def test_not_under_a_daemon_that_runs(saved, tmp_path):
    paths = places(tmp_path / "new")
    instance.prepare(paths)
    lock = instance.acquire(paths)
    with pytest.raises(AlreadyRunning):
        restore(paths, saved)
    lock.release()
    assert restore(paths, saved)


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    at = data.index(b"picture", data.index(b"one.png"))
    return data[:at] + b"P" + data[at + 1 :]


def nonsense(data):
    return b"nonsense" + data


@pytest.mark.parametrize("damage", [cut, flipped, nonsense, lambda data: b""])
def test_a_damaged_file_brings_nothing_back(saved, tmp_path, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    paths = places(tmp_path / "new")
    with pytest.raises(BackupBroken):
        restore(paths, saved)
    assert [file for folder in (paths.data, paths.state, paths.pictures) for file in folder.rglob("*.p*g")] == []
    assert not paths.database.exists()
    assert not paths.boundary_key.exists()


def added(name, *, listed=True):
    def change(members):
        end = json.loads(members.pop(LIST))
        members[name] = b"x"
        if listed:
            end["files"][name] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        members[LIST] = json.dumps(end).encode()

    return change


@pytest.mark.parametrize(
    "name",
    ["../out.txt", "/tmp/out.txt", "pictures/../../out.txt", "state/owner.token", "pictures", "pictures/a\\b", "pictures/C:x", "data/models/x"],
)  # fmt: skip
def test_what_has_no_place_here_gets_none(saved, tmp_path, name):
    rewritten(saved, added(name))
    paths = places(tmp_path / "new")
    with pytest.raises(BackupBroken):
        restore(paths, saved)
    assert not paths.database.exists()
    assert list(tmp_path.rglob("out.txt")) == []


def test_what_the_list_does_not_name_is_not_taken(saved, tmp_path):
    rewritten(saved, added("pictures/more.png", listed=False))
    with pytest.raises(BackupBroken):
        restore(places(tmp_path / "new"), saved)


def test_a_link_in_a_backup_is_refused(saved, tmp_path):
    with tarfile.open(saved, "a") as tar:
        link = tarfile.TarInfo("pictures/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hosts"
        tar.addfile(link)
    with pytest.raises(BackupBroken):
        restore(places(tmp_path / "new"), saved)
