"""What the boundary makes of the evaluation sets, with 95 % Wilson intervals, tuned and held-out side by side.

    python packaging/boundary/evaluate.py [--misses] [redteam|persons|benign|fresh]

Without a set it judges the first three. Figures to report are those of the held-out column: rules were tuned on the other.
`fresh` is the later set (fresh.py), in its halves a and b; `--misses` shows those of the tuned half, and of a.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from tendred.boundary.judge import Boundary, Words

SETS: Final = Path(__file__).parent / "sets"
PARTS: Final = ("tune", "held")
PLAIN: Final = ("subject", "age")
FRESH: Final = ("ages", "fixed_ages", "nouns", "told", "roundabout", "tongue")
"""Families of the fresh set that hide nothing."""
_Z: Final = 1.959964
_Row = dict[str, Any]


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score. (0, 1) for nothing counted."""
    if not count:
        return 0.0, 1.0
    share, z2 = hits / count, _Z * _Z
    middle = share + z2 / (2 * count)
    reach = _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, (middle - reach) / (1 + z2 / count)), min(1.0, (middle + reach) / (1 + z2 / count))


def rows(name: str) -> list[_Row]:
    return [json.loads(line) for line in (SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def table(title: str, counted: Iterable[_Row], groups: dict[str, Callable[[_Row], bool]], hit: str) -> None:
    """Print the share of rows with `hit`, a line for each group."""
    kept = list(counted)
    parts = {"tune": "tuned", "held": "held out"} if kept[0]["part"] in PARTS else {"a": "half a", "b": "half b"}
    print(f"\n{title:34} {'':>4}" + "".join(f"{told:>30}" for told in parts.values()))
    for label, belongs in groups.items():
        cells: list[str] = []
        for part in parts:
            these = [row[hit] for row in kept if row["part"] == part and belongs(row)]
            low, high = wilson(sum(these), len(these))
            share = f"{sum(these) / len(these):.4f}" if these else "-"
            cells.append(f"{sum(these):5}/{len(these):<5} {share:>6} [{low:.3f} {high:.3f}]")
        print(f"{label:28} {cells[0]:>33} {cells[1]:>33}")


def by(key: str, kept: Iterable[_Row]) -> dict[str, Callable[[_Row], bool]]:
    return {value: (lambda row, value=value: row[key] == value) for value in dict.fromkeys(row[key] for row in kept)}


def judge_all(boundary: Boundary, kept: list[_Row]) -> list[float]:
    """Put `refused`, `rule`, `removed`, `drawn` (what is left of the words) into each row; the times in ms."""
    times: list[float] = []
    for row in kept:
        start = time.process_time()
        verdict, conditioning = boundary.judge(Words(prompt=row["text"]))
        times.append((time.process_time() - start) * 1000)
        row["refused"], row["rule"] = verdict.verdict == "refuse", verdict.rule
        row["removed"] = bool(verdict.removed)
        row["words"] = verdict.removed
        row["drawn"] = "" if conditioning is None else "".join(span.text for span in conditioning.prompt)
    return times


def redteam(boundary: Boundary, *, misses: bool) -> list[float]:
    kept = rows("redteam")
    times = judge_all(boundary, kept)
    plain = [row for row in kept if row["family"] in PLAIN]
    hidden = [row for row in kept if row["family"] not in PLAIN]
    everything = {"all": lambda _: True}
    table("red team, plain: refused", plain, {**everything, **by("lang", plain)}, "refused")
    table("red team, disguised: refused", hidden, {**everything, **by("family", hidden)}, "refused")
    _show(misses, [row for row in kept if not row["refused"]])
    return times


def fresh(boundary: Boundary, *, misses: bool) -> list[float]:
    red, good = rows("fresh_redteam"), rows("fresh_benign")
    times = judge_all(boundary, red) + judge_all(boundary, good)
    everything = {"all": lambda _: True}
    plain = [row for row in red if row["family"] in FRESH]
    english = [row for row in plain if row["lang"] == "en"]
    hidden = [row for row in red if row["family"] not in FRESH]
    table("fresh, plain: refused", plain, {**everything, **by("lang", plain)}, "refused")
    table("fresh, plain English: refused", english, {**everything, **by("family", english)}, "refused")
    table("fresh, disguised: refused", hidden, {**everything, **by("family", hidden)}, "refused")
    table("fresh, benign: wrongly refused", good, {**everything, **by("family", good)}, "refused")
    table("fresh, benign: a word wrongly left out", good, {**everything, **by("family", good)}, "removed")
    _show(
        misses, [row for row in red if not row["refused"]] + [row for row in good if row["refused"] or row["removed"]]
    )
    return times


def persons(boundary: Boundary, *, misses: bool) -> list[float]:
    kept = rows("persons")
    times = judge_all(boundary, kept)
    for row in kept:
        gone = row["refused"] or (row["removed"] and not _left(row))
        row["gone"] = gone
    famous = [row for row in kept if row["family"] != "private"]
    scope = [row for row in famous if boundary.knows(row["name"])]
    table("persons in the gazetteer: refused", scope, {"all": lambda _: True, **by("family", scope)}, "refused")
    table("notable persons: refused", famous, {"all": lambda _: True, **by("family", famous)}, "refused")
    table("every person: refused or left out", kept, {"all": lambda _: True, **by("family", kept)}, "gone")
    _show(misses, [row for row in kept if not row["gone"]])
    return times


def _left(row: _Row) -> bool:
    """Whether the last word of the name, which carries the likeness, is still drawn."""
    return bool(row["name"]) and row["name"].split()[-1].casefold() in row["drawn"].casefold()


def benign(boundary: Boundary, *, misses: bool) -> list[float]:
    kept = rows("benign")
    times = judge_all(boundary, kept)
    table("benign: wrongly refused", kept, {"all": lambda _: True, **by("family", kept)}, "refused")
    table("benign: a word wrongly left out", kept, {"all": lambda _: True, **by("family", kept)}, "removed")
    _show(misses, [row for row in kept if row["refused"] or row["removed"]])
    return times


def _show(misses: bool, wrong: list[_Row]) -> None:  # noqa: FBT001
    # Only of the tuned half: who reads the misses of the other has tuned on them.
    for row in wrong if misses else []:
        if row["part"] in {"tune", "a"}:
            print(f"  {row['lang']} {row['family']:10} {row['rule'] or '-':18} {row['words']} {row['text']!r}")


def main() -> int:
    asked = [arg for arg in sys.argv[1:] if not arg.startswith("-")] or ["redteam", "persons", "benign"]
    boundary = Boundary(bytes(32), year=lambda: 2026)
    for name in asked:
        times = sorted(
            {"redteam": redteam, "persons": persons, "benign": benign, "fresh": fresh}[name](
                boundary, misses="--misses" in sys.argv
            )
        )
        print(
            f"\n{name}: {len(times)} prompts, ms of processor a prompt: p50 {times[len(times) // 2]:.2f}, p99 {times[len(times) * 99 // 100]:.2f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
