"""Memory of a daemon at rest after a still and a boundary.check, and that no heavy library is in it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
from _house import HERE, Table, arguments, folder, house, median

HEAVY = ("torch", "numpy", "PIL", "av", "diffusers", "transformers", "c2pa")
LOADED = "import sys, tendred.__main__, tendred.app.daemon; print(*{name.split('.')[0] for name in sys.modules})"
MB = 1e6


def resident(process: psutil.Process, seconds: int) -> float:
    """Median RSS in MB while nothing is asked of it."""
    seen: list[float] = []
    for _ in range(max(1, seconds)):
        time.sleep(1)
        seen.append(process.memory_info().rss / MB)
    return median(seen)


def mapped(process: psutil.Process) -> list[str]:
    """Heavy libraries whose compiled parts the process has mapped."""
    files = {Path(entry.path) for entry in process.memory_maps()}
    return sorted({name for name in HEAVY for file in files if name in file.parts})


def imported() -> list[str]:
    """Heavy libraries among what the daemon imports."""
    out = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout
    return sorted(set(out.split()) & set(HEAVY))


def bare(place: Path, seconds: int) -> float:
    """RSS of the bare application, after an answer."""
    url = place / "url"
    child = subprocess.Popen([sys.executable, str(HERE / "_bare.py"), str(url)])
    try:
        while not url.exists():
            time.sleep(0.01)
        urllib.request.urlopen(url.read_text() + "/rpc", data=b"{}").read()
        return resident(psutil.Process(child.pid), seconds)
    finally:
        child.kill()
        child.wait()


def main() -> None:
    options = arguments(__doc__, seconds=(10, 1, "seconds of rest"), stills=(5, 1, "stills before it"))
    table = Table("idle")
    with folder() as place:
        base = bare(place, 2)
        with house(place / "home", "media.keep_alive_s=1") as (made, client):
            assert made.process is not None
            process = psutil.Process(made.process.pid)
            started = resident(process, 1)
            for number in range(options.stills):
                job = client.call("images.generate", prompt="red hills under a blue sky", seed=number)["job"]
                assert client.call("jobs.wait", job_id=job["id"], timeout_s=60)["state"] == "succeeded"
            client.call("boundary.check", prompt="a woman of 30 reads a letter")
            client.call("library.search", query="red hi")
            after = resident(process, options.seconds)
            there = mapped(process)
            children = sum(child.memory_info().rss for child in process.children(recursive=True)) / MB
    table.add("daemon at rest", f"{after:.1f} MB", "60 MB", f"{after / base:.2f} x bare")
    table.add("daemon just started", f"{started:.1f} MB", "", f"{started / base:.2f} x bare")
    table.add("bare aiohttp application", f"{base:.1f} MB", "", "1.00")
    table.add("engine process, kept for the next still", f"{children:.0f} MB")
    table.add("torch, numpy, Pillow, av imported / mapped", f"{imported() or 'no'} / {there or 'no'}", "never")


if __name__ == "__main__":
    main()
