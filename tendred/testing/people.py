"""Prompts with people in them, generated from a seed, and a plugin that does to them what a plugin may."""

from __future__ import annotations

import random  # noqa: TID251 - seeded: the same prompts each time
from collections.abc import Iterator
from typing import Final

PEOPLE: Final = (
    "a woman", "a man", "two women", "an old fisherman", "a nurse", "a firefighter", "a bearded baker", "a chef", "my neighbour",
    "a crowd", "a couple of hikers", "a portrait", "somebody in a raincoat", "a dancer", "a farmer", "a violinist", "une femme",
    "un homme", "eine Frau", "una mujer", "женщина", "女性", "a knight", "an astronaut", "a grandmother", "a bride and groom",
)  # fmt: skip
AGES: Final = (
    "", "", "", "30-year-old ", "45 year old ", "aged 67, ", "in her fifties, ", "(52-year-old:1.2) ", "a 21-year-old, ",
)  # fmt: skip
PLACES: Final = (
    "on a hill", "in a kitchen", "at the harbour", "under a red umbrella", "by the window", "in the rain", "beside a horse",
)  # fmt: skip
STYLES: Final = (
    "", ", oil painting", ", 35mm photograph", ", (soft light:1.3)", ", ink drawing, detailed", ", {dusk|dawn}", " and a dog",
)  # fmt: skip
NEGATIVES: Final = ("", "", "blurry", "adult", "adults, mature", "grown-up, text, (adult:1.5)", "elderly, watermark")
AMENDS: Final = """
import itertools
from tendred.api import Amendment, hookimpl
requires_api = ">=1.0"
turns = itertools.count()
@hookimpl
def amend_request(request):
    match next(turns) % 6:
        case 0: return Amendment(negative_prompt="adult, grown-up, " + request.negative_prompt)
        case 1: return Amendment(prompt=request.prompt + ", (adult:0)")
        case 2: return Amendment(prompt="(" + request.prompt + ":0.1)")
        case 3: return Amendment(prompt=request.prompt + ", " + "many small stones, " * 60)
        case 4: return Amendment(prompt=request.prompt.upper())
        case _: return None
"""
"""A plugin that works against the anchor; one prompt in six becomes longer than two windows of CLIP's."""


def people(count: int, seed: int = 6) -> Iterator[tuple[str, str]]:
    """Prompt and negative prompt, so many times."""
    dice = random.Random(seed)
    for _ in range(count):
        age, person = dice.choice(AGES), dice.choice(PEOPLE)
        words = f"{age}{person}" if age.startswith(("a", "i")) else person.replace("a ", f"a {age}", 1)
        yield f"{words} {dice.choice(PLACES)}{dice.choice(STYLES)}", dice.choice(NEGATIVES)
