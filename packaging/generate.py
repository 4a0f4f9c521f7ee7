"""Writes the files that are made of the code; `--check` only compares and ends with 1 if one has drifted."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tendred.config import sample
from tendred.errors import LANGUAGES, catalogue, registry
from tendred.hooks import spec
from tendred.rpc import openrpc
from tendred.schema.event import LIVE, MEANINGS, Event

ROOT = Path(__file__).resolve().parent.parent


def hooks() -> str:
    """The hooks: what `tendred/hooks/spec.py` says."""
    parts = ["# Hooks\n", inspect.getdoc(spec) or ""]
    for name, hook in vars(spec.Hooks).items():
        if not name.startswith("_"):
            signature = str(inspect.signature(hook)).replace("(self, ", "(").replace("'", "")
            parts.append(f"\n## {name}\n\n`{name}{signature}`\n\n{inspect.getdoc(hook)}")
    return "\n".join(parts) + "\n"


def settings() -> str:
    """The settings by section, with the variable that sets each."""
    parts = [
        "# Settings\n",
        "In `config/config.toml` (`tendre config path`), as a variable, or as `-o section.key=value`; what stands",
        "later in this list counts for more. [config.sample.toml](config.sample.toml) holds all of them.",
    ]
    for name, about, rows in sample.sections():
        parts.append(f"\n## {name}\n\n{about}\n\n| setting | default | variable | meaning |\n|---|---|---|---|")
        for row in rows:
            meaning = " ".join(words for words in (row.meaning, row.limits) if words)
            variable = f"`TENDRED_{name}_{row.key}`".upper()
            parts.append(_row(f"`{name}.{row.key}`", f"`{row.default}`", variable, meaning))
    return "\n".join(parts) + "\n"


def errors() -> str:
    """Every kind and variant in both languages, by code."""
    parts = [
        "# Errors\n",
        "Clients switch on `kind`; `message` and `next` are for people. Codes below 0 and from 1000 on are JSON-RPC",
        "codes; 400 to 499 are HTTP statuses, given before there is a call; 2 to 5 are exit codes of a command.",
        "Braces are filled from `detail`. A variant has words of its own under the same kind.",
    ]
    for kind, error in sorted(registry().items(), key=lambda entry: (_group(entry[1].code), abs(entry[1].code))):
        parts.append(f"\n## {kind} ({error.code})\n\n| | English | français |\n|---|---|---|")
        parts += _words(kind)
    return "\n".join(parts) + "\n"


def _group(code: int) -> int:
    return 0 if code < 0 else 1 if code >= 1000 else 2 if code >= 400 else 3


def _words(kind: str) -> Iterator[str]:
    tables = [catalogue(lang)[kind] for lang in LANGUAGES]
    variants = [name for name, words in tables[0].items() if isinstance(words, dict)]
    for variant in ("", *variants):
        entries = [table[variant] if variant else table for table in tables]
        for part in ("message", "next"):
            # A variant that leaves one out takes the kind's own.
            words = [entry.get(part) if isinstance(entry, dict) else None for entry in entries]
            if any(words):
                name = f"{variant}: {part}" if variant else part
                yield _row(name, *(str(word or "").strip() for word in words))


def events() -> str:
    """Every topic: whether it is stored, what its data holds, what happened."""
    parts = [
        "# Events\n",
        inspect.getdoc(Event) or "",
        "",
        f"An event has the fields {', '.join(f'`{name}`' for name in Event.__struct_fields__)}. Those that are not",
        "stored have no `seq`: they are told to whoever listens, and of one job only the newest counts.\n",
        "| topic | stored | data | what happened |\n|---|---|---|---|",
    ]
    for topic, (holds, words) in MEANINGS.items():
        parts.append(_row(f"`{topic}`", "no" if topic in LIVE else "yes", f"`{holds}`", words))
    return "\n".join(parts) + "\n"


def _row(*cells: str) -> str:
    cells = tuple(cell.replace("|", "\\|").replace("\n", " ").replace("{{", "{").replace("}}", "}") for cell in cells)
    return "| " + " | ".join(cells) + " |"


FILES: dict[str, Callable[[], str]] = {
    "clients/openrpc.json": openrpc.text,
    "packaging/reference/config.sample.toml": sample.sample,
    "packaging/reference/errors.md": errors,
    "packaging/reference/events.md": events,
    "packaging/reference/hooks.md": hooks,
    "packaging/reference/settings.md": settings,
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
