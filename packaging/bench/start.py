"""From the start of a process to its first answered RPC: the daemon, and a bare aiohttp application beside it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from _house import HERE, House, Table, arguments, folder, median


def daemon(home: Path) -> float:
    """One start; the home may have been lived in."""
    began = time.monotonic()
    house = House(home)
    house.spawn()
    try:
        house.client()
        return time.monotonic() - began
    finally:
        house.end()


def bare(file: Path) -> float:
    """One start of the bare application."""
    file.unlink(missing_ok=True)
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, str(HERE / "_bare.py"), str(file)])
    try:
        while True:
            with contextlib.suppress(FileNotFoundError, urllib.error.URLError):
                urllib.request.urlopen(file.read_text() + "/rpc", data=b"{}").read()
                return time.monotonic() - began
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()


def python() -> float:
    """One start of the interpreter alone."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - began


def main() -> None:
    options = arguments(__doc__, times=(10, 2, "starts of each"))
    table = Table("start")
    with folder() as place:
        daemon(place / "home"), bare(place / "url")  # the first reads everything from the disk
        warm, fresh, app, empty = list[float](), list[float](), list[float](), list[float]()
        for number in range(options.times):
            warm.append(daemon(place / "home"))
            app.append(bare(place / "url"))
            fresh.append(daemon(place / f"fresh-{number}"))
            empty.append(python())
    base = median(app)
    table.add("daemon to first answer, median", f"{median(warm):.2f} s", "1.00 s", f"{median(warm) / base:.2f} x bare")
    table.add("slowest", f"{max(warm):.2f} s")
    fresh_s = median(fresh)
    table.add("the same in an empty home, median", f"{fresh_s:.2f} s", "1.00 s", f"{fresh_s / base:.2f} x bare")
    table.add("bare aiohttp application, median", f"{base:.2f} s", "", "1.00")
    table.add("python -c pass, median", f"{median(empty):.2f} s", "", f"{median(empty) / base:.2f} x bare")


if __name__ == "__main__":
    main()
