import os
import stat
import sys

import psutil
import pytest

from tendred.children import ENV_ALLOWED, Child, spawn_child
from tendred.schema.frames import FRAME_BYTES, LENGTH, Beat, Cancel, Ready, Unload, pack

ECHO = """
import sys
from tendred.schema.frames import Cancel, ModelGone, pack, read_down
print("hello from stderr", file=sys.stderr)
while (frame := read_down(sys.stdin.buffer)) is not None:
    if isinstance(frame, Cancel):
        sys.exit(7)
    sys.stdout.buffer.write(pack(ModelGone(model=frame.model)))
    sys.stdout.buffer.flush()
"""
SAYS = """
import os, sys
sys.stdout.buffer.write(bytes.fromhex(os.environ["SAYS"]))
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""
STAYS = """
import signal, subprocess, sys
from tendred.schema.frames import ModelGone, pack
signal.signal(signal.SIGTERM, signal.SIG_IGN)
inner = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
sys.stdout.buffer.write(pack(ModelGone(model=str(inner.pid))))
sys.stdout.buffer.flush()
signal.pause()
"""
ENVIRONMENT = """
import os, sys
from tendred.schema.frames import ModelGone, pack
sys.stdout.buffer.write(pack(ModelGone(model=" ".join(os.environ))))
sys.stdout.buffer.flush()
"""


@pytest.fixture
async def start(tmp_path):
    started = []

    async def one(source, **env):
        (tmp_path / "childish.py").write_text(source)
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        child = await Child.start(spawn_child, "childish", {"PYTHONPATH": path, **env}, tmp_path / "stderr.log")
        started.append(child)
        return child

    yield one
    for child in started:
        await child.end(0)


async def test_frames_go_both_ways_and_stderr_goes_to_a_private_file(start, tmp_path):
    child = await start(ECHO)
    await child.send(Unload(model="a"))
    await child.send(Unload(model="b"))
    assert [(await child.read()).model, (await child.read()).model] == ["a", "b"]
    assert await child.end() == 0
    log = tmp_path / "stderr.log"
    assert log.read_text() == "hello from stderr\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_a_child_that_ends_is_noticed_by_reading(start):
    child = await start(ECHO)
    await child.send(Cancel(job_id="job_1"))
    assert await child.read() is None
    assert not child.garbled
    assert await child.end() == 7
    assert child.returncode == 7
    await child.send(Cancel(job_id="job_1"))


@pytest.mark.parametrize(
    ("said", "garbled"),
    [
        (b"Loading pipeline components...\n", True),
        (LENGTH.pack(3) + b"\xc1\xc1\xc1", True),
        (LENGTH.pack(FRAME_BYTES + 1), True),
        (pack(Cancel(job_id="job_1")), True),
    ],
)
async def test_nonsense_is_as_good_as_gone(start, said, garbled):
    child = await start(SAYS, SAYS=(pack(Ready(device="cpu")) + said).hex())
    assert await child.read() == Ready(device="cpu")
    assert await child.read() is None
    assert child.garbled is garbled
    assert await child.end() == 0


async def test_half_a_frame_is_an_end_and_no_nonsense(start):
    child = await start(SAYS.replace("sys.stdin.buffer.read()", ""), SAYS=pack(Beat())[:-1].hex())
    assert await child.read() is None
    assert not child.garbled


async def test_the_end_takes_everything_that_the_child_started(start):
    child = await start(STAYS)
    inner = psutil.Process(int((await child.read()).model))
    assert os.getsid(child.pid) == child.pid
    assert await child.end(0.2) < 0
    assert psutil.wait_procs([inner], timeout=10)[1] == []
    child.kill()


async def test_a_child_knows_little_of_our_environment(start, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("HF_TOKEN", "x")
    child = await start(ENVIRONMENT)
    names = set((await child.read()).model.split())
    assert names - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} <= {*ENV_ALLOWED}


async def test_a_module_of_the_working_directory_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "onlyhere.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    child = await Child.start(spawn_child, "onlyhere", {}, tmp_path / "stderr.log")
    assert await child.read() is None
    assert await child.end() == 1
    assert "onlyhere" in (tmp_path / "stderr.log").read_text()
    assert sys.executable
