"""kill -9 of a whole daemon while clips are sent, rendered and fetched: nothing is ordered twice, nothing paid is lost."""

from __future__ import annotations

import shutil
import signal
from collections import Counter

import pytest

from tendred.app.client import RpcError
from tendred.errors import NoDaemon
from tendred.testing.faulty import OPERATIONS
from tendred.testing.process import DaemonProcess, until

pytest.importorskip("av")

from tendred.testing.drawn import Drawn, draw

from .there import There, key_file, owned

KILLS = 200
PARTS = 8
WORDS = ("rain on a tin roof", "waves on a stony beach", "wind in dry reeds")
ASKED = {"provider": "ltx", "model": "ltx-2-3-fast", "width": 1280, "height": 720, "seconds": 2}
CAPS = {"job_mcr": 10**6, "day_mcr": 10**7, "month_mcr": 10**7}
OVER = ("settled", "failed", "rejected", "refused", "unknown")
QUIET = ("library.reserve_bytes=0", "rpc.port=0")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("film") / "a.mp4", Drawn(width=128, height=96, seconds=0.5)).read_bytes()


@pytest.fixture(scope="module")
def operations(tmp_path_factory, film):
    """How many a life has that nobody kills."""
    home = tmp_path_factory.mktemp("whole") / "home"
    killed(home, film, 0)
    return len((home / OPERATIONS).read_text().splitlines())


def taken(there):
    """The provider's jobs by our words; before them may stand the boundary's own."""
    jobs = list(there.fake.jobs.values())
    return {words: f"{job.endpoint}/{job.id}" for job in jobs for words in WORDS if words in job.asked["prompt"]}


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


def live(home, there, at):
    """One life, until its work is done or it dies. Its exit status if it died."""
    given = [word for setting in (*QUIET, key_file(home)) for word in ("-o", setting)]
    with DaemonProcess(home, "--at", str(at), *given) as daemon:
        client = owned(daemon)
        if client is not None:
            try:
                order(client)
                until(lambda: not daemon.running or still(client), "clips come to their end", 240)
                if at == 0:
                    resolve(client, there)
            except (NoDaemon, RpcError):
                if daemon.running and at == 0:
                    raise
        if not daemon.running or client is None:
            return daemon.process.wait(60)
        return daemon.end() or None  # it may have been its last operation that was meant


def resolve(client, there):
    """A person looks at the console, and says what is there; then everything comes to its end."""
    for prompt, job in clips(client).items():
        if job["clip"]["phase"] != "unknown":
            continue
        remote = taken(there).get(prompt)
        said = {"outcome": "not_charged"} if remote is None else {"outcome": "found", "remote_id": remote}
        client.call("spend.resolve", job_id=job["id"], **said)
    until(lambda: all(job["clip"]["phase"] in OVER[:-1] for job in clips(client).values()), "every clip ends", 240)
    check(client, there)


def check(client, there):
    """What the provider took is here; what it didn't take is booked as nothing."""
    for prompt, job in clips(client).items():
        expected = "settled" if prompt in taken(there) else "failed"
        assert job["clip"]["phase"] == expected, job
        if expected == "settled":
            asset = client.call("library.get", asset_id=job["asset_ids"][0])
            assert asset["state"] == "kept"
    assert client.call("spend.report")["chain"] == "whole"


def killed(home, film, at):
    """A life that is killed at an operation, and one that finishes its work. Whether it was killed."""
    home.mkdir()
    with There(film) as there:
        there.prepare(home)
        status = live(home, there, at)
        if status is not None:
            assert status == -signal.SIGKILL
            assert live(home, there, 0) is None
        orders = Counter(job.asked["prompt"] for job in there.fake.jobs.values())
        assert [prompt for prompt, count in orders.items() if count > 1] == [], f"at {at}"
        assert there.fake.wrong == []
    if at:
        shutil.rmtree(home)
    return status is not None


@pytest.mark.timeout(900)
def test_a_daemon_that_is_killed_pays_once(tmp_path, film, operations):
    hits = [killed(tmp_path / str(at), film, at) for at in (operations * 2 // 5, operations * 3 // 5)]
    assert any(hits)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.soak if part else pytest.mark.heavy) for part in range(PARTS)]
)
def test_two_hundred_kills(tmp_path, film, operations, part):
    """In parts, so that some can be run where there is no time for all: `-k "kills and 3"`."""
    points = [1 + number * operations // KILLS for number in range(part, KILLS, PARTS)]
    hits = sum(killed(tmp_path / str(at), film, at) for at in points)
    print(f"{operations} operations, {len(points)} points, {hits} kills, 0 double orders, 0 lost")  # noqa: T201 - the figures, for pytest -s
    assert hits > len(points) // 2
