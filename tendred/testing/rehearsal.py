"""The whole way of a shot, from words to a 4K file with sound, without an account: `python -m tendred.testing.rehearsal`.

A daemon of its own in a folder of its own, beside a provider on this machine that draws. No connection leaves it and
nothing is paid; everything else (quote, confirmation, ledger, locking, upscaling, the copied sound) is the real thing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tendred.app.assembly import Machine
from tendred.clock import rfc3339
from tendred.config.load import load
from tendred.config.paths import resolve
from tendred.errors import TendredError
from tendred.schema.base import Record
from tendred.schema.job import TERMINAL, Origin
from tendred.schema.shot import DraftRequest, FinishRequest, NewShot
from tendred.schema.token import OWNER
from tendred.testing.drawing import DrawingDaemon

PROMPT: Final = (
    "A yellow square glides to and fro over a field of green and violet. Each time it turns, a short click is heard."
)
_FREE: Final = """provider = "ltx"
date = {date}
currency = "USD"
source = "a rehearsal: nobody is paid"

[[rates]]
model = "ltx-2-3-fast"
usd_per_second = {{ "*" = "0" }}
"""
_ORIGIN: Final = Origin(door="cli", client="rehearsal")
_LOOK_S: Final = 0.2


class Rehearsed(Record, frozen=True):
    """What came of it. `paths`: the final, and pictures of the take. `spent_mcr` is what the books say; no sound: 0 Hz."""

    spent_mcr: int
    width: int
    height: int
    seconds: float
    frames: int
    fps: str
    sound_hz: int
    paths: list[str]


async def rehearse(home: Path, target: Path, seconds: int, tell: Callable[[str], None]) -> Rehearsed:
    """Do it all under `home`; the files go to `target`. Raises any TendredError."""
    config = load(["library.reserve_bytes=0", "rpc.port=0"], env={**os.environ, "TENDRED_HOME": str(home)}).config
    paths = resolve(config.paths, {**os.environ, "TENDRED_HOME": str(home)})
    daemon = DrawingDaemon(config, paths, Machine())
    (paths.config / "prices").mkdir(parents=True)
    (paths.config / "prices" / "ltx.toml").write_text(
        _FREE.format(date=rfc3339(daemon.machine.clock.now())[:10]), "utf-8"
    )
    await daemon.open()
    try:
        return await _shot(daemon, target, seconds, tell)
    finally:
        await daemon.stop()


async def _shot(daemon: DrawingDaemon, target: Path, seconds: int, tell: Callable[[str], None]) -> Rehearsed:
    studio = daemon.studio
    shot = await studio.shots.create(NewShot(prompt=PROMPT, name="rehearsal"), _ORIGIN)
    drafted = await studio.shots.draft(DraftRequest(shot_id=shot.id, size="720p", seconds=seconds), _ORIGIN, OWNER)
    tell(f"quote: {drafted.quote.credits} credits, which nobody pays")
    await daemon.pay(drafted.quote.id)
    [take] = (await studio.shots.takes(shot.id)).takes
    tell(f"draft: {take.width} x {take.height}, {take.seconds} s, drawn on this machine")
    locked = (await studio.shots.lock(take.id)).locked
    assert locked is not None
    tell("locked")
    finished = await studio.shots.finish(FinishRequest(shot_id=shot.id), _ORIGIN, OWNER)
    tell(f"finish: {finished.said}")
    assert finished.job_id is not None
    while (job := await studio.wait(finished.job_id, 60)).state not in TERMINAL:
        tell("…" if job.progress is None else f"{job.progress.done} of {job.progress.total}")
    spent = await studio.spend.report("provider", "", "9999")
    asset = await studio.asset(job.asset_ids[0])
    copies = [(asset.path, "final.mp4")]
    if take.pictures is not None:
        copies += [(take.pictures.poster, "poster.webp"), (take.pictures.waveform, "waveform.webp")]
        copies += [(take.pictures.sheet, "sheet.webp")]
    paths = [shutil.copyfile(source, target / name) for source, name in copies]
    return Rehearsed(
        spent_mcr=sum(row.spent_mcr for row in spent.rows), width=asset.width, height=asset.height, seconds=asset.duration_s or 0, frames=locked.clip.frames,
        fps=asset.fps or "", sound_hz=asset.audio.rate if asset.audio else 0, paths=[str(path) for path in paths],
    )  # fmt: skip


def main() -> None:
    """Print what happens on stderr, and the record as one line of JSON on stdout."""
    parser = argparse.ArgumentParser(prog="python -m tendred.testing.rehearsal", description=__doc__)
    parser.add_argument("target", type=Path, help="an existing folder for the files")
    parser.add_argument("--seconds", type=int, default=2)
    args = parser.parse_args()
    if importlib.util.find_spec("av") is None:
        sys.exit("PyAV, which draws the clip, is not installed.")
    with tempfile.TemporaryDirectory(prefix="tendred-rehearsal-") as home, contextlib.suppress(KeyboardInterrupt):
        try:
            made = asyncio.run(rehearse(Path(home), args.target, args.seconds, _say))
        except TendredError as problem:
            sys.exit(str(problem))
        print(msgspec.json.encode(made).decode(), flush=True)  # noqa: T201 - its one result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for people


if __name__ == "__main__":
    main()
