"""One daemon that is killed, and the next one that finishes its work."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tendred.app.client import Client
from tendred.errors import NoDaemon
from tendred.testing.faulty import OPERATIONS, PIDS, SCRIPT
from tendred.testing.invariants import settled
from tendred.testing.process import DaemonProcess, until

from .orders import Orders

QUICK = [
    word
    for setting in ("library.reserve_bytes=0", "hotfolder.settle_s=0.2", "hotfolder.rescan_s=1", "engine.threads=1")
    for word in ("-o", setting)
]
DONE_S = 240
OPEN = "SELECT count(*) FROM job WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'parked')"


class Lives:
    """A home and its work. `acknowledged` are the ids of jobs by key, as the daemon answered."""

    def __init__(self, home: Path, orders: Orders, *, engine: str = "fake") -> None:
        self.home = home
        self.orders = orders
        self.engine = engine
        self.acknowledged: dict[str, str] = {}
        self._left = dict(orders.drops)
        (home / "hot").mkdir(parents=True)
        (home / SCRIPT).write_text(json.dumps({"steps": 1}))

    def live(self, at: int = 0, who: str = "daemon") -> int | None:
        """Start a daemon, give it the work that is left, wait for its end or for the work's. Its exit status if it died."""
        arguments = ["--at", str(at), "--who", who, "--engine", self.engine, *QUICK]
        self._drop(len(self._left) // 2)
        with DaemonProcess(self.home, *arguments) as daemon:
            client = daemon.client()
            if client is not None:
                self._send(client)
            until(lambda: not daemon.running or self.quiet(), lambda: f"{who} at {at}: {self.left()}", DONE_S)
            if not daemon.running:
                return daemon.process.returncode
            status = daemon.end()
            assert status == 0, daemon.words
            return None

    def finish(self) -> list[str]:
        """What is wrong in the end. Run this after a life that came to its end."""
        faults = settled(self.home, self.orders.prompts, self.orders.drops)
        with closing(sqlite3.connect(self.home / "data" / "tendred.db")) as database:
            ids = {row[0] for row in database.execute("SELECT id FROM job")}
        faults += [f"acknowledged and absent: {key}" for key, job_id in self.acknowledged.items() if job_id not in ids]
        return faults

    def quiet(self) -> bool:
        """Whether nothing is left to do."""
        hot = self.home / "hot"
        claims = hot / ".tendred"
        if any(path.is_file() for path in hot.iterdir()) or (claims.is_dir() and any(claims.iterdir())):
            return False
        return len(self.acknowledged) == len(self.orders.calls) and self._open() == 0

    def left(self) -> str:
        return f"acknowledged {len(self.acknowledged)}, open {self._open()}"

    def orphans(self) -> list[int]:
        """Children that outlived their daemon."""
        pids = [int(line) for line in (self.home / PIDS).read_text().split()] if (self.home / PIDS).exists() else []
        until(lambda: not any(_runs(pid) for pid in pids), f"children end with their daemon: {pids}", 15)
        return [pid for pid in pids if _runs(pid)]

    def operations(self) -> int:
        return len((self.home / OPERATIONS).read_text().splitlines())

    def _open(self) -> int:
        with closing(sqlite3.connect(self.home / "data" / "tendred.db", timeout=10)) as database:
            return database.execute(OPEN).fetchone()[0]

    def _drop(self, count: int) -> None:
        for name in list(self._left)[:count]:
            outside = self.home / f"outside {name}"
            outside.write_bytes(self._left.pop(name))
            outside.rename(self.home / "hot" / name)

    def _send(self, client: Client) -> None:
        """The calls whose answer is not known, with files in between. Stops when nobody answers any more."""
        for key, request in self.orders.calls.items():
            self._drop(1)
            if key in self.acknowledged:
                continue
            try:
                answer = client.call("images.generate", idempotency_key=key, **request)
            except NoDaemon:
                break
            self.acknowledged[key] = answer["job"]["id"]
        self._drop(len(self._left))


def _runs(pid: int) -> bool:
    try:
        return b"tendred" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
