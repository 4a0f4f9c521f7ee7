"""What the road costs: stills through RPC, and the same pipeline in a bare loop that saves the same PNG.

Both are warm, have the same threads that wait in the same way, and take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from _house import HERE, Table, arguments, folder, house, median, ms
from PIL import Image

from tendred.app.client import Client
from tendred.engine.worker.house import ENVIRONMENT

PROMPT = "red hills under a blue sky"
STEPS = 200
MODEL = HERE.parent.parent / "tendred" / "models" / "starter"
SPANS = (
    ("request to durable row", None, "job.queued"),
    ("durable row to claimed", "job.queued", "job.started"),
    ("claimed to kept, without the bare loop's time", "job.started", "job.output"),
    ("kept to closed with its receipt", "job.output", "job.succeeded"),
    ("closed to answered", "job.succeeded", None),
)


class Loop:
    """The bare loop's process."""

    def __init__(self, threads: int, policy: str | None) -> None:
        """`policy` is OpenMP's for threads that wait, "PASSIVE" or "ACTIVE"; None leaves it to the library."""
        env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        if policy is not None:
            env["OMP_WAIT_POLICY"] = policy
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "_loop.py"), str(MODEL), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env,
        )  # fmt: skip
        self._answer()

    def __call__(self, request: dict[str, Any], path: Path) -> dict[str, float]:
        """Draw and save; seconds of the clock, and of the processor."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**request, "path": str(path)}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


@dataclass
class Pairs:
    """Both ways' seconds, in turns, and where the daemon's went."""

    rpc: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    processor: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    spans: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    same: int = 0
    request: dict[str, Any] = field(default_factory=dict)

    @property
    def added(self) -> float:
        """Median of the differences within a pair: both halves of a pair see the same machine."""
        return median([rpc - bare for rpc, bare in zip(self.rpc, self.bare, strict=True)])

    @property
    def ratio(self) -> float:
        return median([rpc / bare for rpc, bare in zip(self.rpc, self.bare, strict=True)])


def still(client: Client, **fields: Any) -> tuple[float, float, dict[str, Any]]:
    """One still through RPC: when it began, seconds until its end was told, and the job."""
    wall, began = time.time(), time.perf_counter()
    job = client.call("images.generate", prompt=PROMPT, **fields)["job"]
    while (job := client.call("jobs.wait", job_id=job["id"], timeout_s=60))["state"] in {"queued", "running"}:
        pass
    seconds = time.perf_counter() - began
    assert job["state"] == "succeeded", job["error"]
    return wall, seconds, job


class Events:
    """Reads the daemon's stored events on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._next = 1

    def of(self, job_id: str) -> dict[str, float]:
        """When (seconds since 1970, whole milliseconds) what happened to a job; the events before are skipped."""
        at: dict[str, float] = {}
        while events := self._client.call("events.since", seq=self._next, limit=500)["events"]:
            self._next = events[-1]["seq"] + 1
            for event in events:
                if event["job_id"] == job_id:
                    at[event["topic"]] = dt.datetime.fromisoformat(event["at"]).timestamp()
        return at


def processor_s(process: psutil.Process) -> dict[str, float]:
    """Processor seconds used so far by the daemon and by its children."""
    used = {"daemon": sum(process.cpu_times()[:2])}
    for child in process.children():
        used["engine" if "tendred.engine.worker" in child.cmdline() else "media"] = sum(child.cpu_times()[:2])
    return used


def compare(client: Client, loop: Loop, place: Path, times: int, **size: int) -> Pairs:
    """Draw the same pictures both ways, in turns. The first of each, which loads and allocates, doesn't count."""
    pairs, events, mine = Pairs(), Events(client), place / "bare.png"
    daemon = psutil.Process(client.discovery.pid)
    request = pairs.request = still(client, seed=0, **size)[2]["request"]
    loop(request, mine)
    for seed in range(times):
        request = {**request, "seed": seed}
        bare = loop(request, mine) if seed % 2 else None
        before = processor_s(daemon)
        began, seconds, job = still(client, seed=seed, **size)
        for name, used in processor_s(daemon).items():
            pairs.processor[name].append(used - before[name])
        if bare is None:
            bare = loop(request, mine)
        pairs.rpc.append(seconds)
        pairs.bare.append(bare["seconds"])
        pairs.processor["bare"].append(bare["processor"])
        asset = client.call("library.get", asset_id=job["asset_ids"][0])
        with Image.open(asset["path"]) as ours, Image.open(mine) as theirs:
            pairs.same += ours.tobytes() == theirs.tobytes()
        at = events.of(job["id"])
        for name, first, then in SPANS:
            span = (at[then] if then else began + seconds) - (at[first] if first else began)
            pairs.spans[name].append(span - (bare["seconds"] if first == "job.started" else 0))
    return pairs


def show(table: Table, name: str, pairs: Pairs, *, added: str, ratio: str) -> None:
    count = len(pairs.rpc)
    table.add(f"{name}: bare loop, median of {count}", ms(median(pairs.bare)), "", "1.00")
    table.add(
        f"{name}: through RPC, median", ms(median(pairs.rpc)), "", f"{median(pairs.rpc) / median(pairs.bare):.3f}"
    )
    table.add(f"{name}: added, median of the pairs", ms(pairs.added), added)
    table.add(f"{name}: ratio, median of the pairs", f"{pairs.ratio:.3f}", ratio)
    table.add(f"{name}: the same pixels", f"{pairs.same} of {count}", f"{count} of {count}")
    for span, seconds in pairs.spans.items():
        table.add(f"    {span}", ms(median(seconds)))
    bare = sum(pairs.processor["bare"])
    for who, seconds in pairs.processor.items():
        mean = sum(seconds) / count
        table.add(f"    processor time of {who}, mean", ms(mean), "", f"{sum(seconds) / bare:.3f} x bare")


def main() -> None:
    options = arguments(
        __doc__,
        times=(30, 2, "small stills"),
        long_times=(10, 1, "long stills"),
        long_ms=(2200, 300, "length of those"),
        threads=(0, 0, "threads of each; 0 for one per core"),
    )
    table = Table("overhead")
    policy = ENVIRONMENT.get("OMP_WAIT_POLICY")
    loop = Loop(options.threads, policy)
    with (
        folder() as place,
        house(place / "home", f"engine.threads={options.threads}", "engine.device=cpu") as (_, client),
    ):
        small = compare(client, loop, place, options.times, width=128, height=128, steps=20)
        show(table, "128 x 128, 20 steps", small, added="40 ms", ratio="")
        if policy is not None:
            other = Loop(options.threads, None)
            seconds = [other(small.request, place / "other.png")["seconds"] for _ in range(options.long_times + 1)][1:]
            other.end()
            ratio = median(seconds) / median(small.bare)
            table.add("    a bare loop with OpenMP's own waiting", ms(median(seconds)), "", f"{ratio:.3f} x bare")
        side = 256
        probe = compare(client, loop, place, 1, width=side, height=side, steps=20)
        steps = min(STEPS, math.ceil(20 * options.long_ms / 1000 / probe.bare[0]))
        long = compare(client, loop, place, options.long_times, width=side, height=side, steps=steps)
        show(table, f"{side} x {side}, {steps} steps", long, added="", ratio="1.05")
    loop.end()


if __name__ == "__main__":
    main()
