"""The whole recipe, cut short: every command of packaging/starter/README.md in its order, to a model that the engine loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "starter"
STEPS = [
    ("vae.py", "--seconds", "50"),
    ("text.py", "--seconds", "40"),
    ("unet.py", "--settle", "--seconds", "90"),
    ("vae.py", "--decoder", "--seconds", "15"),
    ("preview.py", "--seconds", "15"),
    ("upscaler.py", "--seconds", "20"),
    ("judge.py", "--seconds", "20"),
    ("lora.py", "--seconds", "20"),
    ("evaluate.py", "--count", "16"),
]
pytestmark = [pytest.mark.heavy, pytest.mark.needs("npm")]


def run(*command: str) -> str:
    """One command of the recipe, as it is typed."""
    done = subprocess.run(
        [sys.executable, str(RECIPE / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def build(work: Path, seed: str = "1") -> str:
    run("data.py", "--work", str(work), "--train", "240", "--judge", "120", "--seed", seed)
    return json.loads((work / "data.json").read_text("utf-8"))["sha256"]


@pytest.mark.timeout(600)
def test_the_data_set_is_the_same_each_time(tmp_path):
    assert build(tmp_path / "one") == build(tmp_path / "two") != build(tmp_path / "three", "2")


@pytest.mark.timeout(1800)
def test_the_recipe_makes_a_model(tmp_path):
    work, made = tmp_path / "work", tmp_path / "made"
    build(work)
    said = {command[0] + command[1]: run(command[0], "--work", str(work), *command[1:]) for command in STEPS}
    table = said["evaluate.py--count"]
    assert "canonical" in table
    assert "| mean |" in table
    run("export.py", "--work", str(work), "--to", str(made))
    assert (made / "starter" / "LICENSE.md").read_text("utf-8").count("Johan Melin") == 1
    unet = made / "starter" / "unet" / "diffusion_pytorch_model.safetensors"
    with safe_open(unet, "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F16"}  # noqa: SIM118
    assert (made / "loras" / "mira.safetensors").stat().st_size < 1_000_000
    painted = run(
        "evaluate.py", "--work", str(work), "--model", str(made / "starter"), "--count", "8", "--manners", "few"
    )
    assert "| few | drawings |" in painted
