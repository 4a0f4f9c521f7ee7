"""What people call things in 22 languages, for the semantic head to learn from: names and keywords of emoji.

    python packaging/boundary/emoji.py SOURCES     SOURCES: a folder with the two unpacked packages below

Sources, both from npm, Unicode licence (Unicode-3.0): `cldr-annotations-full` and `cldr-annotations-derived-full` 48.2.0.
Emoji say what they show whatever the language is, so that nobody has to read the words to know that they name no minor.
Those that show one, a family, a pupil or what belongs to babies are left out, and what the rules refuse anyway.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tendred.boundary.judge import Boundary, Words

HERE: Final = Path(__file__).parent
TARGET: Final = HERE / "seeds" / "emoji.toml"
YOUNG: Final = frozenset("👶🧒👦👧👼🚼🚸👪🤱🍼🎓🎒🏫")
ADULTS: Final = frozenset("👨👩🧑")
"""Their names are those of adults at work, say; their keywords speak of every age."""
TONES: Final = frozenset("🏻🏼🏽🏾🏿")
EACH: Final = 300
_LONGEST: Final = 40


def main() -> int:
    root = Path(sys.argv[1])
    boundary = Boundary(bytes(32), year=lambda: 2026)
    lines = [
        "# Written by emoji.py from CLDR's annotations (Unicode-3.0), which has every word from people who speak the language.",
        "",
    ]
    for lang in ["en", *tomllib.loads((HERE / "seeds" / "tongues.toml").read_text("utf-8"))]:
        kept = [word for word in _words(root, lang) if not _refused(boundary, word)]
        kept.sort(key=lambda word: hashlib.sha256(f"{lang} {word}".encode()).digest())
        lines.append(f"{lang} = {json.dumps(sorted(kept[:EACH]), ensure_ascii=False)}")
    TARGET.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def _words(root: Path, lang: str) -> set[str]:
    """What things and adults are called."""
    found = set[str]()
    for shown, told in _annotations(root, lang):
        signs = set(shown)
        if not signs & (YOUNG | TONES):
            found |= {*told["tts"], *([] if signs & ADULTS else told["default"])}
    return {word for word in found if 2 <= len(word) <= _LONGEST and re.fullmatch(r"[^\W\d][^\d:]*", word)}


def _annotations(root: Path, lang: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for package, key in (("annotations", "annotations"), ("annotationsDerived", "annotationsDerived")):
        for file in sorted(root.glob(f"**/{package}/{lang}/annotations.json")):
            for shown, told in json.loads(file.read_text("utf-8"))[key]["annotations"].items():
                yield shown.replace("\ufe0f", ""), {"tts": [], "default": [], **told}


def _refused(boundary: Boundary, word: str) -> bool:
    return boundary.judge(Words(prompt=word))[0].rule not in {None, "minor.sense"}


if __name__ == "__main__":
    raise SystemExit(main())
