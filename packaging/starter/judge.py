"""The examiner: tells a picture's attributes. Trained on drawings that no other part of the starter has seen.

    python packaging/starter/judge.py [--work FOLDER] [--seconds 1200]

Goes on from `FOLDER/judge.safetensors` when there is one. A tenth of the judge's drawings is kept out of its own
training; its accuracy on them is kept beside its weights and stands in every table next to what it says of the model's
pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from data import WORK, descriptions, drawings, rows_of
from drawing import Attributes, heads, places
from latents import tensor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

_BATCH: Final = 48
_WEIGHTS: Final = "judge.safetensors"
UNASKED: Final = -100


class Judge(nn.Module):
    """`(n, 3, 128, 128)` in -1..1 to a score for every answer of every question (`drawing.heads`)."""

    def __init__(self) -> None:
        super().__init__()
        self.questions = heads()
        self.sizes = [len(values) for values in self.questions.values()]
        layers: list[nn.Module] = []
        for before, after in ((3, 24), (24, 48), (48, 96), (96, 128)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.BatchNorm2d(after), nn.ReLU()] if before > 3 else []
        self.look = nn.Sequential(*layers)
        # For a hill it matters where something is (the third is the third by where it stands), for a sun only that it is.
        self.where = nn.Sequential(nn.Conv2d(128, 32, 1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2))
        self.answer = nn.Sequential(
            nn.Linear(32 * 64 + 128, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, sum(self.sizes))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        seen = self.look(x)
        return self.answer(torch.cat([self.where(seen), seen.amax((2, 3))], 1)).split(self.sizes, -1)

    def targets(self, described: list[Attributes]) -> Tensor:
        """`(n, questions)`, `UNASKED` where a question is of another kind of subject."""
        return torch.tensor([[UNASKED if p is None else p for p in places(attributes)] for attributes in described])

    @torch.no_grad()
    def right(self, x: Tensor, described: list[Attributes]) -> dict[str, list[bool]]:
        """By question, for each picture it is asked of, whether the picture shows what was asked for."""
        found: dict[str, list[bool]] = {name: [] for name in self.questions}
        targets = self.targets(described)
        for first in range(0, len(x), 100):
            for i, (name, scores) in enumerate(zip(self.questions, self(x[first : first + 100]), strict=True)):
                wanted = targets[first : first + 100, i]
                asked = wanted != UNASKED
                found[name] += (scores.argmax(-1)[asked] == wanted[asked]).tolist()
        return found


def train(folder: Path, seconds: float) -> dict[str, float]:
    """Train for `seconds`; returns and keeps the accuracy by question on the tenth kept out."""
    torch.manual_seed(0)
    drawn = drawings(folder, "judge")
    described = descriptions(folder, "judge")
    split = len(drawn) * 9 // 10
    judge = Judge().to(memory_format=torch.channels_last)
    if (folder / _WEIGHTS).exists():
        judge.load_state_dict(load_file(folder / _WEIGHTS))
    hills = rows_of(described[:split], "subject", "landscape")
    targets = judge.targets(described)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    began, step = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * max(0.01, 1 - spent / seconds)
        # Every second picture is a landscape: three kinds of sun in twelve colours are the hardest to tell.
        chance = np.random.default_rng(step)
        rows = np.sort(np.r_[chance.integers(0, split, _BATCH // 2), chance.choice(hills, _BATCH // 2)])
        parts = judge(_worn(tensor(drawn[rows])))
        wanted = targets[rows]
        loss = torch.stack([
            functional.cross_entropy(part, wanted[:, i], ignore_index=UNASKED, reduction="sum")
            for i, part in enumerate(parts)
        ]).sum() / _BATCH  # fmt: skip
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"judge {step} {spent:.0f} s loss {loss.item():.3f}", flush=True)
    judge.eval()
    right = judge.right(tensor(drawn[split:]), described[split:])
    accuracy = {name: sum(marks) / len(marks) for name, marks in right.items() if marks}
    weights = {name: value.contiguous() for name, value in judge.state_dict().items()}
    save_file(weights, folder / _WEIGHTS)
    (folder / "judge.accuracy.json").write_text(json.dumps(accuracy, indent=2), "utf-8")
    return accuracy


def load(folder: Path) -> tuple[Judge, dict[str, float]]:
    """The judge and its own accuracy on drawings."""
    judge = Judge()
    judge.load_state_dict(load_file(folder / _WEIGHTS))
    return judge.eval(), json.loads((folder / "judge.accuracy.json").read_text("utf-8"))


def _worn(x: Tensor) -> Tensor:
    """Shifted, softened and noisy: what is painted is never as clean as what is drawn."""
    left, top = (int(d) for d in torch.randint(-3, 4, (2,)))
    x = torch.roll(functional.pad(x, (4, 4, 4, 4), "replicate"), (top, left), (2, 3))[..., 4:-4, 4:-4]
    if torch.rand(()) < 0.5:
        sharp = float(torch.rand(()))
        soft = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), "replicate"), 3, 1)
        x = sharp * x + (1 - sharp) * soft
    return x + 0.06 * torch.rand(()) * torch.randn_like(x)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the starter's examiner.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=1200)
    args = parser.parse_args()
    for name, value in train(args.work, args.seconds).items():
        print(f"{name:24} {value:.1%}")
