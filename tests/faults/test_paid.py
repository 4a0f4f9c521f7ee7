"""kill -9 of a whole daemon while clips are sent, rendered and fetched: nothing is ordered twice, nothing paid is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
from collections import Counter

import pytest

from tendred.app.client import RpcError
from tendred.app.owner import read_owner
from tendred.errors import NoDaemon
from tendred.testing.faulty import OPERATIONS
from tendred.testing.process import DaemonProcess, until
from tendred.testing.providers.clips import canned
from tendred.testing.providers.ltx import FakeLtx

pytest.importorskip("av")

from tendred.testing.drawn import Drawn, draw

KILLS = 200
WORDS = ("rain on a tin roof", "waves on a stony beach", "wind in dry reeds")
ASKED = {"provider": "ltx", "model": "ltx-2-3-fast", "width": 1280, "height": 720, "seconds": 2}
CAPS = {"job_mcr": 10**6, "day_mcr": 10**7, "month_mcr": 10**7}
OVER = ("settled", "failed", "rejected", "refused", "unknown")
QUIET = ("library.reserve_bytes=0", "rpc.port=0")
KEY = "test-key-0123456789abcdef"


class There:
    """The provider, on a loop of its own: it outlives every daemon."""

    def __init__(self, film):
        self.fake = FakeLtx(canned(film), key=KEY, render_s=0.1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._run(self.fake.start())
        return self

    def __exit__(self, *_):
        self._run(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def taken(self):
        """Its jobs by our words; before them may stand the boundary's own."""
        jobs = list(self.fake.jobs.values())
        return {words: f"{job.endpoint}/{job.id}" for job in jobs for words in WORDS if words in job.asked["prompt"]}

    def prepare(self, home):
        """A home whose provider this is."""
        (home / "config" / "providers").mkdir(parents=True)
        (home / "config" / "providers" / "ltx.toml").write_text(
            f'table_date = 2026-11-23\nsource = "a fake"\nendpoint = "{self.fake.api}"\nstorage = "{self.fake.api}"\n'
            "poll_s = 0.1\n"
        )
        (home / "ltx.key").write_text(KEY)
        (home / "ltx.key").chmod(0o600)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("film") / "a.mp4", Drawn(width=128, height=96, seconds=0.5)).read_bytes()


def owned(daemon):
    client = daemon.client(240)
    token = None if client is None else read_owner(daemon.paths.owner_token)
    return None if client is None or token is None else client.bearing(token.reveal())


def clips(client):
    return {job["request"]["prompt"]: job for job in client.call("jobs.list", kind="clip")["jobs"]}


def order(client):
    """What wasn't taken yet. Whether a render that was broken off was, the next life sees in its rows."""
    client.call("cloud.enable", provider="ltx", caps=CAPS)
    known = clips(client)
    for prompt in WORDS:
        if prompt in known:
            continue
        quote = client.call("clips.quote", prompt=prompt, **ASKED)
        shown = client.call("clips.confirm", quote_id=quote["id"])
        client.call("clips.render", quote_id=quote["id"], confirm=shown["code"])


def still(client):
    try:
        return len(known := clips(client)) == len(WORDS) and all(job["clip"]["phase"] in OVER for job in known.values())
    except NoDaemon:
        return True


def live(home, at):
    """One life, until its work is done or it dies. Its exit status if it died."""
    given = [
        word for setting in (*QUIET, f'cloud.key_files={{ltx = "{home / "ltx.key"}"}}') for word in ("-o", setting)
    ]
    with DaemonProcess(home, "--at", str(at), *given) as daemon:
        client = owned(daemon)
        if client is not None:
            try:
                order(client)
                until(lambda: not daemon.running or still(client), "clips come to their end", 240)
                if at == 0:
                    resolve(client, home)
            except (NoDaemon, RpcError):
                if daemon.running and at == 0:
                    raise
        if not daemon.running or client is None:
            return daemon.process.wait(60)
        return daemon.end() or None  # it may have been its last operation that was meant


def resolve(client, home):
    """A person looks at the console, and says what is there; then everything comes to its end."""
    there = HOMES[home]
    for prompt, job in clips(client).items():
        if job["clip"]["phase"] != "unknown":
            continue
        remote = there.taken().get(prompt)
        said = {"outcome": "not_charged"} if remote is None else {"outcome": "found", "remote_id": remote}
        client.call("spend.resolve", job_id=job["id"], **said)
    until(lambda: all(job["clip"]["phase"] in OVER[:-1] for job in clips(client).values()), "every clip ends", 240)
    check(client, there)


def check(client, there):
    for prompt, job in clips(client).items():
        expected = "settled" if prompt in there.taken() else "failed"
        assert job["clip"]["phase"] == expected, job
        if expected == "settled":
            asset = client.call("library.get", asset_id=job["asset_ids"][0])
            assert asset["state"] == "kept"
    assert client.call("spend.report")["chain"] == "whole"


HOMES = {}


def killed(home, film, at):
    """A life that is killed at an operation, and one that finishes its work."""
    home.mkdir()
    with There(film) as there:
        HOMES[home] = there
        there.prepare(home)
        status = live(home, at)
        if status is not None:
            assert status == -signal.SIGKILL
            assert live(home, 0) is None
        doubles = {prompt: count for prompt, count in Counter(
            job.asked["prompt"] for job in there.fake.jobs.values()
        ).items() if count > 1}  # fmt: skip
        assert doubles == {}, f"at {at}"
        assert there.fake.wrong == []
        operations = len((home / OPERATIONS).read_text().splitlines()) if at == 0 else 0
    shutil.rmtree(home)
    return status is not None, operations


@pytest.mark.timeout(900)
def test_a_daemon_that_is_killed_pays_once(tmp_path, film):
    _, operations = killed(tmp_path / "whole", film, 0)
    hits = [killed(tmp_path / str(at), film, at)[0] for at in (operations * 2 // 5, operations * 3 // 5)]
    assert any(hits)


@pytest.mark.heavy
@pytest.mark.timeout(7200)
def test_two_hundred_kills(tmp_path, film):
    _, operations = killed(tmp_path / "whole", film, 0)
    hits = sum(killed(tmp_path / f"{number}", film, 1 + number * operations // KILLS)[0] for number in range(KILLS))
    assert hits > KILLS // 2
