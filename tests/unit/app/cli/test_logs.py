import json
import os
import signal
import subprocess
import sys

import pytest

from tendred.app.cli.logs import pretty


@pytest.fixture
def log(home):
    path = home / "state" / "logs" / "tendred.log"
    path.parent.mkdir(parents=True)
    return path


def record(message, **fields):
    stamp = "2026-11-22T19:58:01.123Z"
    return json.dumps({"at": stamp, "level": "info", "logger": "tendred.x", "message": message, **fields}) + "\n"


def test_no_log_is_told(tendre):
    ran = tendre("logs")
    assert ran.code == 1
    assert "tendre up" in ran.err


def test_lines_are_made_readable(tendre, log):
    log.write_text(record("hello", job_id="job_1", traceback=["one", "two"]))
    assert tendre("logs").out.splitlines() == [
        "2026-11-22 19:58:01.123 info    tendred.x: hello job_id=job_1",
        "    one",
        "    two",
    ]


def test_the_last_lines_raw_or_as_json(tendre, log):
    log.write_text("".join(record(str(number)) for number in range(5)))
    assert tendre("logs", "--raw", "-n", "2").out.splitlines() == [record("3").strip(), record("4").strip()]
    assert [json.loads(line)["message"] for line in tendre("logs", "--json").out.splitlines()] == list("01234")


def test_a_line_that_is_no_record_is_shown_harmless(tendre, log):
    log.write_bytes(b"\x1b[31mhalf\xff\n\n" + record("after").encode())
    out = tendre("logs").out
    assert "\x1b" not in out
    assert "half" in out
    assert "after" in out


def test_following_goes_through_a_rotation(home, log):
    log.write_text(record("one"))
    command = [sys.executable, "-m", "tendred.app.cli", "--home", str(home), "logs", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "one" in process.stdout.readline()
        with log.open("a") as file:
            file.write(record("two"))
        assert "two" in process.stdout.readline()
        log.rename(log.with_name("tendred.log.1"))
        log.write_text(record("three"))
        assert "three" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
    assert process.returncode == 130


def test_fields_that_are_no_text_are_shown_as_json():
    assert pretty({"message": "x", "n": 1, "who": "me", "none": None})[0].endswith("x n=1 who=me")


@pytest.mark.parametrize("lines", ["-3", "x", "1.5", ""])
def test_a_number_of_lines_counts_from_0(tendre, log, lines):
    log.write_text(record("one"))
    assert tendre("logs", "-n", lines).code == 2
    assert tendre("logs", "-n", "0").out == ""
