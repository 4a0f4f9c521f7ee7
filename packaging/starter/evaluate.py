"""Examine the starter: does it draw what it is asked for?

    python packaging/starter/evaluate.py [--model FOLDER] [--count 1000] [--manners canonical,paraphrased,few] [--sheet FILE [--side 64]]

Asks for combinations of attributes that were never drawn for training, and has the judge (judge.py) look at the
pictures. Prompts go in as the daemon would send them, with the boundary's anchor wherever there is a person.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from data import WORK
from diffusers import StableDiffusionXLPipeline
from drawing import SIDE, Attributes, choose
from grammar import MANNERS, caption
from judge import load as load_judge
from latents import tensor
from model import STEPS, asked, assemble, paint
from PIL import Image

FEW: Final = 6
SEED: Final = 77


def examination(count: int) -> list[Attributes]:
    """`count` combinations held out of training."""
    rng = random.Random(SEED)
    return [choose(rng, examination=True) for _ in range(count)]


def prompts(wanted: list[Attributes], manner: str) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts. `paraphrased` says each in one of the ten manners, in turn."""
    rng = random.Random(SEED + 1)
    said = [
        caption(a, rng, MANNERS[i % len(MANNERS)] if manner == "paraphrased" else "canonical")
        for i, a in enumerate(wanted)
    ]
    pairs = [asked(text, attributes) for text, attributes in zip(said, wanted, strict=True)]
    return [prompt for prompt, _ in pairs], [negative for _, negative in pairs]


def accuracy(folder: Path, painted: list[Image.Image], wanted: list[Attributes]) -> dict[str, float]:
    """By question, the share of pictures that show what was asked for."""
    judge, _ = load_judge(folder)
    right = judge.right(tensor(np.stack([np.asarray(picture) for picture in painted])), wanted)
    return {name: sum(marks) / len(marks) for name, marks in right.items() if marks}


def examine(pipe: StableDiffusionXLPipeline, folder: Path, count: int, manner: str) -> dict[str, float]:
    """One column of the table, its mean under `mean`."""
    wanted = examination(count)
    texts, against = prompts(wanted, manner)
    began = time.monotonic()
    painted = paint(pipe, texts, seed=SEED, steps=FEW if manner == "few" else STEPS, against=against)
    print(f"{manner}: {count} pictures in {time.monotonic() - began:.0f} s", flush=True)
    found = accuracy(folder, painted, wanted)
    return found | {"mean": sum(found.values()) / len(found)}


def sheet(pipe: StableDiffusionXLPipeline, file: Path, *, side: int = SIDE, count: int = 64, columns: int = 8) -> None:
    """A sheet of pictures of combinations that were never trained on, in every manner of asking, `side` pixels each."""
    wanted = examination(count)
    texts, against = prompts(wanted, "paraphrased")
    painted = paint(pipe, texts, seed=SEED, against=against)
    shown = [np.asarray(p.resize((side, side), Image.Resampling.LANCZOS)) for p in painted]
    rows = [np.concatenate(shown[i : i + columns], 1) for i in range(0, count, columns)]
    Image.fromarray(np.concatenate(rows)).save(file, optimize=True)
    print("\n".join(texts))


def finished(model: Path) -> StableDiffusionXLPipeline:
    """A model's folder as it ships."""
    pipe = StableDiffusionXLPipeline.from_pretrained(str(model), torch_dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def seconds(pipe: StableDiffusionXLPipeline, steps: int) -> float:
    """Of one still, warm, the median of nine."""
    text, negative = asked("portrait of a smiling woman with long wavy red hair", {"subject": "woman"})
    found = []
    for seed in range(10):
        began = time.monotonic()
        paint(pipe, [text], seed=seed, steps=steps, against=[negative])
        found.append(time.monotonic() - began)
    return sorted(found[1:])[4]


def machine() -> str:
    """This machine's processor and how many threads draw."""
    cpu = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip() for line in cpu.read_text("utf-8").splitlines() if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown, a row a question."""
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in next(iter(columns.values())):
        cells = (f"{column.get(name, float('nan')):.1%}" for column in columns.values())
        lines += [f"| {name} | {' | '.join(cells)} |"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Examine the starter.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path, help="a finished model's folder; without, the parts in the work folder")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--manners", default="canonical,paraphrased,few")
    parser.add_argument("--sheet", type=Path, metavar="FILE")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of each picture of the sheet")
    parser.add_argument("--time", action="store_true", help="time a single still")
    args = parser.parse_args()
    pipe: Any = finished(args.model) if args.model else assemble(args.work)
    if args.sheet:
        sheet(pipe, args.sheet, side=args.side)
    if args.time:
        print(
            f"a still: {seconds(pipe, STEPS):.2f} s in {STEPS} steps, {seconds(pipe, FEW):.2f} s in {FEW}, on {machine()}"
        )
    _, own = load_judge(args.work)
    columns = {"drawings": own | {"mean": sum(own.values()) / len(own)}}
    for manner in filter(None, args.manners.split(",")):
        columns[manner] = examine(pipe, args.work, args.count, manner)
    if len(columns) > 1:
        columns = {name: column for name, column in columns.items() if name != "drawings"} | {
            "drawings": columns["drawings"]
        }
        print(table(columns))
        (args.work / "figures.json").write_text(json.dumps(columns, indent=2), "utf-8")


if __name__ == "__main__":
    main()
