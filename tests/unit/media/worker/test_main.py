"""The media child by itself: what it prints, what it holds on to, when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tendred.schema.frames import LENGTH, Hello, Ready, pack, unpack_up


def start(**options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "tendred.media.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def greet(child: subprocess.Popen[bytes]) -> None:
    child.stdin.write(pack(Hello()))
    child.stdin.flush()
    (size,) = LENGTH.unpack(child.stdout.read(LENGTH.size))
    assert unpack_up(child.stdout.read(size)) == Ready()


def test_it_ends_with_its_stdin_and_says_nothing_else() -> None:
    with start(stderr=subprocess.PIPE) as child:
        greet(child)
        child.stdin.close()
        assert child.wait(10) == 0
        assert child.stdout.read() == b""
        assert child.stderr.read() == b""


def test_nonsense_on_stdin_ends_it() -> None:
    with start() as child:
        child.stdin.write(LENGTH.pack(3) + b"\xc1\xc1\xc1")
        child.stdin.flush()
        assert child.wait(10) == 2
        child.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_its_memory_is_bounded_and_nothing_heavy_is_in_it() -> None:
    with start() as child:
        greet(child)
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        maps = Path(f"/proc/{child.pid}/maps").read_text()
        child.stdin.close()
        child.wait(10)
    assert any(line.startswith("Max address space") and "2147483648" in line for line in limits.splitlines())
    assert "_imaging." in maps
    assert "torch" not in maps


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_it_dies_with_the_daemon_even_if_its_stdin_stays_open(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'tendred.media.worker'],"
        " stdin=int(sys.argv[1]), stdout=subprocess.PIPE)\n"
        "child.stdout.read(4)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    ours, theirs = os.pipe()[::-1]
    os.write(ours, pack(Hello()))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(theirs)], pass_fds=(theirs,), stdout=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < end, "the child outlived its parent"
        time.sleep(0.01)
    os.close(ours)
    os.close(theirs)
