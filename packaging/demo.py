"""`make demo`: start the daemon, drop the sample prompt into its hot folder, and say where the picture is.

Everything lies under TENDRED_HOME (.demo in the clone). KEEP=1 leaves the daemon running; the next demo uses it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from tendred.app.cli import main as tendre
from tendred.app.cli.drop import vacant
from tendred.app.cli.image import place
from tendred.app.client import Client
from tendred.config.load import load
from tendred.config.paths import Paths, resolve

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "packaging" / "demo" / "hello.md"
INSTALLED = ROOT / ".venv" / ".install_s"
PATIENCE_S = 600.0


class Watch:
    """Seconds per phase, in order."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float]] = []
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        """What has passed since the last lap was this."""
        now = time.monotonic()
        self.phases.append((name, now - self._since))
        self._since = now

    def add(self, name: str, seconds: float) -> None:
        """Something that was timed elsewhere."""
        self.phases.append((name, seconds))


def main() -> int:
    """The demo. Ends with 0 if there is a picture."""
    watch = Watch()
    if INSTALLED.exists():
        watch.add("installation", float(INSTALLED.read_text()))
        INSTALLED.unlink()
    if code := tendre(["up"]):
        return code
    watch.lap("daemon start")
    paths = resolve(load().config.paths)
    try:
        return draw(Client.find(paths), paths, watch)
    finally:
        if os.environ.get("KEEP"):
            print("The daemon goes on. To stop it: make clean, or TENDRED_HOME=.demo .venv/bin/tendre down")
        else:
            tendre(["down"])


def draw(client: Client, paths: Paths, watch: Watch) -> int:
    """Drop the file, show how its job goes, look at what lands."""
    prompt = paths.hot / vacant(paths.hot, SAMPLE.name)
    print(f"Dropping {SAMPLE.relative_to(ROOT)} into {paths.hot}:")
    for line in SAMPLE.read_text("utf-8").splitlines():
        print(f"  | {line}")
    place(SAMPLE, prompt)
    deadline = time.monotonic() + PATIENCE_S
    done, failed = paths.hot / "done" / prompt.name, paths.hot / "failed" / f"{prompt.name}.reason.txt"
    job = claimed(client, prompt.name, failed, deadline)
    if job is not None:
        watch.lap("hot folder")
        job = follow(client, job, watch, deadline)
        if job["error"]:
            print(job["error"]["message"], job["error"]["next"], sep="\n", file=sys.stderr)
            return 1
    picture, receipt = done.with_suffix(".png"), done.with_suffix(".receipt.json")
    while not (receipt.exists() or failed.exists()):
        if time.monotonic() > deadline:
            print(f"Nothing has come after {PATIENCE_S:g} s; the log: {paths.logs / 'tendred.log'}", file=sys.stderr)
            return 1
        time.sleep(0.02)
    watch.lap("delivery")
    if failed.exists():
        print(failed.read_text("utf-8"), file=sys.stderr)
        return 1
    return tell(picture, receipt, watch)


def claimed(client: Client, name: str, failed: Path, deadline: float) -> dict[str, Any] | None:
    """The job of the dropped file; None if the file was refused."""
    while time.monotonic() < deadline and not failed.exists():
        for job in client.call("jobs.list", limit=10)["jobs"]:
            if job["origin"]["file"] == name:
                return job
        time.sleep(0.02)
    return None


def follow(client: Client, job: dict[str, Any], watch: Watch, deadline: float) -> dict[str, Any]:
    """Show every change until the job has ended. Its first step ends the loading, its end the drawing."""
    drawing, shown = False, ""
    while job["state"] in {"queued", "running", "cancelling"} and time.monotonic() < deadline:
        now = job["progress"]
        if now and now["phase"] != "loading" and not drawing:
            watch.lap("engine start and model load")
            drawing = True
        words = now["phase"] if now else job["state"]
        if sys.stdout.isatty() and now and now["total"]:
            words += f" {now['done']}/{now['total']}"
        if words != shown:
            show(words)
            shown = words
        job = client.call("jobs.wait", job_id=job["id"], timeout_s=0.05)
    watch.lap("drawing and saving" if drawing else "engine start, drawing and saving")
    show(job["state"], last=True)
    return job


def show(words: str, *, last: bool = False) -> None:
    """One line that changes on a terminal, a line each elsewhere."""
    if sys.stdout.isatty():
        print(f"\r  {words:<40}", end="\n" if last else "", flush=True)
    else:
        print(f"  {words}", flush=True)


def tell(picture: Path, receipt: Path, watch: Watch) -> int:
    """Look whether it is a picture, and say where it is and how long it took."""
    with Image.open(picture) as image:
        image.load()
        size, flat = image.size, all(low == high for low, high in image.convert("RGB").getextrema())
    if flat:
        print(f"{picture} is one flat colour.", file=sys.stderr)
        return 1
    for name, seconds in watch.phases:
        print(f"  {name:<34}{seconds:8.2f} s")
    print(f"Picture  {picture} ({size[0]} x {size[1]})")
    print(f"Receipt  {receipt}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
