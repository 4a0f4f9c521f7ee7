"""What happens where a person looks: a real terminal pair, and the real program in a process of its own."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty")


class Terminal:
    """`tendre` on a terminal of 100 columns."""

    def __init__(self, home, *argv, **more):
        self._ours, theirs = pty.openpty()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("TENDRED_", "LC_", "LANG"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tendred.app.cli", "--home", str(home), *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": "xterm", "COLUMNS": "100", **more},
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text):
        """Read until the text is there, or nothing more comes."""
        deadline = time.monotonic() + 15
        while text not in self.seen and time.monotonic() < deadline:
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._ours, 4096).decode("utf-8", "replace")
                except OSError:  # the other side is closed
                    break
        return text in self.seen

    def type(self, text):
        os.write(self._ours, text.encode())

    def end(self):
        """The exit code, once everything was read."""
        self.until("\0never")
        code = self.process.wait(10)
        os.close(self._ours)
        return code


def test_progress_is_shown_and_cleared(home, peer):
    terminal = Terminal(home, "image", "egg")
    assert terminal.until("sampling")
    assert terminal.until("10/20")
    assert terminal.until(".png")
    assert terminal.end() == 0


def test_without_a_terminal_there_is_no_bar(tendre, peer):
    ran = tendre("image", "egg")
    assert "sampling" not in ran.out + ran.err


def test_ctrl_c_leaves_the_job_and_says_how_to_stop_it(home, peer):
    terminal = Terminal(home, "image", "stuck")
    assert terminal.until("queued")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.until("tendre cancel job_")
    assert terminal.end() == 130
    [job] = peer.run(peer.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs
    assert job.state == "queued"


def test_ctrl_c_cancels_if_that_was_asked_for(home, peer):
    terminal = Terminal(home, "image", "stuck", "--cancel-on-interrupt")
    assert terminal.until("queued")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.until("was cancelled")
    assert terminal.end() == 5
    [job] = peer.run(peer.studio.jobs(state=None, kind=None, limit=5, cursor=None)).jobs
    assert job.state == "cancelled"


def test_without_a_daemon_it_offers_to_start_one(home):
    terminal = Terminal(home, "jobs")
    assert terminal.until("Start it? [Y/n]")
    terminal.type("n\n")
    assert terminal.end() == 3
    assert "tendre up" in terminal.seen


def test_under_json_nothing_is_asked(home):
    terminal = Terminal(home, "jobs", "--json")
    assert terminal.end() == 3
    assert "[Y/n]" not in terminal.seen


def test_a_long_prompt_is_cut_to_the_terminal(home, tendre, peer):
    tendre("image", "egg " * 100, "--no-wait")
    terminal = Terminal(home, "jobs")
    assert terminal.end() == 0
    assert max(len(line) for line in terminal.seen.splitlines()) <= 100
    assert "…" in terminal.seen


def test_a_pause_is_told_above_the_bar(home, tendre, peer):
    tendre("queue", "pause")
    terminal = Terminal(home, "image", "stuck", "--timeout", "1")
    assert terminal.end() == 7
    assert terminal.seen.count("tendre queue resume") == 1


def test_what_is_being_drawn_is_shown_where_the_terminal_can(home, peer):
    colours = {"COLORTERM": "truecolor", "LINES": "40"}
    terminal = Terminal(home, "image", "egg", **colours)
    assert terminal.until("\x1b[38;2;255;0;0m\N{UPPER HALF BLOCK}")
    assert terminal.end() == 0
    for argv, more in ((("--no-preview",), colours), ((), {"LINES": "40"})):
        terminal = Terminal(home, "image", "egg", *argv, **more)
        assert terminal.end() == 0
        assert "sampling" in terminal.seen
        assert "\N{UPPER HALF BLOCK}" not in terminal.seen
