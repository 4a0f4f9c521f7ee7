"""A clip from the login to the books, through two crashes, with a key, words and an address that can be told anywhere."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing

import psutil
import pytest

from tendred.app.client import RpcError
from tendred.errors import NoDaemon
from tendred.testing.faulty import OPERATIONS
from tendred.testing.process import DaemonProcess, until
from tendred.testing.providers.faults import Fault
from tendred.testing.secret_service import PROGRAMS, SecretService

pytest.importorskip("av")

from tendred.testing.drawn import Drawn, draw

from .there import There, owned

KEY = "canary-key-5c01dc0ffee5"
WORD = "marzipanwindmill"
URL = "canary-signature-0b5e55ed"
ASKED = {
    "prompt": f"a {WORD} turns in light rain", "provider": "ltx", "model": "ltx-2-3-fast", "width": 1280, "height": 720,
    "seconds": 2,
}  # fmt: skip
CAPS = {"job_mcr": 10**6, "day_mcr": 10**7, "month_mcr": 10**7}
LOUD = [word for one in ("library.reserve_bytes=0", "rpc.port=0", "log.level=debug") for word in ("-o", one)]
FAULTS = [
    Fault(where="upload", what="status", status=503),
    Fault(where="submit", what="status", status=429, retry_after="0"),
    Fault(where="poll", what="redirect"), Fault(where="poll", what="truncated", nth=2),
    Fault(where="poll", what="page", status=502, nth=3), Fault(where="download", what="redirect"),
    Fault(where="download", what="page", status=502, nth=2), Fault(where="download", what="cut", at=700, nth=3),
    Fault(where="download", what="trickle", pause_s=30, nth=4),
]  # fmt: skip
DOWNLOADS = len([one for one in FAULTS if one.where == "download"])
TOLD = {
    ("job", "request"), ("job", "asked"), ("job", "sealed_request"), ("job", "conditioning"), ("event", "data"),
    ("asset", "doc"), ("asset", "path"), ("asset", "words"), ("asset_words_data", "block"), ("receipt", "doc"),
}  # fmt: skip
"""Where the words may stand: the job and what was told of it, the library, and the receipt."""


class Onlooker:
    """Another program of this user: looks at what any can see of the daemon and its children, all the time."""

    def __init__(self, process):
        self._process, self._over = psutil.Process(process.pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen, self.programs = set(), set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.01):
            with contextlib.suppress(psutil.Error):
                for one in (self._process, *self._process.children(recursive=True)):
                    shown = f"{one.cmdline()} {one.environ()}"
                    self.programs.update(part for part in one.cmdline() if part.startswith("tendred."))
                    self.seen.update(canary for canary in (KEY, WORD, URL) if canary in shown)


def holders(folder, canary):
    """Files that hold it, or are called by it; not the record of the faulty machine, which names every file."""
    return {
        str(file.relative_to(folder)) for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
        and file.name != OPERATIONS and (canary.encode() in file.read_bytes() or canary in file.name)
    }  # fmt: skip


def columns(home, canary):
    """Columns of the database that hold it."""
    found = set()
    with closing(sqlite3.connect(f"file:{home}/data/tendred.db?mode=ro", uri=True)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = database.execute(f'SELECT * FROM "{table}"')
            names = [one[0] for one in rows.description]
            for row in rows:
                values = [value if isinstance(value, bytes) else str(value).encode() for value in row]
                found |= {(table, name) for name, value in zip(names, values, strict=True) if canary.encode() in value}
    return found


def search(home):
    """What is wrong with where the canaries are."""
    assert holders(home, KEY) == set()
    assert holders(home, URL) == set()
    assert columns(home, WORD) <= TOLD
    for file in holders(home, WORD):
        assert file.startswith(("data/tendred.db", "pictures/")), file


def take(client, **changes):
    quote = client.call("clips.quote", **{**ASKED, **changes})
    shown = client.call("clips.confirm", quote_id=quote["id"])
    return client.call("clips.render", quote_id=quote["id"], confirm=shown["code"])["id"]


def still(client):
    job = client.call("images.generate", prompt="a tin roof", width=64, height=64, steps=1)["job"]
    while job["state"] in {"queued", "running"}:
        job = client.call("jobs.wait", job_id=job["id"], timeout_s=30)
    return job["asset_ids"][0]


def phase(client, job_id):
    try:
        return client.call("jobs.get", job_id=job_id)["clip"]["phase"]
    except NoDaemon:
        return ""


def fetches(there):
    return len([one for one in there.fake.requests if one.on == "storage" and one.method == "GET"])


def life(home, service):
    return DaemonProcess(home, *LOUD, env=service.env)


def broken(daemon):
    """Its status after an exception in the middle of whatever it does; where a callback caught it, after another."""
    for _ in range(3):
        daemon.process.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return daemon.process.wait(30)
    raise AssertionError("it doesn't break")


@pytest.mark.needs(*PROGRAMS)
@pytest.mark.timeout(600)
def test_canaries_are_where_they_belong_and_nowhere_else(tmp_path):
    film = draw(tmp_path / "a.mp4", Drawn(width=128, height=96, seconds=0.5)).read_bytes()
    home, words = tmp_path / "home", []
    with (
        SecretService(tmp_path / "desktop") as service,
        There(film, key=KEY, signature=URL, faults=FAULTS, render_s=3.0) as there,
    ):
        there.prepare(home)
        with life(home, service) as daemon, Onlooker(daemon.process) as first:
            client = owned(daemon)
            client.call("cloud.login", provider="ltx", key=KEY)
            client.call("cloud.enable", provider="ltx", caps=CAPS)
            job_id = take(client, first=still(client))
            until(lambda: phase(client, job_id) in {"submitted", "rendering"}, "it was taken", 60)
            daemon.process.kill()
            daemon.process.wait()
            words.append(daemon.words)
        search(home)  # with whatever the database hadn't put in its place yet
        with life(home, service) as daemon, Onlooker(daemon.process) as second:
            client = owned(daemon)
            until(lambda: fetches(there) == DOWNLOADS, "it is fetched in vain, and then slowly", 200)
            assert phase(client, job_id) == "downloading"
            assert broken(daemon) == 1
            words.append(daemon.words)
        search(home)
        there.fake.script.add(Fault(where="submit", what="redirect", accepted=True))
        with life(home, service) as daemon, Onlooker(daemon.process) as third:
            client = owned(daemon)
            until(lambda: phase(client, job_id) == "settled", "it is kept", 120)
            lost = take(client)
            until(lambda: phase(client, lost) == "unknown", "nobody knows of the other", 60)
            [asset_id] = client.call("jobs.get", job_id=job_id)["asset_ids"]
            assert client.call("library.get", asset_id=asset_id)["state"] == "kept"
            evidence = json.dumps([client.call("clips.evidence", job_id=one) for one in (job_id, lost)])
            with pytest.raises(RpcError) as refused:
                client.call("cloud.login", provider="ltx", key=f"{KEY} ")
            assert daemon.end() == 0
            words.append(daemon.words)
        search(home)
        check(home, there, words, [first, second, third], evidence + str(refused.value.info))


def check(home, there, words, onlookers, told):
    """At the end: it was all there to be found, and was found nowhere."""
    assert "Broken: this daemon was broken on purpose" in words[1]
    assert "Traceback" in words[1]
    said = "".join((*words, told))
    assert not [canary for canary in (KEY, WORD, URL) if canary in said]
    assert [one.seen for one in onlookers] == [set(), set(), set()]
    assert {"tendred.config.keyring_call", "tendred.media.worker"} <= set().union(*(one.programs for one in onlookers))
    assert there.fake.leaks == []
    # A result may lie elsewhere and is fetched there, without the key; an order and a question go nowhere else.
    strangers = [(one.method, one.path) for one in there.fake.requests if one.on == "stranger"]
    assert strangers
    assert {method for method, _ in strangers} == {"GET"}
    assert all(path.startswith("/clips/") for _, path in strangers)
    for one in there.fake.requests:
        if one.on != "api":
            assert KEY not in f"{one.path} {one.query} {one.headers} {one.data}"
            assert WORD not in f"{one.path} {one.query} {one.headers}"
    jobs = list(there.fake.jobs.values())
    assert [WORD in job.asked["prompt"] for job in jobs] == [True, True]
    # The test would notice: the words are in all three places, and files that could hold the others are there.
    assert {table for table, _ in columns(home, WORD)} >= {"job", "asset", "receipt"}
    assert any(file.endswith(".receipt.json") for file in holders(home, WORD))
    assert list((home / "logs").rglob("*.log")) or list(home.rglob("tendred.log"))
