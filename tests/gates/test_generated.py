"""What is made of the code is what the code says: `make generate` writes it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tendred.config.load import FIELDS
from tendred.errors import registry
from tendred.hooks.spec import Hooks
from tendred.schema.event import TOPICS


def test_nothing_has_drifted(root):
    command = [sys.executable, "packaging/generate.py", "--check"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.timeout(120)  # four starts of a program, each of which loads nearly all of ours
def test_the_check_notices_a_drift(root, tmp_path):
    copy = tmp_path / "packaging"
    copy.mkdir()
    (copy / "generate.py").write_text((root / "packaging" / "generate.py").read_text("utf-8"), "utf-8")
    script = [sys.executable, str(copy / "generate.py")]

    def run(*arguments):
        return subprocess.run([*script, *arguments], capture_output=True, text=True, check=False)

    assert run("--check").returncode == 1
    assert run().returncode == 0
    assert run("--check").returncode == 0
    page = copy / "reference" / "errors.md"
    page.write_text(page.read_text("utf-8") + "\nmore\n", "utf-8")
    drifted = run("--check")
    assert (drifted.returncode, "errors.md" in drifted.stdout) == (1, True)


def test_the_pages_leave_nothing_out(root):
    pages = {file.name: file.read_text("utf-8") for file in (root / "packaging" / "reference").iterdir()}
    for section, keys in FIELDS.items():
        assert all(f"`{section}.{key}`" in pages["settings.md"] for key in keys)
        assert all(f"\n#{key} = " in pages["config.sample.toml"] for key in keys)
    assert all(f"## {kind} ({cls.code})" in pages["errors.md"] for kind, cls in registry().items())
    assert all(f"| `{topic}` |" in pages["events.md"] for topic in TOPICS)
    assert all(f"## {name}\n" in pages["hooks.md"] for name in vars(Hooks) if not name.startswith("_"))
