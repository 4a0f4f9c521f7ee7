"""A job is told to stop while no backend knows it yet: after its claim, before it is drawn."""

import asyncio
import threading

import pytest

from tendred.app.assembly import Machine
from tendred.fs import SystemFs
from tendred.testing.daemon import SCRIPT, TestDaemon, quiet
from tendred.testing.spawn import SpawnFakes


class Gate(SystemFs):
    """Files whose staging folders wait to be made."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()

    def mkdir(self, path):
        if path.parent.name == ".staging":
            self.reached.set()
            assert self.open.wait(20)
        super().mkdir(path)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
async def daemon(tmp_path, gate):
    home = tmp_path / "home"
    daemon = await TestDaemon.start(home, quiet(), Machine(fs=gate, spawn=SpawnFakes(script=home / SCRIPT)))
    yield daemon
    gate.open.set()
    await daemon.stop()


async def held(daemon, gate):
    job = await daemon.submit("hills")
    await asyncio.to_thread(gate.reached.wait, 20)
    assert (await daemon.studio.job(job.id)).state == "running"
    return job


async def test_a_cancel_is_not_lost(daemon, gate):
    job = await held(daemon, gate)
    assert (await daemon.studio.cancel(job.id)).state == "cancelling"
    gate.open.set()
    assert (await daemon.studio.wait(job.id, 20)).state == "cancelled"
    assert (await daemon.studio.status()).engine.state == "off"
    assert (await daemon.still("hills")).state == "succeeded"


async def test_a_pause_puts_it_back(daemon, gate):
    job = await held(daemon, gate)
    pausing = asyncio.ensure_future(daemon.studio.pause(mode="now", unload=False))
    await daemon.eventually(lambda: daemon.studio._p.pauses.reason)
    gate.open.set()
    assert (await pausing).counts["queued"] == 1
    assert (await daemon.studio.job(job.id)).attempts == 0
    await daemon.studio.resume()
    assert (await daemon.studio.wait(job.id, 20)).state == "succeeded"
