"""Nobody outside is talked to: not at the start, not for a picture, a search or a judgement, not at the end."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tendred.testing.faulty import SCRIPT
from tendred.testing.process import DaemonProcess

STRACE = ("strace", "-f", "-qq", "-s", "0", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o")
FAMILY = re.compile(r"sa_family=(AF_\w+)")
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
LOCAL = {"AF_UNIX", "AF_NETLINK", "AF_UNSPEC"}


def outside(trace: Path) -> list[str]:
    """Calls with an address that is not on this machine."""
    return [line for line in trace.read_text().splitlines() if _leaves(line)]


def _leaves(line: str) -> bool:
    families = set(FAMILY.findall(line))
    if families <= LOCAL:
        return False
    hosts = [four or six for four, six in ADDRESS.findall(line)]
    return not hosts or not all(host.startswith("127.") or host == "::1" for host in hosts)


def everything(home: Path, trace: Path, *arguments: str) -> int:
    """A life under strace: start, a picture, a search, a judgement, the end. Returns how many lines were traced."""
    (home / "hot").mkdir(parents=True)
    (home / SCRIPT).write_text('{"steps": 1}')
    (home / "hot" / "hills.txt").write_text("blue hills")
    # A machine with a proxy and a token for model hubs: neither may be used by anybody.
    env = {"HTTPS_PROXY": "http://192.0.2.1:3128", "HTTP_PROXY": "http://192.0.2.1:3128", "HF_TOKEN": "hf_x"}
    options = ["-o", "library.reserve_bytes=0", *arguments]
    with DaemonProcess(home, *options, before=(*STRACE, str(trace)), env=env) as daemon:
        client = daemon.ready()
        job = client.call("images.generate", prompt="red hills", width=64, height=64, steps=2)["job"]
        while (state := client.call("jobs.wait", job_id=job["id"], timeout_s=60)["state"]) in {"queued", "running"}:
            pass
        assert state == "succeeded"
        client.call("library.search", query="hills")
        assert client.call("boundary.check", prompt="a 15 year old")["verdict"] == "refuse"
        client.call("models.list")
        client.call("system.shutdown")
        daemon.process.wait(60)
    return len(trace.read_text().splitlines())


@pytest.mark.needs("strace")
@pytest.mark.timeout(90)
def test_nobody_outside_is_talked_to(tmp_path):
    assert everything(tmp_path / "home", tmp_path / "trace") > 0
    assert outside(tmp_path / "trace") == []


@pytest.mark.heavy
@pytest.mark.engine
@pytest.mark.needs("strace")
@pytest.mark.timeout(600)
def test_nobody_outside_is_talked_to_with_the_real_engine(tmp_path):
    assert everything(tmp_path / "home", tmp_path / "trace", "--engine", "real") > 0
    assert outside(tmp_path / "trace") == []


TRIES = {
    "tcp": "s = socket.socket(); s.settimeout(0.01); s.connect_ex(('192.0.2.1', 443))",
    "udp": "socket.socket(type=socket.SOCK_DGRAM).connect_ex(('192.0.2.1', 53))",
    "udp without connect": "s = socket.socket(type=socket.SOCK_DGRAM); s.setblocking(False); s.sendto(b'', ('192.0.2.1', 9))",
    "ipv6": "s = socket.socket(socket.AF_INET6); s.settimeout(0.01); s.connect_ex(('2001:db8::1', 443))",
}


@pytest.mark.needs("strace")
@pytest.mark.parametrize("code", TRIES.values(), ids=TRIES)
def test_what_leaves_is_noticed(tmp_path, code):
    if "INET6" in code and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    child = f"import socket, contextlib\nwith contextlib.suppress(OSError):\n    {code}"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    subprocess.run([*STRACE, str(tmp_path / "trace"), sys.executable, "-c", parent], check=True, env=dict(os.environ))
    assert len(outside(tmp_path / "trace")) == 1
