"""Rows like those of a library that somebody has used for years: words that follow Zipf's law, true documents."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tendred.bus import Bus
from tendred.clock import Ids, SystemClock, SystemRng
from tendred.library import index
from tendred.schema.asset import Asset, EngineInfo, ModelUse
from tendred.schema.base import Record
from tendred.store.database import Database

WORDS = 30_000
WORDS_A_PROMPT = 18
CHUNK = 20_000
MODELS = ("starter", "dreamy-xl", "photo-real-xl", "flux-schnell", "paper-cut", "rare-model")
SHARES = (40, 25, 20, 10, 4.99, 0.01)
"""How often each of the models drew, in percent."""
SYLLABLES = [a + b for a in "bcdfghlmnprstvw" for b in ("a", "e", "i", "o", "u", "ai", "ea", "or", "in", "an")]
ENGINE = EngineInfo(
    version="0", torch="2.13.0", diffusers="0.42.1", device="cpu", dtype="float32", threads=2, batch_size=1
)
YEARS_S = 3 * 365 * 86400
NOW = 1_795_000_000.0
ADD = (
    "INSERT INTO asset(n, id, job_id, idx, kind, state, created_at, model, character, path, words, doc, indexed) "
    "VALUES (?, ?, ?, 0, 'still', 'kept', ?, ?, NULL, ?, ?, ?, 1)"
)


class Vocabulary:
    """Invented words. The n-th is drawn 1/n as often as the first."""

    def __init__(self, seed: int = 1) -> None:
        self._rng = random.Random(seed)
        every = itertools.chain.from_iterable(itertools.product(SYLLABLES, repeat=count) for count in (2, 3))
        pool = ["".join(parts) for parts in itertools.islice(every, 400_000)]
        self.words = self._rng.sample(pool, WORDS)
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def prompts(self, count: int) -> Iterator[str]:
        """Prompts of about `WORDS_A_PROMPT` words."""
        for _ in range(count):
            length = max(3, round(self._rng.gauss(WORDS_A_PROMPT, 6)))
            yield " ".join(self._rng.choices(self.words, cum_weights=self._weights, k=length))

    def models(self, count: int) -> list[str]:
        """Which model drew."""
        return self._rng.choices(MODELS, SHARES, k=count)


class Described(Record, frozen=True):
    """What differs from row to row."""

    n: int
    prompt: str
    model: str
    created_at: float


def asset(root: Path, row: Described, files: int) -> Asset:
    """A document as `core.keep` writes it, by size and by shape."""
    settings: dict[str, Any] = {
        "prompt": row.prompt, "negative_prompt": "", "model": row.model, "width": 1024, "height": 1024, "steps": 30,
        "guidance": 5.0, "scheduler": "dpmpp_2m", "seed": row.n, "count": 1, "loras": [], "character": None,
        "format": "png", "lane": "normal", "keep_alive_s": 300.0, "tags": [],
    }  # fmt: skip
    return Asset(
        id=f"ast_{row.n:026d}", kind="still", path=str(root / f"{row.n % files}.png"), url=f"/media/ast_{row.n:026d}",
        media_type="image/png", bytes=1_500_000, sha256="5" * 64, pixels_sha256="7" * 64, width=1024, height=1024,
        duration_s=None, fps=None, audio=None, created_at="2026-01-01T00:00:00.000Z", job_id=f"job_{row.n:026d}",
        index=0, seed=row.n, settings=settings, model=ModelUse(name=row.model, sha256="3" * 64), loras=[],
        character=None, engine=ENGINE, parents=[], receipt_id=f"rcp_{row.n:026d}", policy="1", tags=[], state="kept",
    )  # fmt: skip


def database(path: Path) -> Database:
    """An open database, as the daemon opens it."""
    rng, clock = SystemRng(), SystemClock()
    made = Database(
        path, clock=clock, committed=lambda _: None, boot_id=Ids(clock, rng).new("boot"), publish=Bus().publish
    )
    made.open()
    return made


def rows(root: Path, count: int, files: int) -> Iterator[tuple[Described, Asset]]:
    """`count` assets in order of time. Their pictures are `files` small files that exist."""
    words = Vocabulary()
    for n, prompt, model in zip(range(1, count + 1), words.prompts(count), words.models(count), strict=True):
        row = Described(n=n, prompt=prompt, model=model, created_at=NOW - YEARS_S * (1 - n / count))
        yield row, asset(root, row, files)


def fill(path: Path, root: Path, count: int, files: int = 1000) -> None:
    """Put assets into a database that has its tables, past the daemon's own way in: that takes an fsync each."""
    import msgspec
    from msgspec.structs import replace

    root.mkdir(exist_ok=True)
    for number in range(files):
        (root / f"{number}.png").write_bytes(b"x")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    pending = rows(root, count, files)
    while chunk := list(itertools.islice(pending, CHUNK)):
        connection.execute("BEGIN")
        connection.executemany(
            ADD,
            (
                (
                    row.n, made.id, made.job_id, row.created_at, row.model, Path(made.path).name,
                    f"{row.prompt}  {row.model}", msgspec.json.encode(replace(made, path=Path(made.path).name)),
                )
                for row, made in chunk
            ),
        )  # fmt: skip
        connection.executemany(index.INDEX, ((row.n, f"{row.prompt}  {row.model}") for row, _ in chunk))
        connection.execute("COMMIT")
    tag = "INSERT INTO asset_tag(tag, n) SELECT ?, n FROM asset WHERE n % ? = 0"
    connection.execute(tag, ("favourite", 50))
    connection.execute(tag, ("printed", 20_000))
    connection.close()
