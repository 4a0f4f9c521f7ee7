"""One daemon per directory, whatever happened to the one before."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tendred.app import instance
from tendred.app.client import read_discovery
from tendred.clock import SystemRng
from tendred.config.paths import Paths, resolve
from tendred.config.schema import PathsSection
from tendred.errors import AlreadyRunning, FolderUnwritable, StoreBroken, describe
from tendred.fs import SystemFs
from tendred.schema.system import Discovery

RIVAL = """
import sys
from pathlib import Path
from tendred.app import instance
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.errors import AlreadyRunning
paths = resolve(PathsSection(), {"TENDRED_HOME": sys.argv[1]})
lock = None
for line in sys.stdin:
    if line == "take\\n":
        try:
            lock = instance.acquire(paths)
            print("won", flush=True)
        except AlreadyRunning as other:
            print("lost", other.detail["pid"], flush=True)
    else:
        if lock is not None:
            lock.release()
        lock = None
        print("ready", flush=True)
"""


class Rival:
    """Another process that wants the lock of a home."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RIVAL, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, word: str) -> None:
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def hear(self) -> list[str]:
        return self.process.stdout.readline().split()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def rivals(tmp_path: Path) -> Iterator[tuple[Rival, Rival]]:
    both = (Rival(tmp_path), Rival(tmp_path))
    yield both
    for rival in both:
        rival.end()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)})
    assert instance.prepare(paths) == []
    return paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def discovery(**changes: object) -> Discovery:
    fields = {"url": "http://127.0.0.1:1", "socket": None, "token": "t", "pid": os.getpid(), "version": "0.1.0"}
    return Discovery(**(fields | {"api": "1.0", "boot_id": "boot_1"} | changes))


# The lock


def test_of_two_that_race_exactly_one_wins(paths: Paths, rivals: tuple[Rival, Rival]) -> None:
    for _ in range(20):
        for rival in rivals:
            rival.say("take")
        answers = [rival.hear() for rival in rivals]
        assert sorted(answer[0] for answer in answers) == ["lost", "won"]
        with pytest.raises(AlreadyRunning) as caught:
            instance.acquire(paths)
        winner = rivals[0 if answers[0][0] == "won" else 1]
        assert caught.value.detail == {"pid": winner.process.pid, "folder": str(paths.data)}
        for rival in rivals:
            rival.say("release")
            assert rival.hear() == ["ready"]


def test_a_killed_holder_leaves_nothing_behind(paths: Paths, rivals: tuple[Rival, Rival]) -> None:
    rivals[0].say("take")
    assert rivals[0].hear() == ["won"]
    with pytest.raises(AlreadyRunning):
        instance.acquire(paths)
    rivals[0].process.send_signal(signal.SIGKILL)
    rivals[0].process.wait()
    lock = instance.acquire(paths)
    assert paths.lock.read_text().strip() == str(os.getpid())
    lock.release()
    lock.release()
    instance.acquire(paths).release()


def test_a_child_that_outlives_a_killed_daemon_does_not_hold_its_lock(paths: Paths) -> None:
    code = RIVAL.partition("lock = None")[0] + (
        "import subprocess\n"
        "lock = instance.acquire(paths)\n"
        "child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    home = paths.data.parent
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        orphan = int(holder.stdout.readline())
        holder.kill()
    try:
        instance.acquire(paths).release()
        os.kill(orphan, 0)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_a_stale_file_with_anything_in_it_is_harmless(paths: Paths) -> None:
    paths.lock.write_text("999999999\nnot a number at all")
    lock = instance.acquire(paths)
    assert paths.lock.read_text() == f"{os.getpid()}\n"
    with pytest.raises(AlreadyRunning):
        instance.acquire(paths)
    lock.release()


def test_a_runtime_directory_is_not_shared_either(paths: Paths, tmp_path: Path) -> None:
    lock = instance.acquire(paths)
    other = msgspec.structs.replace(PathsSection(), data=str(tmp_path / "other data"))
    second = resolve(other, {"TENDRED_HOME": str(tmp_path)})
    instance.prepare(second)
    with pytest.raises(AlreadyRunning) as caught:
        instance.acquire(second)
    assert caught.value.detail["folder"] == str(paths.runtime)
    lock.release()
    instance.acquire(second).release()


def test_data_and_runtime_may_be_one_directory(tmp_path: Path) -> None:
    section = PathsSection(data=str(tmp_path / "one"), runtime=str(tmp_path / "one"))
    paths = resolve(section, {"TENDRED_HOME": str(tmp_path)})
    instance.prepare(paths)
    instance.acquire(paths).release()


def test_a_lock_that_is_a_symlink_is_refused(paths: Paths, tmp_path: Path) -> None:
    paths.lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderUnwritable):
        instance.acquire(paths)
    assert not (tmp_path / "elsewhere").exists()


# The directories


def test_every_directory_is_made_and_private(tmp_path: Path) -> None:
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path / "a" / "b")})
    before = os.umask(0o022)
    try:
        assert instance.prepare(paths) == []
    finally:
        os.umask(before)
    made = [place for place in (tmp_path / "a").rglob("*") if place.is_dir()] + [tmp_path / "a"]
    assert {place.name for place in made} >= {"config", "data", "cache", "state", "runtime", "pictures", "hot", "logs"}
    assert {mode(place) for place in made} == {0o700}
    assert instance.prepare(paths) == []


def test_directories_that_exist_keep_their_modes(tmp_path: Path) -> None:
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)})
    for place in (paths.pictures, paths.hot, paths.data):
        place.mkdir()
        place.chmod(0o775)
    instance.prepare(paths)
    assert {mode(place) for place in (paths.pictures, paths.hot, paths.data)} == {0o775}


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o1777])
def test_a_runtime_directory_that_others_can_write_to_is_refused(tmp_path: Path, bits: int) -> None:
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)})
    paths.runtime.mkdir()
    paths.runtime.chmod(bits)
    with pytest.raises(FolderUnwritable) as caught:
        instance.prepare(paths)
    assert f"{bits:04o}" in describe(caught.value)[0]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_a_runtime_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)})
    paths.runtime.mkdir(mode=0o700)
    os.chown(paths.runtime, 12345, 12345)
    with pytest.raises(FolderUnwritable, match="12345"):
        instance.prepare(paths)


def test_a_file_in_a_directorys_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(FolderUnwritable) as caught:
        instance.prepare(resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)}))
    assert caught.value.detail["folder"] == str(tmp_path / "data")


def test_a_daemon_can_start_without_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("")
    problems = instance.prepare(resolve(PathsSection(), {"TENDRED_HOME": str(tmp_path)}))
    assert {problem.detail["folder"] for problem in problems} == {
        str(tmp_path / "pictures"),
        str(tmp_path / "pictures" / ".staging"),
    }
    assert (tmp_path / "hot").is_dir()


# The discovery file


def test_discovery_is_private_whole_and_read_back(paths: Paths) -> None:
    instance.write_discovery(paths.discovery, discovery())
    instance.write_discovery(paths.discovery, discovery(boot_id="boot_2"))
    assert mode(paths.discovery) == 0o600
    assert read_discovery(paths.discovery) == discovery(boot_id="boot_2")
    assert [place.name for place in paths.runtime.iterdir()] == [paths.discovery.name]


def test_discovery_is_removed_only_by_its_own_boot(paths: Paths) -> None:
    instance.write_discovery(paths.discovery, discovery())
    instance.remove_discovery(paths.discovery, "boot_2")
    assert paths.discovery.exists()
    instance.remove_discovery(paths.discovery, "boot_1")
    assert not paths.discovery.exists()
    instance.remove_discovery(paths.discovery, "boot_1")
    instance.write_discovery(paths.discovery, discovery(pid=1))
    instance.remove_discovery(paths.discovery, "boot_1")
    assert paths.discovery.exists()


def test_a_part_left_by_a_crash_or_planted_is_no_obstacle(paths: Paths, tmp_path: Path) -> None:
    part = paths.runtime / f".tendred.json.{os.getpid()}"
    part.symlink_to(tmp_path / "elsewhere")
    instance.write_discovery(paths.discovery, discovery())
    assert read_discovery(paths.discovery) == discovery()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"url": 5}'])
def test_a_broken_discovery_file_is_none(paths: Paths, text: str) -> None:
    paths.discovery.write_text(text)
    assert instance.read_discovery(paths.discovery) is None
    instance.remove_discovery(paths.discovery, "boot_1")
    instance.socket_path(paths)
    assert not paths.discovery.exists()


# The socket's place


def test_the_socket_is_in_the_runtime_directory_and_a_stale_one_is_cleared(paths: Paths) -> None:
    place = instance.socket_path(paths)
    assert place == paths.runtime / "tendred.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place))
    assert place.exists()
    assert instance.socket_path(paths) == place
    with socket.socket(socket.AF_UNIX) as new:
        new.bind(str(place))
    instance.remove_socket(place)
    assert not place.exists()
    assert paths.runtime.is_dir()


@pytest.fixture
def long_paths() -> Iterator[Paths]:
    """A runtime directory whose name has as many bytes as one wants: é is two."""
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    yield resolve(PathsSection(), {"TENDRED_HOME": str(base / ("é" * 60))})
    shutil.rmtree(base)


def test_a_long_path_gets_a_private_directory(long_paths: Paths) -> None:
    instance.prepare(long_paths)
    place = instance.socket_path(long_paths)
    assert len(os.fsencode(place)) <= 107
    assert mode(place.parent) == 0o700
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(place))
    instance.remove_socket(place)
    assert not place.parent.exists()


def test_a_private_directory_of_a_killed_daemon_is_cleared(long_paths: Paths) -> None:
    instance.prepare(long_paths)
    old = instance.socket_path(long_paths)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(old))
    instance.write_discovery(long_paths.discovery, discovery(socket=str(old), pid=1))
    new = instance.socket_path(long_paths)
    assert not old.parent.exists()
    assert not long_paths.discovery.exists()
    instance.remove_socket(new)


def test_nothing_but_our_own_kind_of_socket_is_cleared(paths: Paths, tmp_path: Path) -> None:
    precious = tmp_path / "precious" / "tendred.sock"
    precious.parent.mkdir()
    precious.write_text("")
    instance.write_discovery(paths.discovery, discovery(socket=str(precious), pid=1))
    instance.socket_path(paths)
    assert precious.exists()


# The key


def test_the_key_is_made_once(paths: Paths) -> None:
    key = instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs())
    assert len(key) == 32
    assert paths.boundary_key.read_bytes() == key
    assert mode(paths.boundary_key) == 0o600
    assert instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs()) == key
    assert [place.name for place in paths.state.iterdir() if place.is_file()] == ["boundary.key"]


class Steps(SystemFs):
    """Notes the order of what counts for a power cut."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data)
        self.done.append("write")

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self.done.append("rename")

    def sync(self, path: Path) -> None:
        super().sync(path)
        self.done.append("sync_dir" if path.is_dir() else "sync")


def test_the_key_is_durable_before_it_is_used(paths: Paths) -> None:
    steps = Steps()
    instance.boundary_key(paths.boundary_key, SystemRng(), steps)
    assert steps.done == ["write", "sync", "rename", "sync_dir"]


def test_a_part_of_a_key_left_by_a_crash_is_written_over(paths: Paths) -> None:
    (paths.state / ".boundary.key.part").write_bytes(b"half")
    assert len(instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs())) == 32
    assert not (paths.state / ".boundary.key.part").exists()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_the_wrong_size_is_an_error_and_stays(paths: Paths, content: bytes) -> None:
    paths.boundary_key.write_bytes(content)
    with pytest.raises(StoreBroken) as caught:
        instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs())
    assert paths.boundary_key.read_bytes() == content
    for lang in ("en", "fr"):
        message, step = describe(caught.value, lang)
        assert str(paths.boundary_key) in message
        assert step


def test_a_key_that_is_something_else_is_an_error_at_once(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "real.key").write_bytes(bytes(32))
    makers = (
        lambda: paths.boundary_key.symlink_to(tmp_path / "real.key"),
        lambda: os.mkfifo(paths.boundary_key),
        paths.boundary_key.mkdir,
    )
    for make in makers:
        make()
        with pytest.raises(StoreBroken):
            instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs())
        paths.boundary_key.rmdir() if paths.boundary_key.is_dir() else paths.boundary_key.unlink()


def test_a_key_from_a_backup_gets_its_mode_back(paths: Paths) -> None:
    paths.boundary_key.write_bytes(bytes(range(32)))
    paths.boundary_key.chmod(0o644)
    assert instance.boundary_key(paths.boundary_key, SystemRng(), SystemFs()) == bytes(range(32))
    assert mode(paths.boundary_key) == 0o600
