"""Draw the data set: pictures with their attributes. Captions are put together while training (grammar.py).

    python packaging/starter/data.py [--work FOLDER] [--train 20000] [--judge 12000] [--seed 1]

Writes `train.npy` and `judge.npy` (uint8, `(count, 128, 128, 3)`) with a `.json` of attributes beside each, and
`data.json` with the hash of the whole. The judge's drawings are of other seeds and of any combination; the
training's leave out every combination of the examination (`drawing.held_out`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
from pathlib import Path
from typing import Final

import numpy as np
from drawing import SIDE, STYLES, STYLES_VERSION, Artist, Attributes, choose, styles
from numpy.typing import NDArray

WORK: Final = Path(".starter")
_PIECE: Final = 250


def draw(folder: Path, name: str, count: int, seed: int, *, mixed: bool) -> None:
    """`count` drawings into `folder`; `mixed` takes every second from the combinations held out of training."""
    pieces = [
        (folder / "styles", seed * 1_000_003 + first, min(_PIECE, count - first), mixed)
        for first in range(0, count, _PIECE)
    ]
    pictures = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, SIDE, SIDE, 3))
    described: list[Attributes] = []
    with multiprocessing.Pool() as pool:
        for drawn, attributes in pool.imap(_piece, pieces):
            pictures[len(described) : len(described) + len(attributes)] = drawn
            described += attributes
            print(f"\r{name}: {len(described)} of {count} drawn", end="", flush=True)
    print()
    pictures.flush()
    (folder / f"{name}.json").write_text(json.dumps(described), "utf-8")


def _piece(order: tuple[Path, int, int, bool]) -> tuple[NDArray[np.uint8], list[Attributes]]:
    where, seed, count, mixed = order
    rng, artist = random.Random(seed), Artist(where)
    described = [choose(rng, examination=mixed and i % 2 == 1) for i in range(count)]
    return np.stack([artist.draw(attributes, rng) for attributes in described]), described


def drawings(folder: Path, name: str) -> NDArray[np.uint8]:
    """The pictures of `<name>.npy`, `(count, 128, 128, 3)`, read as they are used."""
    return np.lib.format.open_memmap(folder / f"{name}.npy", "r")


def descriptions(folder: Path, name: str) -> list[Attributes]:
    """The attributes of each picture of `drawings`."""
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def rows_of(described: list[Attributes], attribute: str, *values: str) -> NDArray[np.int64]:
    """Which of them have one of `values`."""
    return np.array([row for row, attributes in enumerate(described) if attributes.get(attribute) in values])


def fingerprint(folder: Path, names: tuple[str, ...]) -> str:
    """SHA-256 over the pictures and attributes of `names`, hex."""
    digest = hashlib.sha256()
    for name in names:
        pictures = drawings(folder, name)
        for first in range(0, len(pictures), 1000):
            digest.update(np.ascontiguousarray(pictures[first : first + 1000]))
        digest.update((folder / f"{name}.json").read_bytes())
    return digest.hexdigest()


def build(folder: Path, *, train: int, judge: int, seed: int) -> str:
    """Draw everything; returns the data set's hash."""
    folder.mkdir(parents=True, exist_ok=True)
    styles(folder / "styles")
    draw(folder, "train", train, seed, mixed=False)
    draw(folder, "judge", judge, seed + 1, mixed=True)
    sha256 = fingerprint(folder, ("train", "judge"))
    about = {
        "sha256": sha256,
        "train": train,
        "judge": judge,
        "seed": seed,
        "styles": STYLES,
        "version": STYLES_VERSION,
    }
    (folder / "data.json").write_text(json.dumps(about, indent=2), "utf-8")
    return sha256


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the starter's data set.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--train", type=int, default=20_000)
    parser.add_argument("--judge", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print("data set", build(args.work, train=args.train, judge=args.judge, seed=args.seed))
