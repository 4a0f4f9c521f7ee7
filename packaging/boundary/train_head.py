"""Train the semantic head: logistic regression over hashed letters and words, one signed byte a weight.

    python packaging/boundary/train_head.py [--report]

Its corpus comes from a seed (corpus.py). The threshold is the least at which no more than `FALSE` of the validation
sentences that are about no minor would be refused. `--report` trains, says what the head alone does, and writes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from corpus import sentences

from tendred.boundary.data import Head
from tendred.boundary.head import SLOTS, STEP, WINDOW, Semantic, features
from tendred.boundary.native import native, words

TARGET: Final = Path(__file__).parents[2] / "tendred" / "boundary" / "data" / "head.bin"
SEED: Final = 20261123
PASSES: Final = 6
RATE: Final = 0.5
DECAY: Final = 2e-6
FALSE: Final = 0.0005
MARGIN: Final = 1.15
"""So much above the threshold that validation asks for: prompts of people differ more from each other than ours."""


def windows(text: str) -> list[list[str]]:
    found = [token.text for token in words(native(text).text)]
    return (
        [found[first : first + WINDOW] for first in range(0, max(1, len(found) - WINDOW + STEP), STEP)] if found else []
    )


def slots(text: str) -> list[np.ndarray]:
    return [np.fromiter(set(features(part)), dtype=np.int64) for part in windows(text) if part]


def train(rows: list[tuple[list[np.ndarray], int]], rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Adagrad, one sentence at a time; of a long one the window that says most."""
    weights, bias = np.zeros(SLOTS), -1.0
    seen = np.full(SLOTS, 1e-2)
    for _ in range(PASSES):
        for at in rng.permutation(len(rows)):
            parts, label = rows[at]
            scores = [weights[part].sum() / np.sqrt(len(part)) + bias for part in parts]
            best = int(np.argmax(scores))
            part = parts[best]
            error = 1 / (1 + np.exp(-scores[best])) - label
            grad = error / np.sqrt(len(part)) + DECAY * weights[part]
            seen[part] += grad * grad
            weights[part] -= RATE * grad / np.sqrt(seen[part])
            bias -= 0.01 * error
    return weights, float(bias)


def main() -> int:
    rng = np.random.default_rng(SEED)
    rows = [(slots(text), label) for text, label in sentences(SEED)]
    rows = [row for row in rows if row[0]]
    order = rng.permutation(len(rows))
    cut = len(rows) * 9 // 10
    weights, bias = train([rows[at] for at in order[:cut]], rng)
    step = float(np.quantile(np.abs(weights[weights != 0]), 0.999)) / 127
    small = np.clip(np.rint(weights / step), -127, 127).astype(np.int8)
    held = [rows[at] for at in order[cut:]]
    scores = np.array(
        [
            max(small[part].astype(np.int32).sum() * step / np.sqrt(len(part)) + bias for part in parts)
            for parts, _ in held
        ]
    )
    labels = np.array([label for _, label in held])
    threshold = max(0.0, float(np.quantile(scores[labels == 0], 1 - FALSE))) * MARGIN
    head = Head(weights=small.tobytes(), scale=step, bias=bias, threshold=threshold)
    print(f"{len(rows)} sentences; validation: recall {np.mean(scores[labels == 1] >= threshold):.4f}, "
          f"false {np.mean(scores[labels == 0] >= threshold):.4f}, threshold {threshold:.3f}")  # fmt: skip
    alone(Semantic(head))
    if "--report" not in sys.argv:
        TARGET.write_bytes(msgspec.msgpack.encode(head))
    return 0


def alone(head: Semantic) -> None:
    """What the head does without any rule, on the plain half of the red team and on benign prompts."""
    from evaluate import PLAIN, by, rows, table

    for name, title in (("redteam", "head alone, red team, plain"), ("benign", "head alone, benign")):
        kept = [row for row in rows(name) if name == "benign" or row["family"] in PLAIN]
        for row in kept:
            row["hit"] = head.find(native(row["text"])) is not None
        table(title, kept, {"all": lambda _: True, **by("lang" if name == "redteam" else "family", kept)}, "hit")


if __name__ == "__main__":
    raise SystemExit(main())
