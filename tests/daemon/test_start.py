"""Start and end as a user sees them: `python -m tendred`, its exit status, and its words on stderr."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing

import pytest

from tendred.testing.faulty import SCRIPT
from tendred.testing.process import DaemonProcess, until

EXIT_S = 10
"""How long an end may take, whatever is being drawn."""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def tendred(home):
    """`tendred("-o", "x=y")` starts one, like `tendred` in a terminal; all are killed at the end."""
    started = []

    def start(*arguments, at=home, module="tendred", **more):
        started.append(DaemonProcess(at, *arguments, module=module, **more))
        return started[-1]

    yield start
    for daemon in started:
        with daemon:
            pass


@pytest.fixture
def drawing(tendred, home):
    """`drawing(script)`: a daemon with the stand-in engine in the middle of a job; the daemon, a client, the job's id."""

    def start(script, *arguments):
        home.mkdir()
        (home / SCRIPT).write_text(json.dumps(script))
        daemon = tendred("-o", "library.reserve_bytes=0", *arguments, module="tendred.testing.faulty")
        client = daemon.ready()
        job_id = client.call("images.generate", prompt="hills", width=64, height=64)["job"]["id"]

        def busy():
            progress = client.call("jobs.get", job_id=job_id)["progress"]
            return progress is not None and progress["phase"] == "sampling"

        until(busy, "it draws")
        return daemon, client, job_id

    return start


def refused(daemon, *words, status=2):
    """It ended with this status, and said why and what to do, without a traceback."""
    assert daemon.process.wait(30) == status
    for word in words:
        assert word in daemon.words
    assert "Traceback" not in daemon.words
    assert len(daemon.words.strip().splitlines()) == 2


def row(home, job_id):
    with closing(sqlite3.connect(home / "data" / "tendred.db")) as database:
        return database.execute("SELECT state, attempts FROM job WHERE id = ?", (job_id,)).fetchone()


def test_it_ends_cleanly_and_takes_its_discovery_file_along(tendred):
    daemon = tendred()
    discovery = daemon.ready().discovery
    assert daemon.paths.discovery.exists()
    assert daemon.end() == 0
    assert not daemon.paths.discovery.exists()
    assert not os.path.exists(discovery.socket)
    assert daemon.words == ""


def test_a_second_one_names_the_first_and_leaves_it_alone(tendred):
    first = tendred()
    client = first.ready()
    home = first.home
    words = home / "second"
    second = tendred(at=words, env={"TENDRED_HOME": str(home)})
    refused(second, str(first.process.pid), str(home / "data"))
    assert client.call("system.hello", client="test", version="1")["boot_id"] == client.discovery.boot_id


def test_what_a_killed_one_left_is_no_obstacle(tendred, home):
    first = tendred()
    stale = first.ready().discovery
    first.process.kill()
    first.process.wait()
    assert (home / "data" / "tendred.lock").exists()
    assert (home / "runtime" / "tendred.json").exists()
    assert os.path.exists(stale.socket)
    second = tendred()
    fresh = second.ready().discovery
    assert fresh.boot_id != stale.boot_id
    assert fresh.token != stale.token
    assert second.end() == 0


def test_a_lock_file_with_the_number_of_a_living_process_is_no_lock(tendred, home):
    (home / "data").mkdir(parents=True)
    (home / "data" / "tendred.lock").write_text(f"{os.getpid()}\n")
    assert tendred().ready().call("system.status")["api"] == "1.0"


def test_a_port_in_use_is_named(tendred, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(tendred("-o", f"rpc.port={port}"), str(port))
    assert not (home / "runtime" / "tendred.json").exists()
    daemon = tendred("-o", f"rpc.port={port}")
    assert daemon.ready().discovery.url.endswith(f":{port}")


def test_a_setting_that_is_none_is_named(tendred):
    refused(tendred("-o", "rpc.prot=1"), "rpc.prot")


def test_a_folder_that_can_not_be_made_is_named(tendred, home):
    home.mkdir()
    (home / "data").write_text("a file")
    refused(tendred(), str(home / "data"), status=1)


def test_a_database_that_is_none_is_named(tendred, home):
    (home / "data").mkdir(parents=True)
    (home / "data" / "tendred.db").write_text("this is no database " * 100)
    refused(tendred(), str(home / "data" / "tendred.db"))


def test_a_signal_lets_a_short_job_finish(drawing, home):
    daemon, _, job_id = drawing({"step_s": 0.3, "steps": 3})
    assert daemon.end(EXIT_S) == 0
    assert row(home, job_id) == ("succeeded", 1)


def test_a_signal_puts_a_long_job_back(drawing, home):
    daemon, _, job_id = drawing({"step_s": 0.2, "steps": 10_000}, "-o", "daemon.drain_s=0.2")
    assert daemon.end(EXIT_S) == 0
    assert row(home, job_id) == ("queued", 0)


def test_a_job_that_can_not_be_stopped_does_not_make_the_end_late(drawing, home):
    """The grace that a cancelled job has otherwise, 10 s, isn't given at the end."""
    daemon, _, job_id = drawing({"step_s": 0.2, "steps": 10_000, "ignore_cancel": True}, "-o", "daemon.drain_s=1")
    assert daemon.end(EXIT_S) == 0
    assert row(home, job_id) == ("queued", 0)


def test_a_second_signal_ends_it_at_once_and_the_next_start_goes_on(drawing, tendred, home):
    daemon, _, job_id = drawing({"step_s": 0.2, "steps": 10_000}, "-o", "daemon.drain_s=3600")
    daemon.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(0.5)
    assert daemon.end(EXIT_S) == 1
    (home / SCRIPT).write_text('{"steps": 1}')
    client = tendred("-o", "library.reserve_bytes=0", module="tendred.testing.faulty").ready()
    job = client.call("jobs.wait", job_id=job_id, timeout_s=20)
    assert (job["state"], job["attempts"]) == ("succeeded", 2)


def test_ctrl_c_is_the_same_as_a_signal(tendred):
    daemon = tendred()
    daemon.ready()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(EXIT_S) == 0
    assert daemon.words == ""
