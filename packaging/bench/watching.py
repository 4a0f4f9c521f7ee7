"""What it costs to be watched: progress, previews and logs on against off, in turns.

Two daemons draw the same stills. One has a listener for every event and writes its log in full; the other has neither
and is asked nothing meanwhile. Each still is drawn by both, in changing order; the figure is the median of the ratios.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from _house import Table, arguments, folder, house, median, ms
from overhead import MODEL, still

from tendred.app.client import Client

SIDE = 256
TARGET = 1.03


class Listener:
    """Takes every event that a daemon tells, on a thread; `heard` counts them by topic."""

    def __init__(self, client: Client) -> None:
        self.heard: Counter[str] = Counter()
        self._found = client.discovery
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._listen(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    async def _listen(self) -> None:
        headers = {"Authorization": f"Bearer {self._found.token}"}
        url = self._found.url.replace("http", "ws") + "/ws"
        async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(url) as socket:
            await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": {}})
            async for message in socket:
                told = json.loads(message.data)
                self._ready.set()
                if told.get("method") == "event":
                    self.heard[told["params"]["topic"]] += 1


def with_decoder(place: Path) -> Path:
    """The starter with a preview decoder of the size that ships, its weights random."""
    made = place / "decoded"
    shutil.copytree(MODEL, made)
    if not (made / "preview").exists():
        channels = json.loads((made / "vae" / "config.json").read_text())["latent_channels"]
        command = [sys.executable, "-m", "tendred.testing.tiny", f"preview-{channels}-24", str(made)]
        subprocess.run(command, check=True, capture_output=True)
    return made


def seconds(client: Client, **fields: Any) -> float:
    return still(client, **fields)[1]


def compare(table: Table, name: str, on: Client, off: Client, listener: Listener, times: int, **fields: Any) -> None:
    for client in (on, off):  # loads and allocates, and for the one a map is fitted
        seconds(client, seed=0, **fields)
    before = listener.heard.copy()
    ratios, watched, alone = [], [], []
    for seed in range(1, times + 1):
        pair = {}
        for client in (on, off) if seed % 2 else (off, on):
            pair[client is on] = seconds(client, seed=seed, **fields)
        watched.append(pair[True])
        alone.append(pair[False])
        ratios.append(pair[True] / pair[False])
    heard = listener.heard - before
    table.add(f"{name}: nobody watches, median of {times}", ms(median(alone)), "", "1.00")
    table.add(f"{name}: watched, median", ms(median(watched)), "", f"{median(watched) / median(alone):.3f}")
    table.add(f"{name}: ratio, median of the pairs", f"{median(ratios):.3f}", f"{TARGET:.2f}")
    told = [f"{heard[topic] / times:.1f}" for topic in ("job.preview", "job.progress")]
    table.add("    previews and progress told, a still", ", ".join(told))


def main() -> None:
    options = arguments(
        __doc__, times=(12, 2, "stills of each"), steps=(40, 8, "steps of each"),
        threads=(1, 1, "threads of each engine; 0 for one per core"),
    )  # fmt: skip
    table = Table("watching")
    fields = {"width": SIDE, "height": SIDE, "steps": options.steps}
    settings = (f"engine.threads={options.threads}", "engine.device=cpu")
    with folder() as place:
        decoded = with_decoder(place)
        with (
            house(place / "on", *settings, "log.level=debug") as (_, on),
            house(place / "off", *settings, "log.level=error") as (_, off),
        ):
            listener = Listener(on)
            for client in (on, off):
                client.call("models.add", path=str(decoded), name="decoded")
            compare(table, "linear map", on, off, listener, options.times, **fields)
            compare(table, "decoder", on, off, listener, options.times, model="decoded", **fields)


if __name__ == "__main__":
    main()
