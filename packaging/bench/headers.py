"""Telling what model files are, by their headers alone: kind, family, and whether they can be used."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _house import Table, arguments, folder, median, ms, quantile

from tendred.models.places import Spot
from tendred.models.scan import examine
from tendred.models.walk import Candidate
from tendred.testing.headers import REAL, sparse

SHARES = {
    "lora": 55,
    "sdxl": 10,
    "sd15": 10,
    "flux": 5,
    "sd35": 2,
    "vae": 4,
    "controlnet": 4,
    "compact": 4,
    "esrgan": 4,
}
"""What stands in a folder of somebody who has used other programs for years, in percent; the rest are embeddings."""


def made(place: Path, count: int) -> list[Path]:
    """As many files, each with a header of its own; their values take no room."""
    rng = random.Random(1)
    kinds = rng.choices([*SHARES, "embedding"], [*SHARES.values(), 100 - sum(SHARES.values())], k=count)
    layouts: dict[str, Any] = {name: REAL[name]() for name in REAL}
    paths: list[Path] = []
    for number, kind in enumerate(kinds):
        said = {"modelspec.title": f"file {number}", "ss_tag_frequency": json.dumps({"set": {"x" * 9: number}})}
        paths.append(sparse(place / kind / f"{number}.safetensors", layouts[kind], said))
    return paths


def timed(work: Callable[[Path], object], paths: list[Path]) -> list[float]:
    """Seconds of processor for each: whatever else runs here, it is this that a file costs."""
    seconds: list[float] = []
    for path in paths:
        began = time.process_time()
        work(path)
        seconds.append(time.process_time() - began)
    return seconds


def bare(path: Path) -> object:
    """What anybody would write: read it, parse it, check nothing."""
    with path.open("rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))


def main() -> None:
    options = arguments(__doc__, files=(5_000, 300, "model files"))
    with folder() as place:
        paths = made(place, options.files)
        spots = {path.parent: Spot(path.parent, "folder") for path in paths}
        table = Table(
            f"headers of {len(paths):,} model files, {sum(path.stat().st_size for path in paths) / 1e12:.1f} TB"
        )
        plain = timed(bare, paths)
        told: Counter[str] = Counter()

        def look(path: Path) -> None:
            found = examine(Candidate(path, is_folder=False, spot=spots[path.parent]))
            told[f"{found.kind} {found.family}"] += 1

        seconds = timed(look, paths)
        base = median(plain)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("slowest", 1.0)):
            figure, other = quantile(seconds, share), quantile(plain, share)
            table.add(
                f"a file, {name}", ms(figure), "10 ms" if name == "p99" else "", f"{figure / other:.1f} x bare json"
            )
        largest = max(paths, key=lambda path: int.from_bytes(path.open("rb").read(8), "little"))
        table.add("the largest header, again and again", ms(median(timed(look, [largest] * 50))), "", "")
        table.add("bare json, p50", ms(base), "", "1.0 x")
        table.add("kinds and families told apart", str(len(told)), "", "")
        foreign = sorted({"torch", "numpy", "safetensors", "diffusers"} & set(sys.modules))
        table.add("libraries of the engine imported", ", ".join(foreign) or "none", "none", "")


if __name__ == "__main__":
    main()
