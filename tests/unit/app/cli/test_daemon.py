import os
import stat
import subprocess
import sys
import threading
import time

import pytest

from tendred.app import instance
from tendred.app.client import alive
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.schema.system import PluginStatus
from tendred.testing.rpc_peer import TOKEN, RpcPeer


@pytest.fixture
def sleeper():
    """A process that stands for a daemon, so that it can end."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.stdin.close()
    process.wait()


def test_status_shows_the_daemon(tendre, peer):
    peer.studio.plugins = [PluginStatus(name="dir", version="1.2", state="enabled", reason=None)]
    ran = tendre("status")
    assert ran.code == 0
    for word in ("0.0", "engine", "off", "queue", "disk", "cloud", "dir 1.2 enabled"):
        assert word in ran.out


def test_status_as_json_is_the_daemons_own_document(tendre, peer):
    assert set(tendre("status", "--json").document) >= {"version", "engine", "queue", "cloud", "disk", "plugins"}


def test_up_is_fine_with_one_that_runs(tendre, peer):
    ran = tendre("up", "--json")
    assert ran.code == 0
    assert ran.document["started"] is False
    assert ran.document["url"] == peer.url
    assert TOKEN not in ran.out + ran.err


def test_down_without_a_daemon_is_done_already(tendre):
    ran = tendre("down", "--json")
    assert (ran.code, ran.document) == (0, {"stopped": False, "pid": None})


@pytest.mark.parametrize(("argv", "drain"), [((), True), (("--now",), False)])
def test_down_asks_and_waits_until_the_process_has_ended(tendre, home, sleeper, argv, drain):
    peer = RpcPeer(home, pid=sleeper.pid)
    peer.studio.on_stop = sleeper.stdin.close
    try:
        ran = tendre("down", *argv)
    finally:
        peer.close()
    assert ran.code == 0
    assert str(sleeper.pid) in ran.out
    assert not alive(sleeper.pid)
    assert peer.studio.stops == [drain]


def test_a_daemon_comes_up_answers_and_goes_down(tendre, home):
    up = tendre("up", "--json", "-o", "engine.threads=1")
    assert up.code == 0, up.err
    document = up.document
    assert document["started"] is True
    pid = document["status"]["pid"]
    try:
        assert alive(pid)
        assert os.getsid(pid) != os.getsid(0)
        assert stat.S_IMODE((home / "state" / "logs" / "daemon.out").stat().st_mode) == 0o600
        assert tendre("up", "--json").document["started"] is False
        assert tendre("status", "--json").document["pid"] == pid
        assert tendre("logs").code == 0
    finally:
        down = tendre("down")
    assert down.code == 0
    assert not alive(pid)
    assert tendre("status").code == 3


def test_a_relative_home_is_the_same_place_for_the_daemon(tmp_path):
    env = {**os.environ, "TENDRED_HOME": "here"}

    def tendre(*argv):
        command = [sys.executable, "-m", "tendred.app.cli", *argv]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    up = tendre("up")
    down = tendre("down")
    assert (up.returncode, down.returncode) == (0, 0), up.stderr + down.stderr
    assert str(tmp_path / "here" / "hot") in up.stdout


def test_of_two_that_start_at_once_the_other_one_does_as_well(tendre, home):
    paths = resolve(PathsSection(), {"TENDRED_HOME": str(home)})
    instance.prepare(paths)
    lock = instance.acquire(paths)
    said, made = paths.logs / "daemon.out", []

    def come_up():
        deadline = time.monotonic() + 20
        while not (said.exists() and said.stat().st_size) and time.monotonic() < deadline:
            pass
        made.append(RpcPeer(home))

    faster = threading.Thread(target=come_up)
    faster.start()
    try:
        ran = tendre("up", "--json")
    finally:
        faster.join()
        lock.release()
        made[0].close()
    assert ran.code == 0
    assert (ran.document["started"], ran.document["url"]) == (False, made[0].url)


def test_a_daemon_that_cannot_start_says_why(tendre, home):
    ran = tendre("up", "-o", "rpc.port=65536")
    assert ran.code == 2
    assert "rpc.port" in ran.err
    home.mkdir(exist_ok=True)
    (home / "data").write_text("no folder")
    ran = tendre("up", "--json")
    assert ran.code != 0
    assert str(home / "data") in ran.err
    assert ran.document["error"]["next"]


def test_status_of_a_fresh_daemon_says_that_nothing_waits(tendre, peer):
    assert "queue     runs, nothing waits\n" in tendre("status").out
    tendre("image", "egg")
    assert "queue     runs, nothing waits: 1 succeeded\n" in tendre("status").out
    tendre("image", "stuck", "--no-wait")
    tendre("queue", "pause")
    assert "queue     paused (by a person): 1 succeeded, 1 queued\n" in tendre("status").out


def test_up_says_that_it_runs_already(tendre, peer):
    assert "is already running" in tendre("up").out


def test_the_first_time_it_says_how_to_make_a_picture(tendre, peer):
    assert 'tendre image "@mira' in tendre("up").out
    assert tendre("image", "hills").code == 0
    assert "tendre image" not in tendre("up").out
