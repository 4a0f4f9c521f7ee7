"""Writes the files that are made of the code; `--check` only compares and ends with 1 if one has drifted."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from tendred.config import sample
from tendred.hooks import spec
from tendred.rpc import openrpc

ROOT = Path(__file__).resolve().parent.parent


def hooks() -> str:
    """The hooks as a page: what `tendred/hooks/spec.py` says."""
    parts = ["# Hooks\n", inspect.getdoc(spec) or ""]
    for name, hook in vars(spec.Hooks).items():
        if not name.startswith("_"):
            signature = str(inspect.signature(hook)).replace("(self, ", "(").replace("'", "")
            parts.append(f"\n## {name}\n\n`{name}{signature}`\n\n{inspect.getdoc(hook)}")
    return "\n".join(parts) + "\n"


FILES: dict[str, Callable[[], str]] = {
    "clients/openrpc.json": openrpc.text,
    "docs/config.toml": sample.sample,
    "docs/hooks.md": hooks,
}


def main(argv: list[str]) -> int:
    """Write or compare every file."""
    drifted: list[str] = []
    for name, make in FILES.items():
        file, text = ROOT / name, make()
        if file.is_file() and file.read_text("utf-8") == text:
            continue
        drifted.append(name)
        if "--check" not in argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    words = "out of date (make generate writes them)" if "--check" in argv else "written"
    print(f"generated files {words}: {', '.join(drifted)}" if drifted else "generated files are up to date")
    return 1 if drifted and "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
