"""The text that other tools read, read the way they read it."""

from __future__ import annotations

import json
import re

import pytest

from tendred import __version__
from tendred.library.parameters import SAMPLERS, parameters_text
from tendred.schema.still import SCHEDULERS

# modules/infotext_utils.py of AUTOMATIC1111/stable-diffusion-webui
PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')

SETTINGS = {
    "prompt": "a red ball,\non a table: 日本",
    "negative_prompt": "blur, noise",
    "model": "starter",
    "width": 128,
    "height": 96,
    "steps": 20,
    "guidance": 4.0,
    "scheduler": "euler",
    "seed": 1,
    "loras": [],
    "model_sha256": "abcdef1234" + "0" * 54,
}


def read(text: str) -> dict[str, str]:
    """A short copy of their parse_generation_parameters."""
    *lines, last = text.split("\n")
    found = {key: json.loads(value) if value[:1] == '"' else value for key, value in PARAMETER.findall(last)}
    prompt, _, negative = "\n".join(lines).partition("\nNegative prompt: ")
    return {"Prompt": prompt, "Negative prompt": negative, **found}


def test_it_looks_as_other_tools_write_it() -> None:
    assert parameters_text(SETTINGS) == (
        "a red ball,\non a table: 日本\n"
        "Negative prompt: blur, noise\n"
        "Steps: 20, Sampler: Euler, CFG scale: 4, Seed: 1, Size: 128x96, Model: starter, "
        f"Model hash: abcdef1234, Version: tendred {__version__}"
    )


def test_it_reads_back() -> None:
    found = read(parameters_text(SETTINGS))
    assert found["Prompt"] == SETTINGS["prompt"]
    assert found["Negative prompt"] == SETTINGS["negative_prompt"]
    assert found["Seed"] == "1"


@pytest.mark.parametrize("name", ["a,b", "a: b", 'say "hi", you', "one\ntwo", "back\\slash, too", "日本, 2"])
def test_awkward_values_are_quoted(name: str) -> None:
    text = parameters_text(SETTINGS | {"model": name})
    assert read(text)["Model"] == name
    assert read(text)["Model hash"] == "abcdef1234"


def test_loras_stand_in_the_prompt() -> None:
    loras = [{"name": "ink", "weight": 0.8}, {"name": "paper", "weight": 1.0}]
    assert parameters_text(SETTINGS | {"prompt": "a ball", "loras": loras}).startswith(
        "a ball <lora:ink:0.8> <lora:paper:1>\n"
    )


def test_what_is_not_there_is_left_out() -> None:
    assert (
        parameters_text({"prompt": "x", "steps": None, "negative_prompt": ""}) == f"x\nVersion: tendred {__version__}"
    )


def test_every_scheduler_has_a_name() -> None:
    assert set(SAMPLERS) == set(SCHEDULERS)


def test_one_variation_is_told_as_other_tools_know_it() -> None:
    step = {"asset_id": "ast_1", "seed": 9, "strength": 0.25}
    told = read(parameters_text({**SETTINGS, "variations": [step]}))
    assert (told["Seed"], told["Variation seed"], told["Variation seed strength"]) == ("1", "9", "0.25")
    # They know none of several, and half of it would be another picture.
    assert "Variation seed" not in read(parameters_text({**SETTINGS, "variations": [step, step]}))
