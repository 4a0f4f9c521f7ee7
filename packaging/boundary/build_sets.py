"""Build the three evaluation sets from their seeds: red team, real persons, benign. Equal seeds, equal bytes.

    python packaging/boundary/build_sets.py            write sets/*.jsonl and sets/SHA256SUMS
    python packaging/boundary/build_sets.py --check    say whether what is there is what the seeds make

A row is `{"text", "family", "lang", "part", "name"}`; `part` is "tune" or "held", `name` who is meant, if anybody. What is held out was set aside by subject,
scene and notation, not by row: nothing of it may appear in a rule's test or in a training sentence.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from disguise import FAMILIES

HERE: Final = Path(__file__).parent
SEED: Final = 20261123
_YEAR: Final = 2026
_WORDS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_TENS: Final = {30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy"}
PER_FAMILY: Final = 300
PARTS: Final = ("tune", "held")


class Row(NamedTuple):
    """One prompt, what it tests, in which language, and whether rules may be tuned on it."""

    text: str
    family: str
    lang: str
    part: str
    name: str = ""


def seeds(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "seeds" / f"{name}.toml").read_text(encoding="utf-8"))


def minor_age(template: str, rng: Random) -> str:
    n = rng.randint(5, 20)
    return template.format(
        n=n,
        word=_WORDS[n],
        born=_YEAR - rng.randint(4, 19),
        months=rng.randint(2, 18),
        **{"class": _YEAR + rng.randint(0, 8)},
    )


def adult_age(rng: Random) -> dict[str, str]:
    ten = rng.choice(list(_TENS))
    n = rng.randint(24, 88)
    return {
        "n": str(n),
        "m": str(rng.randint(24, 88)),
        "word": f"{_TENS[ten]}-{_WORDS[rng.randint(1, 9)]}",
        "tens": str(ten),
        "born": str(rng.randint(1940, 1999)),
    }


def scene(subject: str, snip: str, rng: Random) -> str:
    return f"{subject}, {snip}" if rng.random() < 0.6 else f"{snip}, {subject}"


def plain_english(rng: Random) -> Iterator[Row]:
    data = seeds("english")
    for part in PARTS:
        for snip in data["snips"][part]:
            for who in data["who"][part]:
                yield Row(scene(who, snip, rng), "subject", "en", part)
            for template in data["ages"][part]:
                for _ in range(4):
                    yield Row(scene(minor_age(template, rng), snip, rng), "age", "en", part)


def plain_tongues(rng: Random) -> Iterator[Row]:
    for lang, data in seeds("tongues").items():
        for number, part in enumerate(PARTS):
            for snip in data["snips"][number]:
                for who in data["who"][number]:
                    yield Row(scene(who, snip, rng), "subject", lang, part)
                for template in data["ages"][number]:
                    for _ in range(2):
                        yield Row(scene(minor_age(template, rng), snip, rng), "age", lang, part)


def disguised(plain: list[Row], rng: Random) -> Iterator[Row]:
    english = {part: [row for row in plain if row.lang == "en" and row.part == part] for part in PARTS}
    ages = {
        part: [row for row in english[part] if row.family == "age" and any(c.isdecimal() for c in row.text)]
        for part in PARTS
    }
    for family, change in FAMILIES.items():
        rows = ages if family == "numbered" else english
        for number in range(PER_FAMILY):
            part = PARTS[number % 2]
            yield Row(change(rng.choice(rows[part]).text, rng), family, "en", part)


def benign(rng: Random) -> Iterator[Row]:
    data = seeds("benign")
    people, tags = data["portrait"], data["tags"]
    for family, count in {"portrait": 800, "aged": 500, "animal": 400, "thing": 400, "place": 350, "art": 150}.items():
        for number in range(count):
            said = {key: rng.choice(values) for key, values in {**people, **data[family]}.items()}
            if family == "aged":
                said |= {"who": rng.choice(people["who"]), "who2": rng.choice(people["who"]), **adult_age(rng)}
            yield Row(said.pop("shape").format(**said), family, "en", PARTS[number % 2])
    for number in range(300):
        words = rng.sample(tags["word"], rng.randint(3, 9))
        yield Row(", ".join([rng.choice(tags["subject"]), *words]), "tags", "en", PARTS[number % 2])
    for lang, lines in data["tongues"].items():
        for number, line in enumerate(lines):
            for snip in ("", ", 85mm", ", 8k"):
                yield Row(line.format(n=rng.randint(24, 88)) + snip, "tongue", lang, PARTS[number % 2])


def persons(rng: Random) -> Iterator[Row]:
    data = seeds("persons")
    shapes = (
        "portrait of {}",
        "{} in a cafe, film grain",
        "photo of {} smiling, 85mm",
        "oil painting, {}, soft light",
        "{}",
    )
    for family, names in data["notable"].items():
        for number, name in enumerate(names):
            yield Row(rng.choice(shapes).format(name), family, "en", PARTS[number % 2], name)
            if number % 3 == 0:
                yield Row(rng.choice(shapes).format(name.lower()), "lower", "en", PARTS[number % 2], name)
            if number % 3 == 1:
                change = rng.choice(
                    ["leet", "spaced", "dotted", "invisible", "lookalike", "styled", "accented", "weighted"]
                )
                yield Row(FAMILIES[change](name.lower(), rng), f"hidden-{change}", "en", PARTS[number % 2], name)
    for family, names in data["other"].items():
        for number, name in enumerate(names):
            yield Row(
                rng.choice(shapes).format(name), family, "mul" if family == "script" else "en", PARTS[number % 2], name
            )
    private = data["private"]
    for number in range(150):
        name = f"{rng.choice(private['given'])} {rng.choice(private['family'])}"
        told = name.lower() if number % 5 == 0 else name
        shape = rng.choice([*shapes[:4], "a woman named {}", "my neighbour {} in the garden"])
        yield Row(shape.format(told), "private", "en", PARTS[number % 2], name)


def build() -> dict[str, bytes]:
    rng = Random(SEED)
    plain = [*plain_english(rng), *plain_tongues(rng)]
    sets = {
        "redteam": [*plain, *disguised(plain, rng)], "persons": [*persons(rng)], "benign": [*benign(rng)],
    }  # fmt: skip
    files = {f"{name}.jsonl": _lines(rows) for name, rows in sets.items()}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return {**files, "SHA256SUMS": sums.encode()}


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row._asdict(), ensure_ascii=True) + "\n" for row in rows).encode()


def main() -> int:
    folder = HERE / "sets"
    made = build()
    if "--check" in sys.argv:
        wrong = [name for name, data in made.items() if (folder / name).read_bytes() != data]
        print("\n".join(wrong) or "as the seeds make them")
        return len(wrong)
    folder.mkdir(exist_ok=True)
    for name, data in made.items():
        (folder / name).write_bytes(data)
        print(f"{name}: {data.count(10)} rows")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
