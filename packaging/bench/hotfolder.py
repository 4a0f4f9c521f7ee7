"""A hot folder: from `close(2)` in another process to a row that another connection sees; and a file moved in.

The queue is paused meanwhile, so that the door is measured and not the drawing.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from _house import PATIENCE_S, Table, arguments, folder, fsync_s, house, median, ms, quantile

WRITER = """
import os, sys, time
for line in sys.stdin:
    how, source, target = line.rstrip("\\n").split("\\t")
    with open(source, "w") as file:
        file.write("red hills under a blue sky")
    if how == "move":
        os.rename(source, target)
    print(time.monotonic_ns(), flush=True)
"""
"""Its last act before the stamp is the close of the file, or the rename of one that was closed elsewhere."""
POLL_S = 0.0005


class Writer:
    """The other process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, how: str, source: Path, target: Path) -> float:
        """Write a file, move it if so asked, and return when (monotonic seconds) that was done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{how}\t{source}\t{target}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()) / 1e9

    def end(self) -> None:
        self._process.communicate()


def latency(connection: sqlite3.Connection, act: Callable[[], float]) -> float:
    """Seconds from what `act` returns to one more row."""
    count = "SELECT count(*) FROM job WHERE state = 'queued'"
    before = connection.execute(count).fetchone()[0]
    done = act()
    while connection.execute(count).fetchone()[0] == before:
        if time.monotonic() > done + PATIENCE_S:
            raise TimeoutError("no row came")
        time.sleep(POLL_S)
    return time.monotonic() - done


def main() -> None:
    options = arguments(
        __doc__, files=(100, 5, "files that are closed in the folder"), moves=(20, 2, "files that are moved in")
    )
    table = Table("hotfolder")
    writer = Writer()
    pauses = random.Random(1)
    with folder() as place, house(place / "home") as (made, client):
        client.call("queue.pause")
        connection = sqlite3.connect(made.paths.database)
        hot, outside = made.paths.hot, place / "outside"
        outside.mkdir()

        def some(how: str, count: int) -> list[float]:
            seconds: list[float] = []
            for number in range(count):
                target = hot / f"{how}-{number}.txt"
                source = target if how == "close" else outside / target.name
                seconds.append(latency(connection, lambda: writer(how, source, target)))  # noqa: B023 - called at once
                time.sleep(pauses.uniform(0.02, 0.1))  # so that no rhythm of the daemon's is followed
            return seconds

        some("close", 1)
        (hot / "close-0.txt").unlink(missing_ok=True)
        closed, moved = some("close", options.files), some("move", options.moves)
        floor = fsync_s(place / "probe.db")
        connection.close()
    writer.end()
    table.add("close(2) to row, median", ms(median(closed)), "50 ms", f"{median(closed) / floor:.1f} x commit")
    table.add("close(2) to row, p99", ms(quantile(closed, 0.99)), "", f"{quantile(closed, 0.99) / floor:.1f} x commit")
    table.add("moved in from outside, median", ms(median(moved)), "1200 ms", f"{median(moved) / floor:.1f} x commit")
    table.add("moved in from outside, p99", ms(quantile(moved, 0.99)), "1200 ms")
    table.add("one commit of a small row on this disk, median", ms(floor), "", "1.0")


if __name__ == "__main__":
    main()
