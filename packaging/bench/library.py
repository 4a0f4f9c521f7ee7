"""Searching a library of a million assets, by the daemon's own index."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from _house import Table, arguments, folder, ms, quantile
from _rows import NOW, YEARS_S, Vocabulary, database, fill

from tendred.library.index import Index, Query


async def timed(index: Index, queries: Iterable[Query]) -> tuple[list[float], int]:
    """Seconds per search, and how many assets came back in all."""
    seconds, found = list[float](), 0
    for query in queries:
        began = time.perf_counter()
        page = await index.search(query)
        seconds.append(time.perf_counter() - began)
        found += len(page.assets)
    return seconds, found


def cases(runs: int) -> list[tuple[str, str, list[Query]]]:
    """Name, target and searches."""
    words = Vocabulary().words
    spread = [words[round(10 ** (4 * step / runs))] for step in range(runs)]
    deep = [words[n] for n in range(20_000, 20_000 + runs)]
    first = [words[n] for n in range(runs)]
    typed = [f"{words[n % 7]} {words[40 + n]} {words[2 + n][:3]}" for n in range(runs)]
    third = YEARS_S / 3

    def same(query: Query) -> list[Query]:
        return [query] * runs

    return [
        ("newest page", "5 ms", same(Query())),
        ("one word, any", "20 ms", [Query(query=f"{word} ") for word in spread]),
        ("one word, the most common ones", "20 ms", [Query(query=f"{word} ") for word in first]),
        ("one word, rare ones", "20 ms", [Query(query=f"{word} ") for word in deep]),
        ("a prefix of 3 letters", "50 ms", [Query(query=word[:3]) for word in spread]),
        ("a prefix of 3 letters, of common words", "50 ms", [Query(query=word[:3]) for word in first]),
        ("a prefix of 1 letter", "", [Query(query=word[:1]) for word in spread]),
        ("a prefix of 2 letters", "", [Query(query=word[:2]) for word in spread]),
        ("a prefix of 5 letters", "", [Query(query=word[:5]) for word in spread]),
        ("a word that isn't there", "", [Query(query=f"zzq{n} ") for n in range(runs)]),
        ("two words and the start of a third", "", [Query(query=text) for text in typed]),
        ("a rare word with two common ones", "", [Query(query=f"{words[0]} {words[1]} {word}") for word in deep]),
        ("three common words, oldest first", "", same(Query(query=" ".join(words[:3]), order="oldest"))),
        ("one common word, best first", "", same(Query(query=f"{words[20]} ", order="best"))),
        ("the common model", "", same(Query(model="starter"))),
        ("a rare model", "", same(Query(model="rare-model"))),
        ("a common tag", "", same(Query(tag="favourite"))),
        ("a rare tag", "", same(Query(tag="printed"))),
        ("a rare tag with a common word", "", same(Query(tag="printed", query=f"{words[0]} "))),
        ("two years ago", "", same(Query(after=NOW - 2 * third - 86400, before=NOW - 2 * third))),
        ("a common word, two years ago", "", same(Query(query=f"{words[5]} ", before=NOW - 2 * third))),
        ("a kind there is none of", "", same(Query(kind="clip"))),
    ]


async def measure(path: Path, root: Path, runs: int, title: str) -> None:
    opened = database(path)
    try:
        index = Index(opened, root)
        table = Table(title)
        await timed(index, [Query(), Query(query="ba")])
        base = 0.0
        for name, target, queries in cases(runs):
            seconds, found = await timed(index, queries)
            half, slow = quantile(seconds, 0.5), quantile(seconds, 0.99)
            base = base or half
            table.add(
                f"{name} ({found / len(queries):.0f} found)",
                f"{half * 1000:.1f} / {ms(slow)}", target, f"{half / base:.1f} x newest page",
            )  # fmt: skip
    finally:
        opened.close()


def main() -> None:
    options = arguments(__doc__, rows=(1_000_000, 5_000, "assets"), runs=(100, 5, "searches of each kind"))
    with folder() as place:
        path, root = place / "tendred.db", place / "pictures"
        database(path).close()
        began = time.monotonic()
        fill(path, root, options.rows)
        made_s, size = time.monotonic() - began, path.stat().st_size / 1e6
        title = f"library of {options.rows:,} rows ({size:,.0f} MB, filled in {made_s:.0f} s); p50 / p99"
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(measure(path, root, options.runs, title))


if __name__ == "__main__":
    main()
