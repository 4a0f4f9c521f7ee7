"""Reads the licence of everything that tendred[engine] and the plugins install, and refuses what it doesn't know.

Permissive licences pass. MPL-2.0 and the LGPL pass with a note: their code is imported as it is, never changed
or copied in. The system's and NVIDIA's own libraries come with torch's CUDA build, under their own terms.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FINE, NOTE, UNKNOWN = range(3)

PERMISSIVE = {
    "0BSD", "APACHE-2.0", "APACHE-2.0 WITH LLVM-EXCEPTION", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "BSL-1.0", "CC0-1.0",
    "CNRI-PYTHON", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "PYTHON-2.0", "UNLICENSE", "ZLIB",
}  # fmt: skip
NOTED = {"MPL-2.0", "LGPL-2.1-OR-LATER", "LGPL-3.0-OR-LATER", "LGPL-3.0-ONLY"}

# What wheels bring along and their metadata doesn't tell. Neither the daemon nor the engine may lead to these: they come
# only with an extra of their own, whose code runs in a process of its own.
BUNDLED = {"av": "GPL-2.0-or-later (FFmpeg with x264, in its wheels)"}

# Older metadata says it in its own words; each of them stands here for what it means.
WORDS = {
    "APACHE": "APACHE-2.0",
    "APACHE 2.0": "APACHE-2.0",
    "APACHE 2.0 LICENSE": "APACHE-2.0",
    "APACHE SOFTWARE LICENSE": "APACHE-2.0",
    "BSD": "BSD-3-CLAUSE",
    "BSD LICENSE": "BSD-3-CLAUSE",
    "ISC LICENSE": "ISC",
    "ISC LICENSE (ISCL)": "ISC",
    "MIT LICENSE": "MIT",
    "MOZILLA PUBLIC LICENSE 2.0 (MPL 2.0)": "MPL-2.0",
    "PYTHON SOFTWARE FOUNDATION LICENSE": "PSF-2.0",
}


def roots() -> list[str]:
    """What the package and its plugins ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["engine"]]
    for file in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        wanted += tomllib.loads(file.read_text("utf-8"))["project"].get("dependencies", [])
    return wanted


def closure(wanted: list[str]) -> Iterator[metadata.Distribution]:
    """Every installed distribution that these requirements lead to, once; ourselves left out."""
    waiting, seen = [Requirement(text) for text in wanted], {("tendred", "")}
    found: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                distribution = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                sys.exit(f"{name} is not installed, so its licence can't be read: make test installs it")
            if name not in found:
                found.add(name)
                yield distribution
            for text in distribution.requires or []:
                child = Requirement(text)
                if child.marker is None or child.marker.evaluate({"extra": extra}):
                    waiting.append(child)


def licence(distribution: metadata.Distribution) -> str:
    """What the metadata says: the SPDX expression, else the classifiers, else the free text."""
    told = distribution.metadata
    if bundled := BUNDLED.get(canonicalize_name(told["Name"])):
        return bundled
    if expression := told.get("License-Expression"):
        return expression
    classified = [
        text.rpartition(" :: ")[2] for text in told.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    free = (told.get("License") or "").strip()
    # "BSD License" says less than "BSD-3-Clause", so a free text that is one word of ours goes first.
    if free and "\n" not in free and _known(free):
        return free
    return " AND ".join(classified) or free.partition("\n")[0] or "unknown"


def _known(text: str) -> bool:
    return judge(text) < UNKNOWN


def judge(expression: str) -> int:
    """FINE, NOTE or UNKNOWN: the worst of what stands between ANDs, the best of what stands between ORs."""
    words = re.findall(r"[()]|\bAND\b|\bOR\b|(?:(?!\bAND\b|\bOR\b)[^()])+", _plain(expression))
    tokens = [word.strip() for word in words if word.strip()]
    value = _any(tokens)
    return UNKNOWN if tokens else value


def _plain(expression: str) -> str:
    """Names of old that hold brackets, as what they mean."""
    for words, name in WORDS.items():
        if "(" in words:
            expression = re.sub(re.escape(words), name, expression, flags=re.IGNORECASE)
    return expression


def _any(tokens: list[str]) -> int:
    value = _all(tokens)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        value = min(value, _all(tokens))
    return value


def _all(tokens: list[str]) -> int:
    value = _leaf(tokens)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        value = max(value, _leaf(tokens))
    return value


def _leaf(tokens: list[str]) -> int:
    token = tokens.pop(0) if tokens else ""
    if token == "(":
        value = _any(tokens)
        return value if tokens and tokens.pop(0) == ")" else UNKNOWN
    name = WORDS.get(token.upper(), token.upper())
    return FINE if name in PERMISSIVE else NOTE if name in NOTED else UNKNOWN


def main() -> int:
    """Print what was found; 1 if anything is unknown."""
    bad = 0
    distributions = sorted(closure(roots()), key=lambda it: str(it.metadata["Name"]).lower())
    for distribution in distributions:
        told = licence(distribution)
        value = judge(told)
        if value == UNKNOWN:
            bad += 1
            print(f"  NOT ALLOWED  {distribution.metadata['Name']} {distribution.version}: {told}")
        elif value == NOTE:
            print(f"  note         {distribution.metadata['Name']} {distribution.version}: {told} (used unchanged)")
    for name, bundled in BUNDLED.items():
        print(f"  note         {name}: {bundled}; only with tendred[clips], used unchanged")
    print(f"licences of {len(distributions)} packages read, {bad} not allowed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
