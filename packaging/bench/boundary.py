"""Judging a prompt, warm: every layer of the boundary, and the semantic one by itself."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

from _house import Table, arguments, median, ms, quantile

from tendred.boundary.data import load
from tendred.boundary.head import Semantic
from tendred.boundary.judge import Boundary, Words
from tendred.boundary.native import native

SETS = Path(__file__).parents[1] / "boundary" / "sets"


def prompts(count: int) -> list[str]:
    """As many, of the red team and of benign ones, in equal parts and any order."""
    rng = random.Random(1)
    texts = [
        json.loads(line)["text"]
        for name in ("redteam", "benign")
        for line in rng.sample((SETS / f"{name}.jsonl").read_text("utf-8").splitlines(), count // 2)
    ]
    rng.shuffle(texts)
    return texts


def timed(work: Callable[[str], object], texts: list[str]) -> list[float]:
    """Seconds of processor for each: whatever else runs here, it is this that a prompt costs."""
    seconds: list[float] = []
    for text in texts:
        began = time.process_time()
        work(text)
        seconds.append(time.process_time() - began)
    return seconds


def main() -> None:
    options = arguments(__doc__, prompts=(2_000, 100, "prompts judged"))
    texts = prompts(options.prompts)
    boundary, sense = Boundary(bytes(32), year=lambda: 2026), Semantic(load().head)
    table = Table(f"{len(texts):,} prompts through the boundary")
    timed(lambda text: boundary.judge(Words(prompt=text)), texts[:50])
    whole = timed(lambda text: boundary.judge(Words(prompt=text)), texts)
    alone = timed(lambda text: sense.find(native(text)), texts)
    rules = [max(0.0, all_of_it - part) for all_of_it, part in zip(whole, alone, strict=True)]
    for name, share in (("p50", 0.5), ("p99", 0.99), ("slowest", 1.0)):
        figure = quantile(whole, share)
        last = name == "p99"
        table.add(
            f"all layers, {name}",
            ms(figure),
            "150 ms" if last else "",
            f"{figure / median(alone):.1f} x the semantic layer",
        )
        table.add(f"rules and names, {name}", ms(quantile(rules, share)), "5 ms" if last else "")
        table.add(f"semantic layer, {name}", ms(quantile(alone, share)))
    long = " ".join(texts)[:8_000]
    table.add("a text of 8 000 letters", ms(median(timed(lambda text: boundary.judge(Words(prompt=text)), [long] * 5))))


if __name__ == "__main__":
    main()
