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


def sentences(seed: int) -> Iterator[tuple[str, int]]:
    """Each sentence, with 1 where it is about a minor."""
    rng = Random(seed)
    tongues = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted((DATA / "tongues").glob("*.toml"))}
    minors = tomllib.loads((DATA / "minors.toml").read_text("utf-8"))
    red, many, more = _seeds("english"), _seeds("tongues"), _seeds("corpus")
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
    for _ in range(9000):
        yield _scene(rng, rng.choice(english), scenes["en"]), 1
    for _ in range(2500):
        yield _scene(rng, rng.choice(more["implied"]).format(x=rng.choice(more["persons"])), scenes["en"]), 1
    for lang, tongue in tongues.items():
        words = [word.replace("*", "") for word in (*tongue.get("minor", []), *tongue.get("solid", []))]
        words += [*many[lang]["who"][0], *many[lang]["who"][0]]
        for _ in range(600):
            yield _scene(rng, rng.choice(words), scenes[lang]), 1
        for _ in range(150):
            age = rng.choice(many[lang]["ages"][0]).format(n=rng.randint(5, 20), born=rng.randint(2008, 2022))
            yield _scene(rng, age, scenes[lang]), 1
        for _ in range(250):
            age = rng.choice(many[lang]["ages"][0]).format(n=rng.randint(21, 88), born=rng.randint(1940, 1998))
            yield _scene(rng, age, scenes[lang]), 0
        for _ in range(700):
            yield _scene(rng, rng.choice(more["adult"][lang]), scenes[lang]), 0
    yield from _others(rng, scenes["en"], minors, more)


def _others(rng: Random, scenes: list[str], minors: dict[str, Any], more: dict[str, Any]) -> Iterator[tuple[str, int]]:
    benign = _benign()
    spared = [one for one in minors["exceptions"] if "{" not in one]
    for _ in range(9000):
        yield rng.choice(benign), 0
    for _ in range(5000):
        yield _scene(rng, rng.choice(more["adult"]["en"]), scenes), 0
    for _ in range(2500):
        yield _scene(rng, rng.choice([*more["things"]["en"], *more["things"]["mul"], *spared]), scenes), 0


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
