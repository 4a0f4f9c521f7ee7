"""Sentences to train the semantic head on, made from a seed: about minors, and about everything else.

Nothing of the held-out halves of the evaluation sets is read here. Clean: a subject, a scene, nothing else.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

HERE: Final = Path(__file__).parent
DATA: Final = HERE.parents[1] / "tendred" / "boundary" / "data"


def sentences(seed: int) -> Iterator[tuple[str, int, str]]:
    """Each sentence, with 1 where it is about a minor, and the subject in it: what is held back goes by that."""
    rng = Random(seed)
    tongues = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted((DATA / "tongues").glob("*.toml"))}
    minors = tomllib.loads((DATA / "minors.toml").read_text("utf-8"))
    red, many, more, emoji = _seeds("english"), _seeds("tongues"), _seeds("corpus"), _seeds("emoji")
    scenes = {
        "en": red["snips"]["tune"] + more["styles"],
        **{lang: data["snips"][0] + more["styles"][:4] for lang, data in many.items()},
    }
    english = [
        *minors["words"],
        *minors["relatives"],
        *(one for one in minors["phrases"] if "{" not in one),
        *red["who"]["tune"],
    ]
    yield from _draw(rng, english, scenes["en"], 9000, 1)
    for _ in range(4000):
        told = rng.choice(more["implied"])
        yield _scene(rng, told.format(x=rng.choice(more["persons"])), scenes["en"]), 1, told
    for lang, tongue in tongues.items():
        words = [word.replace("*", "") for word in (*tongue.get("minor", []), *tongue.get("solid", []))]
        yield from _draw(rng, [*words, *many[lang]["who"][0], *many[lang]["who"][0]], scenes[lang], 600, 1)
        ages = many[lang]["ages"][0]
        yield from _ages(rng, ages, scenes[lang], 250, (21, 88), (1940, 1998))
        yield from _draw(rng, more["adult"][lang], scenes[lang], 700, 0)
        yield from _draw(rng, emoji[lang], scenes[lang], 700, 0)
        yield from _counted(rng, ["{n} {x}", "{x} {n}"], emoji[lang], scenes[lang], 150)
    yield from _counted(rng, more["counted"], emoji["en"] + more["things"]["en"], scenes["en"], 2500)
    for text in (text for _ in range(6) for text in _benign()):
        yield text, 0, text
    things = [*more["things"]["en"], *more["things"]["mul"], *(one for one in minors["exceptions"] if "{" not in one)]
    yield from _draw(rng, more["adult"]["en"], scenes["en"], 5000, 0)
    yield from _draw(rng, things, scenes["en"], 2500, 0)
    yield from _draw(rng, emoji["en"], scenes["en"], 2500, 0)


def _draw(
    rng: Random, subjects: list[str], scenes: list[str], count: int, label: int
) -> Iterator[tuple[str, int, str]]:
    for _ in range(count):
        subject = rng.choice(subjects)
        yield _scene(rng, subject, scenes), label, subject


def _counted(
    rng: Random, ways: list[str], things: list[str], scenes: list[str], count: int
) -> Iterator[tuple[str, int, str]]:
    # Small numbers are no ages by themselves.
    for _ in range(count):
        told = rng.choice(ways).format(n=rng.randint(1, 20), x=rng.choice(things))
        yield _scene(rng, told, scenes), 0, ""


def _ages(
    rng: Random,
    ages: list[str],
    scenes: list[str],
    count: int,
    numbers: tuple[int, int],
    years: tuple[int, int],
) -> Iterator[tuple[str, int, str]]:
    # Which number it is, the head doesn't see: ages below 21 are for the rules.
    for _ in range(count):
        told = rng.choice(ages).format(n=rng.randint(*numbers), born=rng.randint(*years))
        yield _scene(rng, told, scenes), 0, ""


def _benign() -> list[str]:
    """The tuned half of the benign set."""
    lines = (HERE / "sets" / "benign.jsonl").read_text("utf-8").splitlines()
    return [row["text"] for row in map(json.loads, lines) if row["part"] == "tune"]


def _scene(rng: Random, subject: str, scenes: list[str]) -> str:
    parts = [subject, *rng.sample(scenes, min(len(scenes), rng.randint(0, 2)))]
    rng.shuffle(parts)
    return ", ".join(parts)


def _seeds(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "seeds" / f"{name}.toml").read_text("utf-8"))
