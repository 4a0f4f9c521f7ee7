"""The sources as syntax trees, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """One file of ours; `name` is its path from the root, with slashes."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def _read(*patterns: str) -> list[Source]:
    files = sorted({file for pattern in patterns for file in ROOT.glob(pattern)})
    texts = [(file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) for file in files]
    return [Source(name, text, ast.parse(text, name)) for name, text in texts]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def package() -> list[Source]:
    """What is installed: `tendred` and the plugins."""
    return _read("tendred/**/*.py", "plugins/*/src/**/*.py")


@pytest.fixture(scope="session")
def tests() -> list[Source]:
    return _read("tests/**/*.py", "plugins/*/tests/**/*.py", "tendred/testing/**/*.py")


@pytest.fixture(scope="session")
def everything(package: list[Source], tests: list[Source]) -> list[Source]:
    """Every line of Python in the project."""
    return [*{source.name: source for source in [*package, *tests, *_read("packaging/**/*.py")]}.values()]
