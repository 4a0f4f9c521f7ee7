"""Whenever a person may be in frame, exactly one adult age is stated: after plugins, whatever they and the user wrote."""

import random
import re

import msgspec
import pytest

from tendred.boundary.anchor import in_words
from tendred.core.studio import Submission
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import StillRequest
from tendred.testing.headers import folder
from tendred.testing.loras import layers
from tendred.testing.plugins import installed

PEOPLE = (
    "a woman", "a man", "two women", "an old fisherman", "a nurse", "a firefighter", "a bearded baker", "a chef", "my neighbour",
    "a crowd", "a couple of hikers", "a portrait", "somebody in a raincoat", "a dancer", "a farmer", "a violinist", "une femme",
    "un homme", "eine Frau", "una mujer", "женщина", "女性", "a knight", "an astronaut", "a grandmother", "a bride and groom",
)  # fmt: skip
AGES = (
    "",
    "",
    "",
    "30-year-old ",
    "45 year old ",
    "aged 67, ",
    "in her fifties, ",
    "(52-year-old:1.2) ",
    "a 21-year-old, ",
)
PLACES = (
    "on a hill",
    "in a kitchen",
    "at the harbour",
    "under a red umbrella",
    "by the window",
    "in the rain",
    "beside a horse",
)
STYLES = (
    "",
    ", oil painting",
    ", 35mm photograph",
    ", (soft light:1.3)",
    ", ink drawing, detailed",
    ", {dusk|dawn}",
    " and a dog",
)
NEGATIVES = ("", "", "blurry", "adult", "adults, mature", "grown-up, text, (adult:1.5)", "elderly, watermark")
AMENDS = """
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
ANCHOR = re.compile(r"(?:(\d+)-year-old )?adult")


def prompts(count):
    dice = random.Random(6)
    for number in range(count):
        age, person = dice.choice(AGES), dice.choice(PEOPLE)
        words = f"{age}{person}" if age.startswith(("a", "i")) else person.replace("a ", f"a {age}", 1)
        yield f"{words} {dice.choice(PLACES)}{dice.choice(STYLES)}", dice.choice(NEGATIVES), number


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=[pytest.mark.heavy, pytest.mark.timeout(3600)])])
async def test_every_person_has_exactly_one_anchor(make_daemon, tmp_path, count):
    with installed(tmp_path / "site", amends=AMENDS):
        daemon = await make_daemon('plugins.enabled=["amends"]')
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        await daemon.studio.add_model(str(folder(tmp_path / "other", shapes)), "other")
        submitter, ages = daemon.studio._p.submitter, set()
        for prompt, negative, seed in prompts(count):
            request = StillRequest(prompt=prompt, negative_prompt=negative, model="other", seed=seed)
            submission = Submission(request=request, asked={"prompt": prompt}, key=None)
            new = await submitter.prepare(submission, Origin(door="rpc"))
            conditioning = msgspec.json.decode(new.reviewed.conditioning, type=Conditioning)
            anchor = conditioning.anchor
            assert anchor is not None, prompt
            stated = ANCHOR.fullmatch(anchor)
            assert stated, anchor
            assert stated[1] is None or int(stated[1]) >= 21, prompt
            ages.add(stated[1])
            words = "".join(span.text for span in conditioning.prompt)
            # Ours is beside the words, never among them; whoever encodes them puts it first.
            assert not words.startswith(anchor), prompt
            assert in_words(conditioning).startswith(f"{anchor}, {words[:8]}"), prompt
            assert in_words(conditioning).count(f"{anchor}, ") == 1 + words.count(f"{anchor}, "), prompt
            unwanted = "".join(span.text for span in conditioning.negative)
            assert unwanted.startswith("child"), prompt
            assert not re.search(r"adult|grown|mature|elderly", unwanted, re.IGNORECASE), prompt
        assert {None, "45"} <= ages or count < 50


def test_without_a_person_there_is_none():
    assert in_words(Conditioning(prompt=[], negative=[], anchor=None)) == ""
    said = Conditioning(prompt=[Span(text="red "), Span(text="hills", weight=1.2)], negative=[], anchor=None)
    assert in_words(said) == "red hills"
    assert in_words(msgspec.structs.replace(said, anchor="adult")) == "adult, red hills"
