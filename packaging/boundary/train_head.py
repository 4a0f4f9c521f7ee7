"""Train the semantic head: logistic regression over hashed letters and words, one signed byte a weight.

    python packaging/boundary/train_head.py [--report]

Its corpus comes from a seed (corpus.py). The threshold is the least at which no more than `FALSE` of the sentences that are
about no minor would be refused, each judged by a head that was trained without its subject: words that a head has
seen say nothing of those that people will write. `--report` trains, says what the head alone does, and writes nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

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
FOLDS: Final = 2
FALSE: Final = 0.01

Row = tuple[list[np.ndarray], int, str]
"""The slots of each window of a sentence, whether it is about a minor, and its subject."""


@dataclass(frozen=True)
class Trained:
    """Weights as they are shipped: `small * step`."""

    small: np.ndarray
    step: float
    bias: float

    def score(self, parts: list[np.ndarray]) -> float:
        """Of the window that says most."""
        return max(self.small[part].sum(dtype=np.int32) * self.step / np.sqrt(len(part)) + self.bias for part in parts)


def windows(text: str) -> list[list[str]]:
    found = [token.text for token in words(native(text).text)]
    return (
        [found[first : first + WINDOW] for first in range(0, max(1, len(found) - WINDOW + STEP), STEP)] if found else []
    )


def slots(text: str) -> list[np.ndarray]:
    return [np.fromiter(set(features(part)), dtype=np.int64) for part in windows(text) if part]


def train(rows: list[Row], rng: np.random.Generator) -> Trained:
    """Adagrad, one sentence at a time; of a long one the window that says most."""
    weights, bias = np.zeros(SLOTS), -1.0
    seen = np.full(SLOTS, 1e-2)
    for _ in range(PASSES):
        for at in rng.permutation(len(rows)):
            parts, label, _ = rows[at]
            scores = [weights[part].sum() / np.sqrt(len(part)) + bias for part in parts]
            best = int(np.argmax(scores))
            part = parts[best]
            error = 1 / (1 + np.exp(-scores[best])) - label
            grad = error / np.sqrt(len(part)) + DECAY * weights[part]
            seen[part] += grad * grad
            weights[part] -= RATE * grad / np.sqrt(seen[part])
            bias -= 0.01 * error
    step = float(np.quantile(np.abs(weights[weights != 0]), 0.999)) / 127
    small = np.clip(np.rint(weights / step), -127, 127).astype(np.int8)
    return Trained(small, step, float(bias))


def unseen(rows: list[Row], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels, each by a head that never saw the subject."""
    scores, labels = [], []
    for fold in range(FOLDS):
        held = [row for row in rows if row[2] and _fold(row[2]) == fold]
        head = train([row for row in rows if not row[2] or _fold(row[2]) != fold], rng)
        scores += [head.score(parts) for parts, _, _ in held]
        labels += [label for _, label, _ in held]
    return np.array(scores), np.array(labels)


def _fold(subject: str) -> int:
    return crc32(subject.encode()) % FOLDS


def main() -> int:
    rng = np.random.default_rng(SEED)
    rows = [(slots(text), label, subject) for text, label, subject in sentences(SEED)]
    rows = [row for row in rows if row[0]]
    scores, labels = unseen(rows, rng)
    for share in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
        least = float(np.quantile(scores[labels == 0], 1 - share))
        print(
            f"unseen subjects: false {share:.3f}, threshold {least:6.3f}, recall {np.mean(scores[labels == 1] >= least):.4f}"
        )
    threshold = max(0.0, float(np.quantile(scores[labels == 0], 1 - FALSE)))
    made = train(rows, rng)
    head = Head(weights=made.small.tobytes(), scale=made.step, bias=made.bias, threshold=threshold)
    print(f"{len(rows)} sentences; threshold {threshold:.3f}")
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
