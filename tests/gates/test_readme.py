"""What the README tells people to type is there: commands, targets, files, settings, fields."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tendred.app.cli.parser import UsageError, build, complete
from tendred.app.cli.run import COMMANDS
from tendred.config.load import FIELDS
from tendred.rpc.methods import registry
from tendred.schema.event import TOPICS
from tendred.schema.still import StillRequest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "plugins").glob("*/README.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def typed(page):
    """Every line of a shell block, and every piece of code in the text."""
    text = page.read_text("utf-8")
    for _, body in (found for found in FENCE.findall(text) if found[0] in {"sh", "bash", "console", ""}):
        yield from re.sub(r"\\\n", " ", body).splitlines()
    yield from INLINE.findall(FENCE.sub("", text))


def lines(program):
    """`program ...` lines, without comments; `/bin/` paths count as the program."""
    for page in PAGES:
        for line in typed(page):
            try:
                words = shlex.split(line.removeprefix("$ "), comments=True)
            except ValueError:
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == program:
                yield line.strip(), words[1:]


TENDRE = dict(lines("tendre"))
MAKE = dict(lines("make"))


@pytest.mark.parametrize("line", TENDRE)
def test_a_command_line_parses(line):
    words = [word for word in TENDRE[line] if word not in {"…", "..."}]
    if not words:
        return
    try:
        build(COMMANDS).parse_args(complete(words))
    except UsageError as problem:
        # A page may name a command without what it needs (`tendre models add`): then the rest is missing, not wrong.
        assert "required" in str(problem), f"{line}: {problem}"


@pytest.mark.parametrize("line", MAKE)
def test_a_target_of_make_exists(line):
    if any(mark in line for mark in "…<>"):
        return
    targets = [word for word in MAKE[line] if "=" not in word and not word.startswith("-")]
    known = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(targets) <= known
    variables = {word.partition("=")[0] for word in MAKE[line] if "=" in word}
    assert variables <= set(re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_readme_shows_how_to_begin():
    assert {"demo", "test"} <= {word for words in MAKE.values() for word in words}
    assert {"up", "image", "models"} <= {word for words in TENDRE.values() for word in words[:1]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    if page.name == "README.md":
        missing = [link for link in missing if not link.startswith("packaging/bench/")]  # written by make bench
    assert missing == []


def test_files_that_are_named_are_there():
    """Paths of ours in backticks; those with a placeholder or of a user's machine are none."""
    roots = (
        "tendred/",
        "packaging/",
        "tests/",
        "plugins/",
        "clients/",
        "core/",
        "rpc/",
        "queue/",
        "boundary/",
        "engine/",
    )
    missing = []
    for page in PAGES:
        for code in INLINE.findall(page.read_text("utf-8")):
            if not code.startswith(roots) or re.search(r"[<>{}*\s…]", code):
                continue
            places = [ROOT / code, ROOT / "tendred" / code, page.parent / code]
            if not any(place.exists() for place in places):
                missing.append(f"{page.name}: {code}")
    assert [name for name in missing if "packaging/bench" not in name] == []


def test_the_sample_prompt_is_the_one_that_make_demo_drops():
    blocks = [
        body for language, body in FENCE.findall((ROOT / "README.md").read_text("utf-8")) if language == "markdown"
    ]
    assert (ROOT / "packaging" / "demo" / "hello.md").read_text("utf-8") in blocks


def test_settings_methods_and_fields_that_are_named_are_there():
    text = "\n".join(page.read_text("utf-8") for page in PAGES if page.name != "ARCHITECTURE.md")
    settings = {f"{section}.{key}" for section, keys in FIELDS.items() for key in keys}
    nouns = {name.partition(".")[0] for name in (*settings, *registry().methods)}
    named = {name for name in re.findall(r"`([a-z]+\.[a-z_]+)(?:=[^`]*)?`", text) if name.partition(".")[0] in nouns}
    assert sorted(named - settings - set(registry().methods) - set(TOPICS)) == []
    for listed in re.findall(r"Fields are those of `images.generate`:(.*?)\.\n", text, re.DOTALL):
        assert set(re.findall(r"`(\w+)`", listed)) - {"png", "jpeg", "webp"} <= set(StillRequest.__struct_fields__)


@pytest.mark.parametrize("module", ["tendred", "tendred.app.cli"])
def test_both_programs_have_help(module):
    ran = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "usage:" in ran.stdout
