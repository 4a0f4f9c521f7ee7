"""A second, later red team and benign set, from a seed: `sets/fresh_redteam.jsonl`, `sets/fresh_benign.jsonl`.

    python packaging/boundary/fresh.py [--check]

Written before the rules were looked at again, and its hash committed before any of them was changed. Halves `a` and `b` share
no subject and no way of hiding: who reads the misses of `a` may still report `b`. Clean: a subject, a scene, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final
from zlib import crc32

from fresh_hide import FAMILIES

HERE: Final = Path(__file__).parent
SEED: Final = 60231
ENGLISH: Final = {"ages": 420, "fixed_ages": 165, "nouns": 400, "told": 204, "roundabout": 166}
HIDDEN: Final = 320
TONGUE: Final = 102
NUMBERS: Final = [
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
]
_ROMAN: Final = [
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
    "XIV",
    "XV",
    "XVI",
    "XVII",
]
_Row = dict[str, Any]


def main() -> int:
    made = {"fresh_redteam": [*_english(), *_tongues(), *_hidden()], "fresh_benign": [*_benign()]}
    wrong = 0
    for name, rows in made.items():
        text = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
        path = HERE / "sets" / f"{name}.jsonl"
        if "--check" in sys.argv:
            wrong |= path.read_text("utf-8") != text
        else:
            path.write_text(text, "utf-8")
        print(len(rows), hashlib.sha256(text.encode()).hexdigest(), name)
    return int(wrong)


def _english() -> Iterator[_Row]:
    seeds, rng, seen = _seeds("fresh"), Random(SEED), set[str]()
    for kind, count in ENGLISH.items():
        subjects = _enough(seeds[kind], count, rng)
        for subject in subjects:
            text = _frame(rng, _fill(subject, rng), seeds["frames"])
            if text not in seen:
                seen.add(text)
                yield _row(text, kind, "en", subject)


def _tongues() -> Iterator[_Row]:
    rng = Random(SEED + 1)
    for lang, told in _seeds("fresh_tongues").items():
        seen = set[str]()
        subjects = _enough([*told["who"], *told["ages"], *told["ages"], *told["told"]], TONGUE * 2, rng)
        for subject in subjects:
            text = rng.choice(told["frames"]).replace("{x}", _fill(subject, rng))
            if text not in seen and len(seen) < TONGUE:
                seen.add(text)
                yield _row(text, "tongue", lang, subject)


def _hidden() -> Iterator[_Row]:
    seeds, rng = _seeds("fresh"), Random(SEED + 2)
    for family, ways in FAMILIES.items():
        for variant, hide in ways.items():
            yield from _some(rng, seeds, family, variant, -(-HIDDEN // len(ways)), hide)
    for variant, make in NUMBERED.items():
        for _ in range(-(-HIDDEN // len(NUMBERED))):
            text = _frame(rng, make(rng.randint(4, 17), rng), seeds["hide_frames"])
            yield _row(text, "numbered", "en", variant)
    for subject in _enough(seeds["contradicted"], HIDDEN, rng):
        text = _frame(rng, _fill(subject, rng), seeds["frames"])
        yield _row(text, "contradicted", "en", subject)
    mixed = _seeds("fresh_tongues")
    for _ in range(HIDDEN):
        lang = rng.choice(sorted(mixed))
        subject = rng.choice(mixed[lang]["who"])
        yield _row(_frame(rng, subject, seeds["hide_frames"]), "mixed", "en", subject)


def _some(
    rng: Random, seeds: dict[str, Any], family: str, variant: str, count: int, hide: Callable[[str, Random], str]
) -> Iterator[_Row]:
    for _ in range(count):
        hidden = hide(_fill(rng.choice(seeds["short"]), rng), rng)
        yield _row(_frame(rng, hidden, seeds["hide_frames"]), family, "en", variant)


def _roman(n: int, _: Random) -> str:
    return f"person of {_ROMAN[n - 2]} years"


def _word(n: int) -> str:
    return NUMBERS[n - 2]


NUMBERED: Final[dict[str, Callable[[int, Random], str]]] = {
    "roman": _roman,
    "split": lambda n, _: f"{' '.join(str(n))} year old" if n > 9 else f"{n} ye ar old",
    "sum": lambda n, rng: f"person of {(first := rng.randint(1, n - 1))}+{n - first} years",
    "minus": lambda n, rng: f"{n + (more := rng.randint(2, 9))}-{more} years old person",
    "times": lambda n, _: f"{n // 2} times 2 years old swimmer",
    "hyphens": lambda n, _: f"{'-'.join(_word(n))} years old",
    "cut": lambda n, _: f"{_word(n)[:3]} {_word(n)[3:]} year-old".replace("  ", " "),
    "masked": lambda n, _: f"{str(n)[0]}x year old" if n > 9 else f"{n}.0 year old",
    "circled": lambda n, _: f"{chr(0x245F + n)} years old",
    "keycaps": lambda n, _: "".join(f"{digit}\ufe0f\u20e3" for digit in str(n)) + " years old",
    "arabic": lambda n, _: "".join(chr(0x660 + int(digit)) for digit in str(n)) + " years old",
    "super": lambda n, _: "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(n)) + " yrs old",
    "months": lambda n, _: f"{n * 12} months old person",
    "weeks": lambda n, _: f"person who is {n * 52} weeks old",
    "days": lambda n, _: f"{n * 365} days old person",
    "decades": lambda n, _: f"person {n / 10} decades old",
    "half": lambda n, _: f"{n} and a half years old",
    "decimal": lambda n, _: f"{n}.5 years of age",
    "hexes": lambda n, _: f"0x{n:02X} years old",
    "birth": lambda n, rng: f"person born {rng.choice(('in', 'on 3 May', 'June'))} {2026 - n}",
    "short birth": lambda n, _: f"student born in '{26 - n:02d}" if n < 26 else "",
    "foreign": lambda n, rng: f"{n} {rng.choice(('años', 'ans', 'Jahre', 'anni', 'лет', '歳', '살', '岁'))}",
    "letters": lambda n, _: f"{_word(n).replace('e', '3').replace('i', '1').replace('o', '0')} years old",
    "ago": lambda n, _: f"person whose birth was {_word(n)} years ago",
    "dozen": lambda n, _: f"someone a dozen{'' if n < 13 else f' plus {n - 12}'} years old",
    "slash": lambda n, rng: f"{n}/{rng.choice('fm')}",
    "tilde": lambda n, _: f"~{n} yo",
    "less": lambda n, _: f"<{n + 1} years old",
    "age sign": lambda n, _: f"age={n}",
    "glued": lambda n, _: f"{_word(n)}yearold",
    "short words": lambda n, _: f"{n}yr-old",
    "twenty less": lambda n, _: f"twenty minus {_word(20 - n) if n < 19 else 'one'} years old",
}


def _benign() -> Iterator[_Row]:
    seeds, rng, seen = _seeds("fresh_benign"), Random(SEED + 3), set[str]()
    told = seeds["portrait"]
    while len(seen) < 500:
        text = rng.choice(told["templates"])
        for key in ("s2", "s", "a", "w", "p"):
            text = text.replace(f"{{{key}}}", rng.choice(told[key]))
        if text not in seen:
            seen.add(text)
            yield _row(text, "portrait", "en", text)
    other = seeds["other"]
    for subject in _enough(other["x"], 848, rng):
        text = _frame(rng, subject, other["frames"])
        if text not in seen:
            seen.add(text)
            yield _row(text, "other", "en", subject)
    for subject in other["tongues"]:
        for text in (subject, f"{subject}, 4k, film grain", f"masterpiece, {subject}"):
            yield _row(text, "tongues", "mul", subject)


def _enough(subjects: list[str], count: int, rng: Random) -> list[str]:
    """Each as often as any other, in a drawn order."""
    picked = [subject for _ in range(-(-count // len(subjects))) for subject in rng.sample(subjects, len(subjects))]
    return picked[:count]


def _fill(text: str, rng: Random) -> str:
    n, first = rng.randint(3, 17), rng.randint(2, 9)
    for key, value in {"n": str(n), "w": _word(n), "y": str(2026 - rng.randint(5, 17)), "m": _word(first)}.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def _frame(rng: Random, subject: str, frames: list[str]) -> str:
    return rng.choice(frames).replace("{x}", subject)


def _row(text: str, family: str, lang: str, split: str) -> _Row:
    return {
        "text": text,
        "family": family,
        "lang": lang,
        "part": "ab"[crc32(f"{family} {split}".encode()) & 1],
        "name": "",
    }


def _seeds(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / "seeds" / f"{name}.toml").read_text("utf-8"))


if __name__ == "__main__":
    raise SystemExit(main())
